// Identities and times as literals, for the tests of the supervisor.

public import Shared

extension WorkerID: ExpressibleByIntegerLiteral {
    public init(integerLiteral life: UInt32) { self.init(life: life) }
}

extension WallTime: ExpressibleByIntegerLiteral {
    public init(integerLiteral nanoseconds: UInt64) { self.init(nanoseconds: nanoseconds) }
}
