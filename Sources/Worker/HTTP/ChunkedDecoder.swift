// The chunked transfer coding of a request (RFC 9112 section 7.1), decoded as the bytes come, however
// they are cut. Extensions and trailers are read over, within limits; what is no extension by the grammar is
// refused, since a server in front of this one may have seen another size there.

public struct ChunkedDecoder: Sendable {
    /// Bytes of all chunk extensions of one body.
    public static let maximumExtensionBytes = 4 << 10
    /// Bytes of the trailer section.
    public static let maximumTrailerBytes = 8 << 10
    /// Digits of one chunk size; leading zeros count.
    static let maximumSizeDigits = 16

    private enum Phase: Sendable, Equatable {
        case size(value: Int, digits: Int)
        case inExtension(size: Int, ExtensionPart)
        case sizeLineFeed(size: Int)
        case data(left: Int)
        case dataReturn
        case dataLineFeed
        case trailerStart
        case trailer
        case trailerLineFeed
        case lastLineFeed
        case done
    }

    /// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`
    private enum ExtensionPart: Sendable, Equatable {
        /// Blanks that only a `;` may follow.
        case separator
        case nameStart
        case name
        /// Blanks behind a name.
        case nameEnd
        case valueStart
        case value
        case quoted
        case escape
        case quotedEnd
    }

    private var phase = Phase.size(value: 0, digits: 0)
    private var room: Int
    private var extensionRoom = Self.maximumExtensionBytes
    private var trailerRoom = Self.maximumTrailerBytes

    /// - Parameter limit: bytes of body accepted.
    public init(limit: Int) { room = limit }

    public var isDone: Bool { phase == .done }

    /// Decodes `input`, appends what is body, and returns how many bytes it used: fewer than given
    /// only when the body has ended.
    public mutating func decode(
        _ input: ArraySlice<UInt8>, into body: inout [UInt8]
    ) throws(FramingFailure) -> Int {
        var index = input.startIndex
        while index < input.endIndex, phase != .done {
            if case .data(let left) = phase {
                let count = min(left, input.endIndex &- index)
                body.append(contentsOf: input[index..<index &+ count])
                index &+= count
                phase = count == left ? .dataReturn : .data(left: left &- count)
                continue
            }
            try step(input[index])
            index &+= 1
        }
        return index &- input.startIndex
    }

    private mutating func step(_ byte: UInt8) throws(FramingFailure) {
        switch phase {
        case .size(let value, let digits): try readSize(byte, value: value, digits: digits)
        case .inExtension(let size, let part): try readExtension(byte, part, size: size)
        case .sizeLineFeed(let size):
            guard byte == 0x0a else { throw .chunkSize }
            try begin(size)
        case .dataReturn:
            guard byte == 0x0d else { throw .chunkEnd }
            phase = .dataLineFeed
        case .dataLineFeed:
            guard byte == 0x0a else { throw .chunkEnd }
            phase = .size(value: 0, digits: 0)
        case .trailerStart, .trailer, .trailerLineFeed, .lastLineFeed: try readTrailer(byte)
        case .data, .done: break
        }
    }

    private mutating func readSize(_ byte: UInt8, value: Int, digits: Int) throws(FramingFailure) {
        if let digit = ByteClass.hexValue(byte) {
            guard digits < Self.maximumSizeDigits else { throw .chunkSize }
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 16)
            guard !overflow else { throw .bodyTooLarge }
            phase = .size(value: shifted | Int(digit), digits: digits &+ 1)
            return
        }
        guard digits > 0 else { throw .chunkSize }
        switch byte {
        case 0x0d: phase = .sizeLineFeed(size: value)
        case 0x3b: phase = .inExtension(size: value, .nameStart)
        case 0x20, 0x09: phase = .inExtension(size: value, .separator)
        default: throw .chunkSize
        }
    }

    private mutating func readExtension(_ byte: UInt8, _ part: ExtensionPart, size: Int)
        throws(FramingFailure)
    {
        extensionRoom &-= 1
        guard extensionRoom >= 0 else { throw .chunkExtensionTooLong }
        // Blanks belong before a `;` or a `=`, not before the end of the line.
        switch (byte, part) {
        case (0x0d, .name), (0x0d, .value), (0x0d, .quotedEnd): phase = .sizeLineFeed(size: size)
        default: phase = .inExtension(size: size, try Self.next(part, byte))
        }
    }

    private static func next(_ part: ExtensionPart, _ byte: UInt8) throws(FramingFailure) -> ExtensionPart {
        let isBlank = ByteClass.isBlank(byte)
        switch part {
        case .separator where byte == 0x3b: return .nameStart
        case .separator where isBlank: return .separator
        case .nameStart where isBlank: return .nameStart
        case .nameStart where ByteClass.isToken(byte), .name where ByteClass.isToken(byte): return .name
        case .name where byte == 0x3d, .nameEnd where byte == 0x3d: return .valueStart
        case .name where byte == 0x3b, .nameEnd where byte == 0x3b: return .nameStart
        case .name where isBlank, .nameEnd where isBlank: return .nameEnd
        case .valueStart where isBlank: return .valueStart
        case .valueStart where byte == 0x22: return .quoted
        case .valueStart where ByteClass.isToken(byte), .value where ByteClass.isToken(byte): return .value
        case .value where byte == 0x3b: return .nameStart
        case .value where isBlank: return .separator
        case .quoted where byte == 0x22: return .quotedEnd
        case .quoted where byte == 0x5c: return .escape
        case .quoted where byte >= 0x20 && byte != 0x7f || byte == 0x09: return .quoted
        case .escape where byte >= 0x20 && byte != 0x7f || byte == 0x09: return .quoted
        case .quotedEnd where byte == 0x3b: return .nameStart
        case .quotedEnd where isBlank: return .separator
        default: throw .chunkExtension
        }
    }

    private mutating func begin(_ size: Int) throws(FramingFailure) {
        guard size <= room else { throw .bodyTooLarge }
        room &-= size
        phase = size == 0 ? .trailerStart : .data(left: size)
    }

    private mutating func readTrailer(_ byte: UInt8) throws(FramingFailure) {
        trailerRoom &-= 1
        guard trailerRoom >= 0 else { throw .trailerTooLarge }
        switch (phase, byte) {
        case (.trailerStart, 0x0d): phase = .lastLineFeed
        case (.trailerStart, _):
            guard ByteClass.isToken(byte) else { throw .trailer }
            phase = .trailer
        case (.trailer, 0x0d): phase = .trailerLineFeed
        case (.trailer, 0x09): break
        case (.trailer, ..<0x20), (.trailer, 0x7f): throw .trailer
        case (.trailer, _): break
        case (.trailerLineFeed, 0x0a): phase = .trailerStart
        case (.lastLineFeed, 0x0a): phase = .done
        default: throw .trailer
        }
    }
}
