// The chunked transfer coding of a request (RFC 9112 section 7.1), decoded as the bytes come, however
// they are cut. Extensions and trailers are read over, within limits.

public struct ChunkedDecoder: Sendable {
    /// Bytes of all chunk extensions of one body.
    public static let maximumExtensionBytes = 4 << 10
    /// Bytes of the trailer section.
    public static let maximumTrailerBytes = 8 << 10
    /// Digits of one chunk size; leading zeros count.
    static let maximumSizeDigits = 16

    private enum Phase: Sendable, Equatable {
        case size(value: Int, digits: Int)
        case blank(size: Int)
        case inExtension(size: Int)
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
        case .blank(let size), .inExtension(let size): try readExtension(byte, size: size)
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
        case 0x3b: phase = .inExtension(size: value)
        case 0x20, 0x09: phase = .blank(size: value)
        default: throw .chunkSize
        }
    }

    private mutating func readExtension(_ byte: UInt8, size: Int) throws(FramingFailure) {
        extensionRoom &-= 1
        guard extensionRoom >= 0 else { throw .chunkExtensionTooLong }
        switch (byte, phase) {
        case (0x0d, _): phase = .sizeLineFeed(size: size)
        case (0x3b, _): phase = .inExtension(size: size)
        case (0x20, _), (0x09, _): break
        case (_, .blank): throw .chunkSize
        case (..<0x20, _), (0x7f, _): throw .chunkSize
        default: break
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
