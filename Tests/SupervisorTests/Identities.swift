// Identities and times as literals, for the tests of the supervisor.

public import Shared

extension WorkerID: ExpressibleByIntegerLiteral {
    public init(integerLiteral life: UInt32) { self.init(life: life) }
}

extension WallTime: ExpressibleByIntegerLiteral {
    public init(integerLiteral nanoseconds: UInt64) { self.init(nanoseconds: nanoseconds) }
}

extension MonotonicInstant: ExpressibleByIntegerLiteral {
    public init(integerLiteral nanoseconds: UInt64) { self.init(nanoseconds: nanoseconds) }

    static func seconds(_ count: Double) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: UInt64(count * 1_000_000_000))
    }
}

extension BackendNumber: ExpressibleByIntegerLiteral {
    public init(integerLiteral number: UInt16) { self.init(number) }
}
