// Reasoning on its way through the client, where it is not shown: the reply encodes it into the signature,
// the next turn's request decodes it, and nothing is stored in between.

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
