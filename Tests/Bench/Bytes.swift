// Searching in bytes, bounds-checked.

import Glibc

enum Bytes {
    static func equal(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount, range.upperBound <= bytes.count else { return false }
        var pointer = text.utf8Start
        for index in range {
            if bytes[index] != pointer.pointee { return false }
            pointer += 1
        }
        return true
    }

    static func hasPrefix(_ bytes: Span<UInt8>, at start: Int, _ text: StaticString) -> Bool {
        let end = start + text.utf8CodeUnitCount
        return end <= bytes.count && equal(bytes, start..<end, text)
    }

    static func last(_ text: StaticString, in bytes: Span<UInt8>) -> Int? {
        let count = text.utf8CodeUnitCount
        guard count > 0 else { return nil }
        let head = text.utf8Start.pointee
        var index = bytes.count - count
        while index >= 0 {
            if bytes[index] == head, equal(bytes, index..<index + count, text) { return index }
            index -= 1
        }
        return nil
    }

    /// First such byte at or after `start`, by memchr.
    static func firstByte(_ byte: UInt8, in bytes: Span<UInt8>, from start: Int) -> Int? {
        guard start >= 0, start < bytes.count else { return nil }
        return bytes.withUnsafeBufferPointer { buffer -> Int? in
            guard let base = buffer.baseAddress,
                let found = memchr(base + start, Int32(byte), buffer.count - start)
            else { return nil }
            return UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }

    static func lowercase(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    /// Case-insensitive; `text` is lower case.
    static func hasPrefixIgnoringCase(_ bytes: Span<UInt8>, at start: Int, _ text: StaticString) -> Bool {
        guard start + text.utf8CodeUnitCount <= bytes.count else { return false }
        var pointer = text.utf8Start
        for index in start..<start + text.utf8CodeUnitCount {
            if lowercase(bytes[index]) != pointer.pointee { return false }
            pointer += 1
        }
        return true
    }

    /// A decimal number after optional spaces; nil when there is none or it is absurd.
    static func number(_ bytes: Span<UInt8>, at start: Int) -> Int? {
        var index = start
        while index < bytes.count, bytes[index] == 0x20 { index += 1 }
        var value = 0
        let first = index
        while index < bytes.count, (0x30...0x39).contains(bytes[index]) {
            value = value &* 10 &+ Int(bytes[index] &- 0x30)
            guard value < 1 << 56 else { return nil }
            index += 1
        }
        return index > first ? value : nil
    }

    /// The value of a header as the offset of its first byte, looking at the lines of `head`.
    static func header(_ name: StaticString, in head: Span<UInt8>) -> Int? {
        var line = 0
        while let end = firstByte(0x0A, in: head, from: line) {
            line = end + 1
            if hasPrefixIgnoringCase(head, at: line, name) {
                var value = line + name.utf8CodeUnitCount
                guard value < head.count, head[value] == UInt8(ascii: ":") else { continue }
                value += 1
                while value < head.count, head[value] == 0x20 { value += 1 }
                return value
            }
        }
        return nil
    }
}

/// A text to look for in large bodies: Horspool's search, which looks at one byte in `count`.
struct Pattern: Sendable {
    private let text: [UInt8]
    private let skips: [UInt8]

    init(_ text: String) {
        let bytes = Array(text.utf8.prefix(255))
        var skips = [UInt8](repeating: UInt8(bytes.count), count: 256)
        for (index, byte) in bytes.dropLast().enumerated() {
            skips[Int(byte)] = UInt8(bytes.count - 1 - index)
        }
        self.text = bytes
        self.skips = skips
    }

    /// The offset of the first occurrence.
    func first(in bytes: Span<UInt8>) -> Int? {
        guard let last = text.last else { return nil }
        var end = text.count - 1
        while end < bytes.count {
            let byte = bytes[end]
            if byte == last {
                let start = end - text.count + 1
                var index = 0
                while index < text.count, bytes[start + index] == text[index] { index += 1 }
                if index == text.count { return start }
            }
            end += Int(skips[Int(byte)])
        }
        return nil
    }
}
