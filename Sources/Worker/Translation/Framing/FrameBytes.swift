// Looking for what frames are made of in a buffer of received bytes: ends of lines, names of fields, values.

import Glibc

extension [UInt8] {
    /// Position of `byte` between `start` and `end`; `end` if it is not there.
    func position(of byte: UInt8, from start: Int, to end: Int) -> Int {
        withUnsafeBytes { bytes in
            guard start < end, let base = bytes.baseAddress,
                let found = memchr(base + start, Int32(byte), end &- start)
            else { return end }
            return UnsafeRawPointer(found) - base
        }
    }

    /// Whether `text` stands at `start`, before `end`.
    func has(_ text: StaticString, _ start: Int, _ end: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard end &- start >= count else { return false }
        return withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return false }
            return memcmp(base + start, text.utf8Start, count) == 0
        }
    }

    /// A field's value from `start` to `end`, without the space that may stand before it.
    func fieldValue(_ start: Int, _ end: Int) -> Range<Int> {
        start < end && self[start] == UInt8(ascii: " ") ? start &+ 1..<end : start..<end
    }

    /// Whether a line of data begins a JSON text of its own, or says that there are no more.
    func beginsData(_ range: Range<Int>) -> Bool {
        has("{", range.lowerBound, range.upperBound) || has("[DONE]", range.lowerBound, range.upperBound)
    }
}
