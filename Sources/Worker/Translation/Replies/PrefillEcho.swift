// Some backends repeat the text that the client put into the model's mouth; the client has it already.
// Holds: each byte is compared once; a repetition that may be the model's own is never taken away.

import JSON

public struct PrefillEcho: Sendable {
    /// What a backend does with the text that it continues.
    public enum Habit: Sendable {
        case never
        /// Some servers of the kind do, so only what cannot be chance counts.
        case possible
        case always

        init(_ prefill: Prefill) {
            self =
                switch prefill {
                case .unsupported, .continueFinalMessage: .never
                case .passed, .passedWithoutThinking: .possible
                case .prefixFlag: .always
                }
        }
    }

    /// Shorter texts, and those of fewer different bytes (`[`, `ha`, `|---|`), are what an answer may go on
    /// with.
    private static let (shortest, leastVariety) = (8, 8)

    /// Escaped; empty once it is decided.
    private var expected: [UInt8] = []
    /// Bytes of it that have come.
    private var matched = 0

    init(_ prefill: String?, _ habit: Habit = .possible) {
        guard let prefill, habit != .never else { return }
        let isTelling = prefill.utf8.count >= Self.shortest && Set(prefill.utf8).count >= Self.leastVariety
        guard isTelling || habit == .always else { return }
        expected.appendJSONEscaped(Array(prefill.utf8)[...])
    }

    /// Whether it is known if the answer repeats the text.
    var isSettled: Bool { expected.isEmpty }

    mutating func withoutEcho(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard !isSettled else { return text }
        let count = min(text.count, expected.count - matched)
        guard text.prefix(count).elementsEqual(expected[matched..<matched + count]) else {
            return flush() + text
        }
        matched += count
        guard matched == expected.count else { return [] }
        expected = []
        return text.dropFirst(count)
    }

    /// What was held back when the answer ends or goes on with something else.
    mutating func flush() -> ArraySlice<UInt8> {
        defer { (matched, expected) = (0, []) }
        return expected.prefix(matched)
    }
}
