// Some backends repeat the text that the client put into the model's mouth; the client has it already.

import JSON

struct PrefillEcho: Sendable {
    /// Escaped; what of it was not seen yet is decided by `held`.
    private var expected: [UInt8] = []
    private var held: [UInt8] = []

    init(_ prefill: String?) {
        guard let prefill else { return }
        expected.appendJSONEscaped(Array(prefill.utf8)[...])
    }

    /// Whether it is known if the answer repeats the text.
    var isSettled: Bool { expected.isEmpty }

    mutating func withoutEcho(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard !isSettled else { return text }
        held.append(contentsOf: text)
        if expected.starts(with: held), held.count < expected.count { return [] }
        let repeats = held.starts(with: expected)
        defer { (held, expected) = ([], []) }
        return repeats ? held.dropFirst(expected.count) : held[...]
    }

    /// What was held back when the answer ends or goes on with something else.
    mutating func flush() -> ArraySlice<UInt8> {
        defer { (held, expected) = ([], []) }
        return held[...]
    }
}
