// Looks for short literals in long texts. Pure.
// Holds: a search costs a few steps for each byte that it goes over, whatever the text is.

import Glibc

enum ByteSearch {
    /// Where `needle` begins at or behind `start`; nil if it does not occur whole.
    static func first(_ needle: [UInt8], in text: ArraySlice<UInt8>, from start: Int) -> Int? {
        guard let head = needle.first, start >= text.startIndex, start <= text.endIndex else { return nil }
        let offset = text.startIndex
        return text.withUnsafeBytes { text -> Int? in
            guard let base = text.baseAddress else { return nil }
            var at = start - offset
            while at &+ needle.count <= text.count {
                let left = text.count &- at &- needle.count &+ 1
                guard let found = memchr(base + at, Int32(head), left) else { return nil }
                at = base.distance(to: UnsafeRawPointer(found))
                if matches(needle, text, at) { return at &+ offset }
                at &+= 1
            }
            return nil
        }
    }

    private static func matches(_ needle: [UInt8], _ text: UnsafeRawBufferPointer, _ at: Int) -> Bool {
        for index in needle.indices where text[at &+ index] != needle[index] { return false }
        return true
    }

    /// Whether `literal` stands at `at`.
    static func starts(_ text: ArraySlice<UInt8>, _ at: Int, with literal: some Collection<UInt8>) -> Bool {
        var at = at
        for byte in literal {
            guard at < text.endIndex, text[at] == byte else { return false }
            at &+= 1
        }
        return true
    }
}
