// Tool call ids on their way through the client: the reply encodes, the next turn's request decodes, and
// nothing is stored in between.

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
