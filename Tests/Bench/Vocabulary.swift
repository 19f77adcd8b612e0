// The tokens the mock speaks and the load generator expects back byte for byte. They hold what translators
// get wrong: escapes, quotes, text of several bytes per letter, lines that look like event-stream syntax.

enum Vocabulary {
    static let words: [String] = [
        "The", " caravan", " crosses", " the", " river", " at", " dawn", ",", " and", " the", " interpreter",
        " says", ": ", "\"peace\"", "\n", "data: not an event\n\n", " path\\to\\file", "\t", " 使者", " が",
        " 言う", " über", " naïve", " café", " 🐪", " 👩‍🚀", " {\"a\":1}", " </tag>", " event: x\n", " 0.10",
        " 12345678901234567890", "\u{1}", " [DONE]", " \u{2028}", " ok", ".",
    ]

    static let raw: [[UInt8]] = words.map { Array($0.utf8) }
    static let quoted: [[UInt8]] = words.map { Array(JSONObject.quoted($0).utf8) }

    static func word(_ index: Int) -> Int { index % words.count }

    /// The plain text of an answer of `tokens` tokens.
    static func text(tokens: Int) -> [UInt8] {
        var out: [UInt8] = []
        for index in 0..<tokens { out += raw[word(index)] }
        return out
    }
}
