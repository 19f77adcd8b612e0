// The byte classes of HTTP's grammar (RFC 9110 section 5.6) as bit masks: no table to initialise, no
// allocation.

enum ByteClass {
    private static var tokensBelow64: UInt64 { 0x03ff_6cfa_0000_0000 }
    private static var tokensFrom64: UInt64 { 0x57ff_ffff_c7ff_fffe }

    /// `tchar`: what methods and field names are made of.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        let mask = byte < 64 ? tokensBelow64 : tokensFrom64
        return byte < 128 && (mask &>> UInt64(byte & 63)) & 1 == 1
    }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte }

    /// The value of a hexadecimal digit, or nil.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x41...0x46: byte &- 0x41 &+ 10
        case 0x61...0x66: byte &- 0x61 &+ 10
        default: nil
        }
    }

    private static var ones: UInt64 { 0x0101_0101_0101_0101 }
    private static var highs: UInt64 { 0x8080_8080_8080_8080 }

    /// Marks (by their top bit) control bytes of the eight: below 0x20, or 0x7f. The lowest mark is exact,
    /// higher ones may be false.
    @inline(__always)
    static func controls(_ eight: UInt64) -> UInt64 {
        let below32 = (eight &- ones &* 0x20) & ~eight
        let notDelete = eight ^ (ones &* 0x7f)
        let isDelete = (notDelete &- ones) & ~notDelete
        return (below32 | isDelete) & highs
    }

    /// Marks the bytes of the eight that are not letters, digits or "-", exactly.
    @inline(__always)
    static func uncommonInNames(_ eight: UInt64) -> UInt64 {
        let low = eight & ~highs
        let lowered = low | ones &* 0x20
        let letters = (lowered &+ ones &* 0x1f) & ~(lowered &+ ones &* 0x05)
        let digits = (low &+ ones &* 0x50) & ~(low &+ ones &* 0x46)
        let dashes = ~((low ^ ones &* 0x2d) &+ ones &* 0x7f)
        return (eight | ~(letters | digits | dashes)) & highs
    }
}

extension Span where Element == UInt8 {
    /// The eight bytes from `index`, the first one lowest; nil near the end.
    @inline(__always)
    private func eight(at index: Int) -> UInt64? {
        guard index &+ 8 <= count else { return nil }
        // Bounds-checked by RawSpan; every bit pattern is a valid UInt64.
        return UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
    }

    /// Index of the first control byte that is not HTAB, or `count`.
    @inline(__always)
    func endOfText(from start: Int) -> Int {
        var index = start
        while let eight = eight(at: index) {
            let marks = ByteClass.controls(eight)
            if marks == 0 {
                index &+= 8
                continue
            }
            index &+= marks.trailingZeroBitCount &>> 3
            guard self[index] == 0x09 else { return index }
            index &+= 1
        }
        while index < count {
            let byte = self[index]
            if byte < 0x20 && byte != 0x09 || byte == 0x7f { return index }
            index &+= 1
        }
        return index
    }

    /// Index of the first byte that no name holds, or `count`.
    @inline(__always)
    func endOfToken(from start: Int) -> Int {
        var index = start
        while let eight = eight(at: index) {
            let marks = ByteClass.uncommonInNames(eight)
            if marks == 0 {
                index &+= 8
                continue
            }
            index &+= marks.trailingZeroBitCount &>> 3
            guard ByteClass.isToken(self[index]) else { return index }
            index &+= 1
        }
        while index < count, ByteClass.isToken(self[index]) { index &+= 1 }
        return index
    }

    /// Case-insensitive comparison with a lower-case name.
    @inline(__always)
    func matches(_ name: StaticString, from start: Int, to end: Int) -> Bool {
        guard end &- start == name.utf8CodeUnitCount, start >= 0, end <= count else { return false }
        return name.withUTF8Buffer { wanted in
            for offset in 0..<wanted.count where ByteClass.lowered(self[start &+ offset]) != wanted[offset] {
                return false
            }
            return true
        }
    }

    /// Exact comparison.
    @inline(__always)
    func equals(_ text: StaticString, from start: Int, to end: Int) -> Bool {
        guard end &- start == text.utf8CodeUnitCount, start >= 0, end <= count else { return false }
        return text.withUTF8Buffer { wanted in
            for offset in 0..<wanted.count where self[start &+ offset] != wanted[offset] { return false }
            return true
        }
    }
}
