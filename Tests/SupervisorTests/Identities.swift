// Identities as literals, for the tests of the supervisor.

public import Shared

extension WorkerID: ExpressibleByIntegerLiteral {
    public init(integerLiteral life: UInt32) { self.init(life: life) }
}

extension BackendID: ExpressibleByStringLiteral {
    public init(stringLiteral name: String) { self.init(name) }
}
