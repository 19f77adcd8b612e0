// Tool calls in the making. Arguments are held until their call is complete: clients act only when a block
// stops, and a complete call can be put right and can never be half of a parallel one. Holds: calls leave in
// the order in which they appeared, each once; a call cut off by the token limit never leaves.

import JSON

struct ToolCallBuffer: Sendable {
    /// Calls in one reply.
    static let callLimit = 512
    /// Bytes of arguments, escaped, of all calls of a reply.
    static let argumentsLimit = 32 << 20

    struct Call: Sendable {
        let number: Int
        var id: String?
        var names: [String] = []
        /// Escaped as they came.
        var arguments: [UInt8] = []
        /// Where the last piece of the arguments begins.
        fileprivate var lastPiece = 0
        /// Each piece begins with all of the one before it, so far.
        fileprivate var isRestated = true
        fileprivate var shape = ArgumentsShape()
        /// Bytes of the arguments whose shape is known.
        fileprivate var shaped = 0
        /// The brackets are closed around what is no object.
        fileprivate var isOdd = false

        init(_ number: Int) { self.number = number }

        /// All of the arguments, where each piece said everything again.
        var restated: [UInt8] {
            isRestated && lastPiece > 0 ? JSONText(escaped: arguments[lastPiece...]).plain : []
        }
    }

    enum Overflow: Error { case overflow }

    private var calls: [Call] = []
    private var leaving = 0
    private var bytes = 0

    /// Calls that have not left.
    var waiting: ArraySlice<Call> { calls[leaving...] }
    var isEmpty: Bool { leaving == calls.count }

    mutating func describe(_ number: Int, id: String?, name: String?) throws(Overflow) {
        guard let at = try place(of: number) else { return }
        if calls[at].id == nil, let id, !id.isEmpty { calls[at].id = id }
        guard let name, !name.isEmpty, calls[at].names.count < 64 else { return }
        // Servers that say the name in every delta say it whole.
        if calls[at].names.first != name { calls[at].names.append(name) }
    }

    mutating func append(_ number: Int, _ text: JSONText) throws(Overflow) {
        guard let at = try place(of: number), !text.isEmpty else { return }
        guard text.bytes.count <= Self.argumentsLimit - bytes else { throw .overflow }
        bytes += text.bytes.count
        if calls[at].isRestated {
            let before = calls[at].arguments[calls[at].lastPiece...]
            calls[at].isRestated = text.bytes.count > before.count && text.bytes.starts(with: before)
        }
        calls[at].lastPiece = calls[at].arguments.count
        calls[at].arguments.append(contentsOf: text.bytes)
    }

    /// Takes the oldest waiting call.
    mutating func next() -> Call? {
        guard leaving < calls.count else { return nil }
        defer {
            bytes -= calls[leaving].arguments.count
            calls[leaving].arguments = []
            leaving += 1
        }
        return calls[leaving]
    }

    /// Whether the oldest waiting call has a name and arguments that are one whole object. `{}` alone does
    /// not count: some servers open with it. Asked with every piece, so each byte is looked at once, and
    /// arguments are parsed once, when their brackets have closed.
    mutating func isNextComplete() -> Bool {
        guard !isEmpty, !calls[leaving].names.isEmpty, !calls[leaving].isOdd else { return false }
        let known = calls[leaving].shaped
        calls[leaving].shape.read(calls[leaving].arguments[known...])
        calls[leaving].shaped = calls[leaving].arguments.count
        guard calls[leaving].shape.isWhole, !calls[leaving].shape.isEmptyObject else { return false }
        if ToolArguments.exact(JSONText(escaped: calls[leaving].arguments[...]).plain) != nil { return true }
        calls[leaving].isOdd = true
        return false
    }

    /// Index of the call, made if it is new; nil if it has left already.
    private mutating func place(of number: Int) throws(Overflow) -> Int? {
        if let found = calls.lastIndex(where: { $0.number == number }) {
            return found < leaving ? nil : found
        }
        guard calls.count < Self.callLimit else { throw .overflow }
        calls.append(Call(number))
        return calls.count - 1
    }
}
