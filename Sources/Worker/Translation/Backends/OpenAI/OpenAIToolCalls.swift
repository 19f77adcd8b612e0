// Which call a piece of `tool_calls` belongs to. Servers leave out indexes and ids, begin at 1, use one index
// or one id for all calls, repeat names, change ids: all of that ends here, and calls have plain numbers 0,
// 1, 2 … from here on. Holds: no call is merged with another or split. Where the pieces do not tell, they
// stay in one call, whose arguments are then more than one object, and the answer ends in an error.

import JSON

struct OpenAIToolCalls: Sendable {
    /// One element of `tool_calls`, or a legacy `function_call`.
    private struct Piece {
        var index: Int?
        var id: String?
        var name: String?
        var arguments: JSONText?
        var hasArguments: Bool { !(arguments?.isEmpty ?? true) }
        var shape: ArgumentsShape { arguments.map { ArgumentsShape($0) } ?? ArgumentsShape() }
    }

    private struct Known {
        var index: Int?
        var id: String?
        var name: String?
        var shape = ArgumentsShape()
        /// The arguments came in one piece with the name.
        var cameWhole = false
        /// The message that brought the name last.
        var namedIn = 0
        /// The name came again behind whole arguments: what follows may be another call of the same tool.
        var isNamedAgain = false
        var hasArguments: Bool { shape.isBegun }
    }

    private enum Relation {
        /// The piece goes on with the call.
        case part
        /// It begins another one.
        case new
        /// It begins another one, whose name has come before it.
        case newOfSameName
    }

    private let declared: Set<String>
    private var calls: [Known] = []
    /// Calls that nothing goes on with.
    private var ended = 0
    private var message = 0

    init(declared: [String]) { self.declared = Set(declared) }

    /// What comes next is of another message than what came before.
    mutating func beginMessage() { message &+= 1 }

    /// What comes next belongs to a call of its own, whatever its id and index.
    mutating func endCall() { ended = calls.count }

    /// - Parameter isLast: the chunk that brings the piece also brings the finish reason.
    mutating func read(_ element: JSONNode, isLast: Bool, into deltas: inout [Delta]) {
        let function = element["function"] ?? element
        read(
            Piece(
                index: element["index"].flatMap(OpenAIUsage.integer), id: Self.id(element["id"]),
                name: function["name"]?.string.flatMap { $0.isEmpty ? nil : $0 },
                arguments: (function["arguments"] ?? function["parameters"]).flatMap(Self.arguments)),
            isLast: isLast, into: &deltas)
    }

    /// More arguments of a call, by a chunk that says nothing else.
    mutating func goOn(_ number: Int, _ arguments: JSONText) {
        guard calls.indices.contains(number) else { return }
        calls[number].shape.read(arguments)
    }

    private mutating func read(_ piece: Piece, isLast: Bool, into deltas: inout [Delta]) {
        var piece = piece
        guard piece.id != nil || piece.name != nil || piece.hasArguments || piece.index != nil else { return }
        let number: Int
        let at = candidate(for: piece).flatMap { $0 >= ended ? $0 : nil }
        let relation = at.map { self.relation(of: piece, to: calls[$0], isLast) } ?? .new
        if let at, relation == .part {
            number = at
        } else {
            // One more than there may be, for the buffer to refuse.
            guard calls.count <= ToolCallBuffer.callLimit else { return }
            if let at, relation == .newOfSameName {
                piece.name = calls[at].name
                piece.id = piece.id ?? calls[at].id
                piece.index = piece.index ?? calls[at].index
                calls[at].isNamedAgain = false
            }
            number = calls.count
            calls.append(Known(index: piece.index))
            calls[number].cameWhole = piece.shape.isWhole
            deltas.append(.toolCall(number, id: piece.id, name: nil))
            calls[number].id = piece.id
        }
        if let id = piece.id, calls[number].id == nil {
            calls[number].id = id
            deltas.append(.toolCall(number, id: id, name: nil))
        }
        if let name = piece.name {
            if calls[number].name == nil { calls[number].name = name }
            calls[number].namedIn = message
            calls[number].isNamedAgain = calls[number].shape.isWhole && !piece.shape.opensObject
            deltas.append(.toolCall(number, id: nil, name: name))
        }
        if let arguments = piece.arguments, !arguments.isEmpty {
            calls[number].shape.read(arguments)
            deltas.append(.toolArguments(number, arguments))
        }
    }

