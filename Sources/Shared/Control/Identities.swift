// Who is meant when processes speak of workers and backends. Holds: an identity means the same in every
// process and in every generation of the configuration; a place in a list does not.

/// One life of a worker. A successor under the same number is another worker.
public struct WorkerID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Counts the lives that this supervisor has begun, so that of two the smaller is the older.
    public let life: UInt32

    public init(life: UInt32) { self.life = life }

    public static func < (left: WorkerID, right: WorkerID) -> Bool { left.life < right.life }

    public var description: String { "life \(life)" }
}

/// A backend, by its name. The name is what all hosts and generations share; a number for it would have to be
/// agreed upon first.
public struct BackendID: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// Names in bytes; a longer one is in no message.
    public static let longestName = 256

    public let name: String

    public init(_ name: String) { self.name = name }

    public init(stringLiteral name: String) { self.name = name }

    public var description: String { name }
}
