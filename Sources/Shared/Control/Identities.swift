// Who is meant when processes speak of generations, workers and backends. Holds: an identity means the same
// in every process and in every generation of the configuration; a place in a list does not.

/// A configuration in force, with its command line and its secrets.
public struct GenerationID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Counts the configurations that this supervisor has put in force, from 1.
    public let number: UInt32

    /// The one that the service starts with.
    public static let first = GenerationID(number: 1)

    public init(number: UInt32) { self.number = number }

    public static func < (left: GenerationID, right: GenerationID) -> Bool { left.number < right.number }

    /// As workers are told, and as it stands in the log.
    public var description: String { "\(number)" }
}

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
public struct BackendID: Hashable, Comparable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// Names in bytes; a longer one is in no message.
    public static let longestName = 256

    public let name: String

    public init(_ name: String) { self.name = name }

    public init(stringLiteral name: String) { self.name = name }

    public static func < (left: BackendID, right: BackendID) -> Bool { left.name < right.name }

    public var description: String { name }
}