    /// The call that index and id of the piece point at.
    private func candidate(for piece: Piece) -> Int? {
        if let id = piece.id,
            let same = calls.lastIndex(where: {
                $0.id == id && ($0.index == nil || piece.index == nil || $0.index == piece.index)
            })
        {
            return same
        }
        guard let index = piece.index else { return calls.indices.last }
        return calls.lastIndex { $0.index == index }
    }

    private func relation(of piece: Piece, to known: Known, _ isLast: Bool) -> Relation {
        if let id = piece.id, id != known.id {
            guard known.id == nil else {
                // An id made up anew for each piece: nothing but arguments goes on with the call before.
                return piece.index != nil && piece.name == nil && piece.hasArguments ? .part : .new
            }
            // Its id comes late, unless the call was complete without one.
            if piece.name != nil, known.shape.isWhole || piece.index == nil && known.name != nil {
                return .new
            }
        }
        guard let name = piece.name, let before = known.name else {
            guard known.isNamedAgain, known.shape.isWhole, piece.shape.opensObject else { return .part }
            if known.shape.isEmptyObject, piece.id != nil { return .part }
            return isRepeat(piece, of: known, isLast) ? .part : .newOfSameName
        }
        return name == before ? relation(ofNamesake: piece, to: known, isLast) : relation(of: name, to: known)
    }

    /// Another name: the rest of a name in pieces, or another call.
    private func relation(of name: String, to known: Known) -> Relation {
        guard !known.hasArguments, let before = known.name else { return .new }
        if declared.contains(before + name), !declared.contains(name) { return .part }
        return declared.contains(before) ? .new : .part
    }

    /// The name again: some servers say it with every piece, some say the whole call again at its end, and
    /// some call the same tool again under the same index and id.
    private func relation(ofNamesake piece: Piece, to known: Known, _ isLast: Bool) -> Relation {
        if known.hasArguments, !known.shape.isWhole { return .part }
        // Two elements of one list that both have the name are two calls.
        let isNeighbour = known.namedIn == message
        guard known.hasArguments else {
            guard isNeighbour else { return .part }
            return piece.index != nil && known.index != nil && piece.hasArguments ? .part : .new
        }
        if isNeighbour { return .new }
        // Nothing new, or what trails behind an object.
        guard piece.shape.opensObject else { return .part }
        if known.shape.isEmptyObject, piece.id != nil { return .part }
        return isRepeat(piece, of: known, isLast) ? .part : .new
    }

    /// Whether a whole call comes a second time.
    private func isRepeat(_ piece: Piece, of known: Known, _ isLast: Bool) -> Bool {
        let shape = piece.shape
        guard shape.isWhole, shape.digest == known.shape.digest else { return false }
        return piece.id != nil || isLast || !known.cameWhole
    }

    private static func id(_ node: JSONNode?) -> String? {
        guard let node else { return nil }
        let text = node.kind == .number ? String(decoding: node.raw, as: UTF8.self) : node.string
        guard let text, !text.isEmpty, text != "null", text.utf8.count <= 1024 else { return nil }
        return text
    }

    private static func arguments(_ node: JSONNode) -> JSONText? {
        switch node.kind {
        case .string: JSONText(escaped: node.stringRaw, hasLoneSurrogate: node.hasLoneSurrogate)
        case .null: nil
        default: JSONText(utf8: node.raw)
        }
    }
}
