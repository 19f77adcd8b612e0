// A line of clients about themselves at the start of system prompts, which only the real API has a use for.

import JSON

/// The line in which a client says which build of it is asking: of no use to a backend, and at the very
/// start of the prompt it spoils every prompt cache.
enum Attribution {
    private static let mark = Array("x-anthropic-billing-header:".utf8)

    static func isMarked(_ text: ArraySlice<UInt8>) -> Bool { text.starts(with: mark) }

    static func stripped(_ slice: TextSlice) -> TextSlice {
        guard slice.bytes.starts(with: mark) else { return slice }
        var rest = slice
        let bytes = slice.bytes
        var at = bytes.startIndex
        // A newline inside a JSON string is an escape; a doubled backslash is none.
        while at < bytes.endIndex {
            guard bytes[at] == UInt8(ascii: "\\"), at + 1 < bytes.endIndex else {
                at += 1
                continue
            }
            if bytes[at + 1] == UInt8(ascii: "n") { break }
            at += 2
        }
        at = min(at, bytes.endIndex)
        while bytes[at...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "n")]) { at += 2 }
        rest.range = at..<slice.range.upperBound
        return rest
    }
}

extension CanonicalRequest {
    /// The system prompt for other models: texts that say something.
    var systemTexts: [TextSlice] {
        self.system.map { Attribution.stripped(TextSlice($0)) }.filter { !$0.isEmpty }
    }
}
