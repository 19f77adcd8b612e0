// What can be logged: a constant message and ordered fields. Values come from outside, messages and names
// never do. No prompt and no key is ever a field.

/// One kind of entry. The message is constant, so that it can be searched for; what differs is in fields.
/// Rooms add their own kinds as static members.
public struct LogEvent: Sendable, ExpressibleByStringLiteral {
    public let message: StaticString
    /// MESSAGE_ID of the journal: 32 lower-case hexadecimal digits, never changed once released.
    public let id: StaticString?

    public init(_ message: StaticString, id: StaticString? = nil) {
        self.message = message
        self.id = id
    }

    public init(stringLiteral message: StaticString) { self.init(message) }
}

public enum LogValue: Sendable, Equatable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByStringInterpolation
{
    case text(String)
    case number(Int64)

    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .number(value) }
    public init(_ value: String) { self = .text(value) }
    /// Clamped to 64 bits with sign.
    public init(_ value: some BinaryInteger) { self = .number(Int64(clamping: value)) }
}

/// Ordered fields. A name is lower-case with `_`, such as `duration_us`: lines show it as it is, the
/// journal as `DRAGOMAN_DURATION_US`. The name `object_pid` becomes the journal's own `OBJECT_PID`.
public struct LogFields: Sendable, ExpressibleByDictionaryLiteral {
    @usableFromInline var entries: [(name: StaticString, value: LogValue)] = []

    public init() {}
    public init(dictionaryLiteral elements: (StaticString, LogValue)...) {
        entries = elements.map { (name: $0.0, value: $0.1) }
    }

    public var isEmpty: Bool { entries.isEmpty }

    public mutating func append(_ name: StaticString, _ value: LogValue) {
        entries.append((name: name, value: value))
    }

    public mutating func append(_ name: StaticString, _ value: String) { append(name, .text(value)) }

    public mutating func append(_ name: StaticString, _ value: some BinaryInteger) {
        append(name, LogValue(value))
    }

    public mutating func append(contentsOf other: LogFields) { entries += other.entries }
}
