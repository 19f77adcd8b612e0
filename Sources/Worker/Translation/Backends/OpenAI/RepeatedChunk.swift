// Chunks that differ from the one before in one text alone, which most do. If everything before and behind
// that text is the same, byte for byte, then the chunk means the same: no need to parse it.

import Glibc

struct RepeatedChunk: Sendable {
    /// Bytes of a chunk that is remembered; longer ones are not worth it.
    private static let limit = 4096

    /// What the text is.
    private enum Kind { case text, reasoning, arguments(Int) }

    private var kind = Kind.text
    private var opening: [UInt8] = []
    private var closing: [UInt8] = []

    /// The delta of a chunk that repeats the one learnt; nil if it has to be parsed.
    func delta(in frame: ArraySlice<UInt8>) -> Delta? {
        let length = frame.count &- opening.count &- closing.count
        guard !opening.isEmpty, length > 0, matches(frame) else { return nil }
        let start = frame.startIndex &+ opening.count
        let text = frame[start..<start &+ length]
        guard Self.isWhole(text.span) else { return nil }
        switch kind {
        case .text: return .text(JSONText(escaped: text))
        case .reasoning: return .reasoning(JSONText(escaped: text))
        case .arguments(let number): return .toolArguments(number, JSONText(escaped: text))
        }
    }

    /// Remembers a chunk that was parsed, if all that it brought is one text.
    /// - Parameter deltas: its deltas, whose texts are slices of a copy of `frame`.
    mutating func learn(_ frame: ArraySlice<UInt8>, _ deltas: ArraySlice<Delta>) {
        guard frame.count <= Self.limit, deltas.count == 1, let delta = deltas.first else { return forget() }
        switch delta {
        case .text(let text): learn(frame, text, .text)
        case .reasoning(let text): learn(frame, text, .reasoning)
        case .toolArguments(let number, let text): learn(frame, text, .arguments(number))
        case .toolCall, .usage, .finished, .failed: forget()
        }
    }

    private mutating func forget() { opening.removeAll(keepingCapacity: true) }

    private mutating func learn(_ frame: ArraySlice<UInt8>, _ text: JSONText, _ kind: Kind) {
        let range = text.bytes.indices
        // The text must be the very inside of a string of this frame, not something made of it.
        guard range.lowerBound > 0, range.upperBound < frame.count,
            frame.dropFirst(range.lowerBound).prefix(range.count).elementsEqual(text.bytes),
            frame[frame.startIndex + range.lowerBound - 1] == UInt8(ascii: "\""),
            frame[frame.startIndex + range.upperBound] == UInt8(ascii: "\"")
        else { return forget() }
        self.kind = kind
        opening.removeAll(keepingCapacity: true)
        closing.removeAll(keepingCapacity: true)
        opening.append(contentsOf: frame.prefix(range.lowerBound))
        closing.append(contentsOf: frame.dropFirst(range.upperBound))
    }

    private func matches(_ frame: ArraySlice<UInt8>) -> Bool {
        frame.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, bytes.count > opening.count &+ closing.count else {
                return false
            }
            return memcmp(base, opening, opening.count) == 0
                && memcmp(base + (bytes.count &- closing.count), closing, closing.count) == 0
        }
    }

    /// Whether this is the whole inside of a JSON string: no quote that would end it, escapes of one letter
    /// only, well-formed UTF-8. What is right but rare may be refused: it is parsed then.
    private static func isWhole(_ text: Span<UInt8>) -> Bool {
        var isASCII = true
        var at = 0
        while at < text.count {
            switch text[at] {
            case UInt8(ascii: "\\"):
                guard at &+ 1 < text.count, isEscape(text[at &+ 1]) else { return false }
                at &+= 2
                continue
            case UInt8(ascii: "\""), 0..<0x20: return false
            case 0x80...: isASCII = false
            default: break
            }
            at &+= 1
        }
        return isASCII || (try? UTF8Span(validating: text)) != nil
    }

    private static func isEscape(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "n"), UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "t"), UInt8(ascii: "r"),
            UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"):
            true
        default: false
        }
    }
}
