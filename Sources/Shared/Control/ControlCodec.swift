// How control messages lie in a datagram: one byte of format version, one byte of kind, then the
// fields, integers little-endian, texts as a 32-bit length and UTF-8. Holds: decoding reads nothing
// beyond the datagram, accepts nothing left over, and never traps, whatever the bytes are.

/// Why a control message could not be sent, read or understood. All but `outOfDescriptors` end the channel.
public enum ControlFailure: Error, Equatable, Sendable {
    /// The first byte names another format than this program's.
    case foreignFormat(UInt8)
    /// Unknown kind, cut short, left-over bytes, invalid text or value.
    case malformed
    /// A text longer than its limit (`maximumPeerBytes`, `maximumReportBytes`).
    case tooLong
    /// A descriptor came with a message that carries none, or is missing where one belongs.
    case descriptorMismatch
    /// It is not permitted in the present phase (see `WorkerPhase`): which message, and the phase.
    case notPermitted(String)
    /// There is no number left to hold a descriptor in the queue; the message was not sent, the channel goes
    /// on.
    case outOfDescriptors
    /// The peer does not read: `ControlChannelLimits.queuedMessages` are waiting already.
    case congested
    /// The peer is gone (EPIPE, ECONNRESET).
    case ended
    /// Any other failure of the socket: the errno.
    case system(Int32)
}

/// Largest `peer` text of a connection, in bytes; the longest real one is a scoped IPv6 address.
public let maximumPeerBytes = 256

private let formatVersion: UInt8 = 1

/// A message that can lie in a datagram of the control channel.
public protocol ControlCodable: Sendable, Equatable {
    /// Whether a descriptor travels with this message; exactly one then, none otherwise.
    var carriesDescriptor: Bool { get }
    /// The number of the message's kind and its fields.
    func write(into writer: inout ControlWriter) throws(ControlFailure)
    /// Reads the fields of kind `kind`.
    init(kind: UInt8, from reader: inout ControlReader) throws(ControlFailure)
}

extension ControlCodable {
    /// The datagram for this message.
    public func encoded() throws(ControlFailure) -> [UInt8] {
        var writer = ControlWriter()
        try write(into: &writer)
        return writer.bytes
    }

    /// The message in a datagram.
    public init(decoding bytes: [UInt8]) throws(ControlFailure) {
        var reader = ControlReader(bytes)
        let version = try reader.integer(UInt8.self)
        guard version == formatVersion else { throw .foreignFormat(version) }
        let kind = try reader.integer(UInt8.self)
        self = try Self(kind: kind, from: &reader)
        guard reader.isAtEnd else { throw .malformed }
    }
}

/// A part of a message that is written and read in one piece.
protocol ControlField {
    func write(into writer: inout ControlWriter) throws(ControlFailure)
    init(from reader: inout ControlReader) throws(ControlFailure)
}

/// Collects a message's fields.
public struct ControlWriter {
    fileprivate var bytes: [UInt8] = []

    fileprivate init() { bytes.reserveCapacity(64) }

    mutating func kind(_ kind: UInt8) {
        bytes.append(formatVersion)
        bytes.append(kind)
    }

    mutating func integer<Number: FixedWidthInteger>(_ value: Number) {
        var rest = value.littleEndian
        withUnsafeBytes(of: &rest) { bytes.append(contentsOf: $0) }
    }

    mutating func flag(_ value: Bool) { integer(UInt8(value ? 1 : 0)) }

    /// Elements that write themselves, behind their number.
    mutating func list(_ elements: [some ControlField], limit: Int) throws(ControlFailure) {
        guard elements.count <= limit else { throw .tooLong }
        integer(UInt16(truncatingIfNeeded: elements.count))
        for element in elements { try element.write(into: &self) }
    }

    mutating func text(_ text: String, limit: Int) throws(ControlFailure) {
        guard text.utf8.count <= limit else { throw .tooLong }
        integer(UInt32(truncatingIfNeeded: text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }
}

/// Reads a message's fields, checking every length.
public struct ControlReader {
    private let bytes: [UInt8]
    private var position = 0

    fileprivate init(_ bytes: [UInt8]) { self.bytes = bytes }

    fileprivate var isAtEnd: Bool { position == bytes.count }

    mutating func integer<Number: FixedWidthInteger & UnsignedInteger>(
        _ type: Number.Type = Number.self
    ) throws(ControlFailure) -> Number {
        let width = MemoryLayout<Number>.size
        guard bytes.count - position >= width else { throw .malformed }
        var value: Number = 0
        for index in 0..<width {
            value |= Number(truncatingIfNeeded: bytes[position + index]) << Number(index * 8)
        }
        position += width
        return value
    }

    mutating func list<Element: ControlField>(
        of type: Element.Type = Element.self, limit: Int
    ) throws(ControlFailure) -> [Element] {
        let count = Int(try integer(UInt16.self))
        guard count <= limit else { throw .tooLong }
        var elements: [Element] = []
        // What the count promises may not be there: room for it comes with what is.
        for _ in 0..<count { elements.append(try Element(from: &self)) }
        return elements
    }

    mutating func flag() throws(ControlFailure) -> Bool {
        switch try integer(UInt8.self) {
        case 0: false
        case 1: true
        default: throw .malformed
        }
    }

    mutating func text(limit: Int) throws(ControlFailure) -> String {
        let count = Int(try integer(UInt32.self))
        guard count <= limit else { throw .tooLong }
        guard count <= bytes.count - position else { throw .malformed }
        let part = bytes[position..<(position + count)]
        position += count
        guard let text = String(validating: part, as: UTF8.self) else { throw .malformed }
        return text
    }
}
