// The last look at a text before it is written: characters that were cut in two by the upstream's deltas are
// joined, and line separators that some readers of event streams take for line ends are escaped.

import Glibc
import JSON

struct TextJoiner: Sendable {
    /// The escaped first half of a surrogate pair, at the end of the last delta.
    private var held: [UInt8] = []

    /// The text to write now; the same bytes unless there is something to mend.
    mutating func join(_ text: JSONText) -> ArraySlice<UInt8> {
        var bytes = text.bytes
        if text.hasLoneSurrogate || !held.isEmpty { bytes = joined(bytes) }
        return Self.mayHaveSeparator(bytes) ? Self.withoutSeparators(bytes) : bytes
    }

    /// What is left when no partner came.
    mutating func flush() -> ArraySlice<UInt8> {
        guard !held.isEmpty else { return [] }
        held.removeAll()
        return Array("\\ufffd".utf8)[...]
    }

    private mutating func joined(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let text = held + bytes
        held.removeAll()
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var at = 0
        while at < text.count {
            guard text[at] == UInt8(ascii: "\\") else {
                out.append(text[at])
                at += 1
                continue
            }
            guard let unit = Self.unit(text, at), unit & 0xF800 == 0xD800 else {
                out.append(contentsOf: text[at..<min(at + 2, text.count)])
                at += 2
                continue
            }
            if unit < 0xDC00, at + 6 >= text.count {
                held = Array(text[at...])
            } else if unit < 0xDC00, let low = Self.unit(text, at + 6), low & 0xFC00 == 0xDC00 {
                out.append(contentsOf: text[at..<at + 12])
                at += 6
            } else {
                out.append(ascii: "\\ufffd")
            }
            at += 6
        }
        return out[...]
    }

    /// The number of the `\uXXXX` at `at`.
    private static func unit(_ text: [UInt8], _ at: Int) -> UInt32? {
        guard at + 6 <= text.count, text[at] == UInt8(ascii: "\\"), text[at + 1] == UInt8(ascii: "u") else {
            return nil
        }
        return UInt32(String(decoding: text[at + 2..<at + 6], as: UTF8.self), radix: 16)
    }

    /// U+2028, U+2029 and U+0085. Their first bytes are common (dashes, quotes), the whole of them is not.
    private static func mayHaveSeparator(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.withUnsafeBytes { text in
            guard let base = text.baseAddress else { return false }
            guard memchr(base, 0xE2, text.count) != nil || memchr(base, 0xC2, text.count) != nil else {
                return false
            }
            return text.indices.contains { separator(in: text, at: $0) != nil }
        }
    }

    /// The escape for the separator that begins at `at`, and its length as it stands.
    private static func separator(in text: UnsafeRawBufferPointer, at: Int) -> (StaticString, length: Int)? {
        if text[at] == 0xC2, at &+ 1 < text.count, text[at &+ 1] == 0x85 { return ("\\u0085", 2) }
        guard text[at] == 0xE2, at &+ 2 < text.count, text[at &+ 1] == 0x80 else { return nil }
        switch text[at &+ 2] {
        case 0xA8: return ("\\u2028", 3)
        case 0xA9: return ("\\u2029", 3)
        default: return nil
        }
    }

    private static func withoutSeparators(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + 8)
        bytes.withUnsafeBytes { text in
            var at = 0
            while at < text.count {
                if let (escape, length) = separator(in: text, at: at) {
                    out.append(ascii: escape)
                    at &+= length
                } else {
                    out.append(text[at])
                    at &+= 1
                }
            }
        }
        return out[...]
    }
}
