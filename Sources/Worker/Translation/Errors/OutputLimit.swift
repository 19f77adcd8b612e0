// Recognises, in any backend's words, that more tokens were asked for than its model gives in one answer, and
// how many it does give. Pure. Holds: a number counts only where the words make it an upper bound of the
// answer, and only if it is smaller than what was asked for.

enum OutputLimit {
    /// Below this a number is an example, a version or a lower bound.
    private static let least = 16

    /// - Parameters:
    ///   - text: the backend's words.
    ///   - asked: tokens that were asked for.
    static func tokens(_ text: String, status: Int, asked: Int) -> Int? {
        guard asked > least, FeatureRefusal.statuses.contains(status), ContextOverflow(text: text) == nil
        else {
            return nil
        }
        // OpenAI names the field in one sentence and the number in the next.
        var before = ""
        for sentence in FeatureRefusal.sentences(text) {
            defer { before = sentence }
            guard isAboutAnswers(sentence) || isAboutAnswers(before) && !isOther(sentence),
                let limit = bound(in: sentence)
            else { continue }
            return limit >= least && limit < asked ? limit : nil
        }
        return nil
    }

    private static let subjects = [
        "max_tokens", "max_completion_tokens", "max_output_tokens", "maxoutputtokens", "maxtokens",
        "max_new_tokens", "max tokens", "maximum tokens", "completion tokens", "output tokens",
        "output token",
        "maximum output", "max output",
    ]
    /// With one of these the number is another matter: a limit of answers in one piece, a lower bound, an
    /// account's budget, the window.
    private static let others = [
        "stream", "at least", "greater than or equal", "budget_tokens", "per minute", "per day", "rate limit",
        "credits", "can only afford", "context length", "context window", "prompt",
    ]

    private static func isAboutAnswers(_ sentence: String) -> Bool {
        subjects.contains { sentence.contains($0) } && !isOther(sentence)
    }

    private static func isOther(_ sentence: String) -> Bool { others.contains { sentence.contains($0) } }

    /// What stands before an upper bound, the plainest wording first; true = the number itself is too many.
    private static let bounds: [(words: String, isExclusive: Bool)] = [
        ("supports at most ", false), ("at most ", false), ("expected a value <= ", false),
        ("less than or equal to ", false), ("smaller than or equal to ", false), ("no more than ", false),
        ("not exceed ", false), ("cannot exceed ", false), ("not be greater than ", false),
        ("not be larger than ", false), ("model limit of ", false), ("greater than the maximum of ", false),
        ("larger than the maximum of ", false), ("exceeds the maximum of ", false),
        ("exceeds the limit of ", false), ("exceeds maximum of ", false), ("maximum value of ", false),
        ("maximum value is ", false), ("maximum allowed value is ", false), ("maximum allowed is ", false),
        ("maximum of ", false), ("limit of ", false), ("limit is ", false), ("maximum is ", false),
        ("maximum: ", false), ("up to ", false), ("<= ", false), ("<=", false), ("must be < ", true),
        ("must be less than ", true), ("should be less than ", true), ("must be lower than ", true),
        ("lower than ", true), ("less than ", true),
    ]

    private static func bound(in sentence: String) -> Int? {
        let bytes = Array(sentence.utf8)
        if let range = upperEnd(bytes) { return range }
        // Anthropic: "max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens for …".
        if let at = bytes.firstIndex(of: UInt8(ascii: ">")), sentence.contains("maximum") {
            if let limit = number(bytes, at: at + 1)?.value { return limit }
        }
        for (words, isExclusive) in bounds {
            guard let end = end(of: Array(words.utf8), in: bytes), let found = number(bytes, at: end) else {
                continue
            }
            return isExclusive ? found.value - 1 : found.value
        }
        return nil
    }

    /// The upper end of a range: `[1, 8192]`, `(0, 8192)`, `1 to 8192`, `from 1 (inclusive) to 65537
    /// (exclusive)`.
    private static func upperEnd(_ bytes: [UInt8]) -> Int? {
        for start in bytes.indices {
            if bytes[start] == UInt8(ascii: "[") || bytes[start] == UInt8(ascii: "(") {
                guard let low = number(bytes, at: start + 1), low.end < bytes.count,
                    bytes[low.end] == UInt8(ascii: ",") || bytes[low.end] == UInt8(ascii: "-"),
                    let high = number(bytes, at: low.end + 1), high.end < bytes.count
                else { continue }
                if bytes[high.end] == UInt8(ascii: "]") { return high.value }
                if bytes[high.end] == UInt8(ascii: ")") { return high.value - 1 }
            }
            for words in [" to ", " and "] where bytes[start...].starts(with: words.utf8) {
                guard isRange(bytes[..<start]), let high = number(bytes, at: start + words.utf8.count) else {
                    continue
                }
                let rest = String(decoding: bytes[high.end...].prefix(12), as: UTF8.self)
                return rest == " (exclusive)" ? high.value - 1 : high.value
            }
        }
        return nil
    }

    /// Whether a range begins in these words: "from 1", "between 1", "range is 1".
    private static func isRange(_ bytes: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: bytes.suffix(24), as: UTF8.self)
        return ["from ", "between ", "range "].contains { text.contains($0) }
    }

    private static func end(of words: [UInt8], in bytes: [UInt8]) -> Int? {
        guard let first = words.first, bytes.count >= words.count else { return nil }
        for at in 0...(bytes.count - words.count)
        where bytes[at] == first && bytes[at...].starts(with: words) {
            return at + words.count
        }
        return nil
    }

    /// The number at a place, behind blanks and quotes; with thousands' commas, if they are some.
    private static func number(_ bytes: [UInt8], at start: Int) -> (value: Int, end: Int)? {
        var at = start
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == UInt8(ascii: "'") { at += 1 }
        var value = 0
        var digits = 0
        while at < bytes.count {
            if isDigit(bytes, at) {
                digits += 1
                guard digits <= 12 else { return nil }
                value = value * 10 + Int(bytes[at] - 0x30)
                at += 1
            } else if digits > 0, bytes[at] == UInt8(ascii: ","), isThousands(bytes, at + 1) {
                at += 1
            } else {
                break
            }
        }
        return digits > 0 ? (value, at) : nil
    }

    private static func isThousands(_ bytes: [UInt8], _ at: Int) -> Bool {
        (at..<at + 3).allSatisfy { isDigit(bytes, $0) } && !isDigit(bytes, at + 3)
    }

    private static func isDigit(_ bytes: [UInt8], _ at: Int) -> Bool {
        bytes.indices.contains(at) && bytes[at] &- 0x30 < 10
    }
}
