// What must survive a trip through the client although the client's API has no place for it: tool ids
// of backends with other alphabets, and reasoning whose text is not shown. The reply's side encodes,
// the request's side decodes on the next turn; nothing is stored in between.

/// Tool call ids, both ways. Clients accept `^[a-zA-Z0-9_-]+$`; backends send `functions.Read:0`, or
/// `0` again in every turn, and some want exactly that back.
public enum ToolIdentifier {
    private static let mark = "toolu_enc_"

    /// The id that the client sees. `salt` (letters and digits, different for each answer) keeps ids
    /// that backends use again apart; an id of the client's alphabet and of a length that speaks for its
    /// being unique passes unchanged, unless it is taken.
    public static func forClient(_ upstream: String, salt: String, isTaken: Bool = false) -> String {
        let isPlain = upstream.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        if !isTaken, isPlain, (8...128).contains(upstream.utf8.count), !upstream.hasPrefix(mark) {
            return upstream
        }
        let clean = String(salt.unicodeScalars.filter { $0.isASCII && $0 != "_" && $0 != "-" })
        return mark + clean + "_" + Base64URL.encode(Array(upstream.utf8))
    }

    /// The id as the backend gave it.
    public static func forUpstream(_ client: String) -> String {
        guard client.hasPrefix(mark) else { return client }
        let rest = client.utf8.dropFirst(mark.utf8.count)
        guard let separator = rest.firstIndex(of: UInt8(ascii: "_")),
            let bytes = Base64URL.decode(rest[rest.index(after: separator)...])
        else { return client }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The `signature` of thinking blocks. Clients send it back unread, so that it can hold the reasoning
/// itself when its text was not shown.
public enum ReasoningCarrier {
    private static let mark = "drgm1."

    /// A signature; `hidden` is reasoning that must come back but that the client does not get to see.
    public static func signature(hidden: [UInt8] = []) -> String { mark + Base64URL.encode(hidden) }

    /// The hidden reasoning; nil for signatures of others and for those without.
    public static func hidden(in signature: String) -> [UInt8]? {
        guard signature.hasPrefix(mark),
            let bytes = Base64URL.decode(signature.utf8.dropFirst(mark.utf8.count)), !bytes.isEmpty,
            // It came through a client: what is no text any more would spoil the whole request.
            String(validating: bytes, as: UTF8.self) != nil
        else { return nil }
        return bytes
    }
}

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
