// Which call a piece of `tool_calls` belongs to. Servers leave out indexes and ids, begin at 1, use one index for
// all calls, repeat names, change ids: all of that ends here, and calls have plain numbers 0, 1, 2 … from here on.

import JSON

struct OpenAIToolCalls: Sendable {
    /// One element of `tool_calls`, or a legacy `function_call`.
    private struct Piece {
        var index: Int?
        var id: String?
        var name: String?
        var arguments: JSONText?
        var hasArguments: Bool { !(arguments?.isEmpty ?? true) }
        /// The arguments are one whole object by themselves.
        var isWhole: Bool { arguments.map { ArgumentsShape($0).isWhole } ?? false }
    }

    private struct Known {
        var index: Int?
        var id: String?
        var name: String?
        var shape = ArgumentsShape()
        /// The arguments came in one piece with the name.
        var cameWhole = false
        var hasArguments: Bool { shape.isBegun }
    }

    private let declared: Set<String>
    private var calls: [Known] = []
    /// Calls that nothing goes on with.
    private var ended = 0

    init(declared: [String]) { self.declared = Set(declared) }

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
        guard piece.id != nil || piece.name != nil || piece.hasArguments || piece.index != nil else { return }
        let number: Int
        if let owner = owner(of: piece, isLast: isLast), owner >= ended {
            number = owner
        } else {
            guard calls.count < ToolCallBuffer.callLimit else { return }
            number = calls.count
            calls.append(Known(index: piece.index))
            calls[number].cameWhole = piece.isWhole
            deltas.append(.toolCall(number, id: piece.id, name: nil))
            calls[number].id = piece.id
        }
        if let id = piece.id, calls[number].id == nil {
            calls[number].id = id
            deltas.append(.toolCall(number, id: id, name: nil))
        }
        if let name = piece.name {
            if calls[number].name == nil { calls[number].name = name }
            deltas.append(.toolCall(number, id: nil, name: name))
        }
        if let arguments = piece.arguments, !arguments.isEmpty {
            calls[number].shape.read(arguments)
            deltas.append(.toolArguments(number, arguments))
        }
    }

    /// The call that the piece goes on with; nil if it begins a new one.
    private mutating func owner(of piece: Piece, isLast: Bool) -> Int? {
        guard let id = piece.id else { return ownerWithoutID(of: piece, isLast: isLast) }
        let same = calls.lastIndex {
            $0.id == id && ($0.index == nil || piece.index == nil || $0.index == piece.index)
        }
        if let same { return same }
        let at = piece.index.map { index in calls.lastIndex { $0.index == index } } ?? calls.indices.last
        guard let at else { return nil }
        if calls[at].id == nil {
            // Its id comes late, unless the call was complete without one.
            let isNew = calls[at].shape.isWhole && piece.name != nil
            return isNew || piece.index == nil && piece.name != nil && calls[at].name != nil ? nil : at
        }
        // An id made up anew for each piece: nothing but arguments goes on with the call before.
        return piece.index != nil && piece.name == nil && piece.hasArguments ? at : nil
    }

    private func ownerWithoutID(of piece: Piece, isLast: Bool) -> Int? {
        let at = piece.index.map { index in calls.lastIndex { $0.index == index } } ?? calls.indices.last
        guard let at else { return nil }
        let known = calls[at]
        guard let name = piece.name, let before = known.name else { return at }
        guard name != before else {
            // The name again: with arguments behind a whole call it may be the whole call again (then it
            // came in pieces first, or ends the stream) or a second call of the same tool.
            guard known.shape.isWhole, piece.hasArguments else { return at }
            return isLast || !known.cameWhole && piece.isWhole ? at : nil
        }
        // Another name: the rest of a name in pieces, or another call.
        guard !known.hasArguments else { return nil }
        return declared.contains(before) ? nil : at
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

/// Follows the brackets of arguments as they come, to know where their object ends.
private struct ArgumentsShape: Sendable {
    private var depth = 0
    private var inString = false
    private var isEscaped = false
    private(set) var isBegun = false
    /// One object, closed, and nothing behind it.
    private(set) var isWhole = false

    init() {}

    init(_ text: JSONText) { read(text) }

    mutating func read(_ text: JSONText) {
        // One level of escapes lies over the JSON text of the arguments.
        var isOuterEscape = false
        for byte in text.bytes {
            if isOuterEscape {
                isOuterEscape = false
                // Line ends and the like are space; a `\u` counts as an ordinary character.
                read(byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") ? byte : 0x20)
            } else if byte == UInt8(ascii: "\\") {
                isOuterEscape = true
            } else {
                read(byte)
            }
        }
    }

    private mutating func read(_ byte: UInt8) {
        if byte != 0x20 { (isBegun, isWhole) = (true, false) }
        if inString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                inString = false
            }
            return
        }
        switch byte {
        case UInt8(ascii: "\""): inString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth &+= 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth = max(0, depth &- 1)
            isWhole = depth == 0 && byte == UInt8(ascii: "}")
        default: break
        }
    }
}
