// Chunks that differ from the one before in their text alone, which most do. If everything before and behind
// the text is the same, byte for byte, and the text is plain, then the chunk means the same: no need to parse it.

import Glibc

struct RepeatedChunk: Sendable {
    /// Bytes of a chunk that is remembered; longer ones are not worth it.
    private static let limit = 4096

    private var opening: [UInt8] = []
    private var closing: [UInt8] = []

    /// The text of a chunk that repeats the one learnt; nil if it has to be parsed.
    func text(in frame: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let length = frame.count &- opening.count &- closing.count
        guard !opening.isEmpty, length > 0 else { return nil }
        let start = frame.startIndex &+ opening.count
        let text = frame[start..<start &+ length]
        return matches(frame) && Self.isPlain(text) ? text : nil
    }

    /// - Parameter text: where the text stands, counted from the start of the frame.
    mutating func learn(_ frame: ArraySlice<UInt8>, text: Range<Int>) {
        guard frame.count <= Self.limit, text.upperBound <= frame.count else { return }
        opening.removeAll(keepingCapacity: true)
        closing.removeAll(keepingCapacity: true)
        opening.append(contentsOf: frame.prefix(text.lowerBound))
        closing.append(contentsOf: frame.dropFirst(text.upperBound))
    }

    private func matches(_ frame: ArraySlice<UInt8>) -> Bool {
        frame.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, bytes.count > opening.count + closing.count else {
                return false
            }
            return memcmp(base, opening, opening.count) == 0
                && memcmp(base + (bytes.count - closing.count), closing, closing.count) == 0
        }
    }

    /// No quote, no backslash, nothing that is not printable ASCII: the text ends where it seems to.
    private static func isPlain(_ text: ArraySlice<UInt8>) -> Bool {
        text.allSatisfy { $0 >= 0x20 && $0 < 0x80 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    }
}
