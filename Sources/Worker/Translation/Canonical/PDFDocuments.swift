// PDF documents for backends that take none: which ones a request holds, under what name they are remembered,
// and what was read of them. Pure: who reads them is not known here.

import JSON

/// One PDF of a request, still base64 in the received bytes.
public struct PDFSource: Sendable {
    let data: TextSlice
    /// Its position among the request's PDFs.
    let index: Int

    /// Size of the base64 text.
    public var encodedCount: Int { data.range.count }
    /// The same for the same document, whoever sends it; made piece by piece.
    public var name: PDFName { PDFName(data) }
    public var decoder: PDFDecoder { PDFDecoder(data) }
}

/// SHA-256 of the base64 text.
public struct PDFName: Sendable {
    private let data: TextSlice
    private var rest: Range<Int>
    private var hash = SHA256()

    fileprivate init(_ data: TextSlice) {
        self.data = data
        rest = data.range
    }

    /// Goes on by at most `count` bytes; the name once all were seen.
    public mutating func advance(_ count: Int) -> String? {
        let end = min(rest.lowerBound + max(count, 1), rest.upperBound)
        hash.update(data.node.bytes[rest.lowerBound..<end])
        rest = end..<rest.upperBound
        return rest.isEmpty ? hash.hex() : nil
    }
}

/// From base64 (RFC 4648, both alphabets, white space passed over) to bytes, piece by piece.
public struct PDFDecoder: Sendable {
    private let text: [UInt8]
    private var rest: Range<Int>
    private var pending: UInt32 = 0
    private var bits: UInt32 = 0
    /// What came is no base64.
    public private(set) var isBroken = false

    fileprivate init(_ data: TextSlice) {
        if data.node.hasEscapes {
            let plain = data.decoded
            (text, rest) = (plain, plain.indices)
        } else {
            (text, rest) = (data.node.bytes, data.range)
        }
    }

    /// The bytes of at most `count` further digits; nil at the end.
    public mutating func next(_ count: Int) -> [UInt8]? {
        guard !rest.isEmpty, !isBroken else { return nil }
        let end = min(rest.lowerBound + max(count, 1), rest.upperBound)
        var bytes: [UInt8] = []
        bytes.reserveCapacity((end - rest.lowerBound) / 4 * 3 + 3)
        for byte in text[rest.lowerBound..<end] {
            guard let digit = Self.digit(byte) else {
                // Padding, or the line breaks of those who think of mail.
                if byte == UInt8(ascii: "=") || byte <= UInt8(ascii: " ") { continue }
                isBroken = true
                return nil
            }
            pending = pending << 6 & 0xFFFF | digit
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: pending >> bits))
            }
        }
        rest = end..<rest.upperBound
        return bytes
    }

    private static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: Base64URL.digit(byte).map(UInt32.init)
        }
    }
}

/// What could be read of a PDF.
public enum PDFReading: Sendable, Equatable {
    /// UTF-8; `isCut` = there was more.
    case text([UInt8], isCut: Bool)
    /// Pictures of pages only.
    case empty
    /// Damaged, locked, too large, or it took too long.
    case unreadable

    /// - Parameter output: what a converter wrote, page breaks as form feeds.
    public init(output: [UInt8], isCut: Bool) {
        var text = output
        for at in text.indices where text[at] == 0x0C { text[at] = 0x0A }
        // A cut may have gone through a character.
        if String(validating: text, as: UTF8.self) == nil {
            text = Array(String(decoding: text, as: UTF8.self).utf8)
        }
        while let last = text.last, last <= UInt8(ascii: " ") { text.removeLast() }
        self = text.isEmpty ? .empty : .text(text, isCut: isCut)
    }

    /// Bytes that remembering it takes.
    public var size: Int {
        if case .text(let text, _) = self { text.count } else { 0 }
    }
}

extension CanonicalRequest {
    /// In their order.
    var pdfSources: [PDFSource] {
        self.pdfs.enumerated().map { PDFSource(data: $1.data, index: $0) }
    }

    /// - Returns: whether it had not been read before.
    mutating func read(_ pdf: PDFSource, as reading: PDFReading) -> Bool {
        guard self.pdfs.indices.contains(pdf.index) else { return false }
        let isFirst = self.pdfs[pdf.index].reading == nil
        self.pdfs[pdf.index].reading = reading
        return isFirst
    }
}
