// The id under which the client sees a tool call. Clients accept letters, digits, `_` and `-` only, and
// expect an id once in a conversation; what does not fit travels inside an id that does (`ToolIdentifier`).

/// The ids of one answer's calls.
struct ToolCallIDs: Sendable {
    let messageID: String
    /// Of ids for calls that came without one.
    let prefix: String
    let known: Set<String>
    private var shown: Set<String> = []

    init(messageID: String, prefix: String, known: Set<String>) {
        self.messageID = messageID
        self.prefix = prefix
        self.known = known
    }

    /// The id that the client sees for the `number`th call, and whether the backend's stood before.
    mutating func next(_ id: String?, number: Int) -> (id: String, isRepeated: Bool) {
        var isRepeated = false
        if let id, !id.isEmpty {
            let shown = ToolCallID.client(for: id, messageID: messageID, known: known)
            if self.shown.insert(shown).inserted { return (shown, false) }
            isRepeated = true
        }
        let made = ToolCallID.generated(prefix, messageID: messageID, number: number)
        shown.insert(made)
        return (made, isRepeated)
    }
}

enum ToolCallID {
    private static let lengthLimit = 128

    /// The id that the client sees for the backend's. Servers that count their calls say `call_0` again with
    /// every turn; a client that knows one of `known` already takes the later for the earlier.
    static func client(for id: String, messageID: String, known: Set<String> = []) -> String {
        let isTaken = known.contains(id)
        guard isTaken || !isFitting(id) else { return id }
        return ToolIdentifier.forClient(id, salt: letters(messageID, 0, count: 6), isTaken: isTaken)
    }

    /// An id for the `number`th call that came without one, the same whenever the message is the same.
    static func generated(_ prefix: String = "toolu_", messageID: String, number: Int) -> String {
        prefix + letters(messageID, number &+ 1, count: 24)
    }

    /// Numbers alone are no ids: servers that count calls begin anew with each turn.
    private static func isFitting(_ id: String) -> Bool {
        guard !id.isEmpty, id.utf8.count <= lengthLimit, ToolIdentifier.forUpstream(id) == id else {
            return false
        }
        var isNumber = true
        for byte in id.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): break
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "_"), UInt8(ascii: "-"):
                isNumber = false
            default: return false
            }
        }
        return !isNumber
    }

    /// Letters and digits drawn from a hash (FNV-1a, stirred by the finaliser of splitmix64).
    private static func letters(_ text: String, _ number: Int, count: Int) -> String {
        let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
        state ^= UInt64(truncatingIfNeeded: number) &* 0x9E37_79B9_7F4A_7C15
        var out: [UInt8] = []
        for _ in 0..<count {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
            out.append(alphabet[Int((mixed ^ mixed >> 31) % UInt64(alphabet.count))])
        }
        return String(decoding: out, as: UTF8.self)
    }
}
