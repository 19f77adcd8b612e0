// Bytes in the alphabet of names and URLs.

/// RFC 4648 section 5, without padding.
enum Base64URL {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count / 3 * 4 + 4)
        var pending = 0
        var bits = 0
        for byte in bytes {
            pending = pending << 8 & 0xFFFF | Int(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                out.append(digits[pending >> bits & 63])
            }
        }
        if bits > 0 { out.append(digits[pending << (6 - bits) & 63]) }
        return String(decoding: out, as: UTF8.self)
    }

    static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        var pending = 0
        var bits = 0
        for byte in text {
            guard let digit = digit(byte) else { return nil }
            pending = pending << 6 & 0xFFFF | digit
            bits += 6
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: pending >> bits))
            }
        }
        return bits < 6 && pending & ((1 << bits) - 1) == 0 ? out : nil
    }

    static func digit(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(byte &- 65)
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(byte &- 71)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte &+ 4)
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
