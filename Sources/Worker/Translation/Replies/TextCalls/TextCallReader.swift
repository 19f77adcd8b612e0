// Reads the bodies of tool calls that stand in the text, whatever family of model wrote them. Pure. Holds:
// every call has a declared name and arguments that are one JSON object; a body is read whole or not at all;
// brackets are added at the end only where the answer was not cut.

import JSON

struct TextCallReader {
    /// Calls in one body.
    private static let callLimit = 128

    let text: ArraySlice<UInt8>
    /// The end of what was read.
    var at: Int
    let tools: TextCallTools
    /// The answer ends here, and was not cut.
    private let mayClose: Bool
    /// Arguments stand in tags.
    private var hasTags = false
    /// Ends what stands around the calls.
    private(set) var outerCloser: [UInt8]?

    init(_ text: ArraySlice<UInt8>, _ tools: TextCallTools, mayClose: Bool) {
        self.text = text
        self.tools = tools
        self.mayClose = mayClose
        at = text.startIndex
    }

    /// The calls of a body; nil if it is none. `closer` ends the body, and may be missing where the answer
    /// ends. Afterwards `at` is behind all that was read.
    mutating func calls(_ marker: TextCallMarker, isEnd: Bool) -> [TextCall]? {
        switch marker.body {
        case .tagged, .invokes: outerCloser = marker.closer
        default: break
        }
        guard let calls = body(marker.body), !calls.isEmpty, calls.count <= Self.callLimit else { return nil }
        skipSpace()
        switch marker.body {
        case .function, .invoke, .bare, .fenced: break
        default:
            guard let closer = marker.closer else { break }
            // Behind a value in tags only the closer says that it was whole.
            guard take(Array(closer.drop(while: Ascii.isSpace))) || (hasTags ? mayClose : isEnd) else {
                return nil
            }
        }
        return calls
    }

    private mutating func body(_ body: TextCallMarker.Body) -> [TextCall]? {
        switch body {
        case .tagged: tagged()
        case .function: function().map { [$0] }
        case .invokes(let prefix): invokes(prefix)
        case .invoke(let prefix): invoke(prefix).map { [$0] }
        case .mistral: mistral()
        case .json: json()
        case .kimi: kimi()
        case .kimiCall: kimiCall().map { [$0] }
        case .deepSeek: deepSeek()
        case .deepSeekCall: deepSeekCall().map { [$0] }
        case .gemma(let quote): gemma(quote).map { [$0] }
        case .bare: whole()
        case .fenced: fenced()
        case .harmony: harmony()
        case .crumb: nil
        }
    }

    // MARK: families

    private mutating func tagged() -> [TextCall]? {
        skipSpace()
        if peek("{") || peek("[") { return described() }
        if take("<function=") { return function().map { [$0] } }
        guard let name = word(until: "<\n \r\t"), let declared = tools.declared(name) else { return nil }
        hasTags = true
        var arguments = TextCallArguments(schema: tools.schema(of: declared))
        skipSpace()
        while take("<arg_key>") {
            guard let key = upTo("</arg_key>") else { return nil }
            skipSpace()
            guard take("<arg_value>"), let value = value(.glm) else { return nil }
            arguments.add(ArgumentValue.trimmed(key), value)
            skipSpace()
        }
        return arguments.bytes.map { [TextCall(name: declared, arguments: $0)] }
    }

    /// Behind `<function=`.
    private mutating func function() -> TextCall? {
        guard let name = word(until: ">{\n"), let declared = tools.declared(Self.unquoted(name)) else {
            return nil
        }
        _ = take(">")
        skipSpace()
        if peek("{") {
            guard let object = object(), let arguments = TextCallJSON.arguments(object) else { return nil }
            skipSpace()
            guard take("</function>") || mayClose else { return nil }
            return TextCall(name: declared, arguments: arguments)
        }
        hasTags = true
        var arguments = TextCallArguments(schema: tools.schema(of: declared))
        while take("<parameter=") {
            guard let key = upTo(">"), let value = value(.function) else { return nil }
            arguments.add(Self.unquoted(key), Self.withoutOuterLines(value))
            skipSpace()
        }
        guard take("</function>") || isAtOuterCloser || mayClose && at == text.endIndex else {
            return nil
        }
        return arguments.bytes.map { TextCall(name: declared, arguments: $0) }
    }

    private mutating func invokes(_ prefix: String) -> [TextCall]? {
        var calls: [TextCall] = []
        skipSpace()
        while take("<\(prefix)invoke name=\"") {
            guard let call = invoke(prefix) else { return nil }
            calls.append(call)
            skipSpace()
        }
        return calls
    }

    /// Behind `<invoke name="`.
    private mutating func invoke(_ prefix: String) -> TextCall? {
        guard let name = upTo("\""), let declared = tools.declared(name), upTo(">") != nil else { return nil }
        skipSpace()
        if peek("{") {
            guard let object = object(), let arguments = TextCallJSON.arguments(object) else { return nil }
            skipSpace()
            guard take("</\(prefix)invoke>") || mayClose && at == text.endIndex else { return nil }
            return TextCall(name: declared, arguments: arguments)
        }
        hasTags = true
        let tags = TextCallTags(invokes: prefix)
        var arguments = TextCallArguments(schema: tools.schema(of: declared))
        while take("<\(prefix)parameter name=\"") {
            guard let key = upTo("\""), let attributes = upTo(">"), let value = value(tags) else {
                return nil
            }
            let isText = String(decoding: attributes, as: UTF8.self).contains("string=\"true\"")
            arguments.add(key, Self.withoutOuterLines(value), isText: isText)
            skipSpace()
        }
        guard take("</\(prefix)invoke>") || mayClose && at == text.endIndex else { return nil }
        return arguments.bytes.map { TextCall(name: declared, arguments: $0) }
    }

    private mutating func mistral() -> [TextCall]? {
        skipSpace()
        if peek("[") || peek("{") { return described() }
        var calls: [TextCall] = []
        repeat {
            skipSpace()
            guard let name = word(until: "[{"), let declared = tools.declared(name) else { return nil }
            if take("[CALL_ID]"), word(until: "[{") == nil { return nil }
            _ = take("[ARGS]")
            guard let object = object(), let arguments = TextCallJSON.arguments(object) else { return nil }
            calls.append(TextCall(name: declared, arguments: arguments))
            skipSpace()
        } while take("[TOOL_CALLS]")
        return calls
    }

    private mutating func json() -> [TextCall]? {
        skipSpace()
        let start = at
        if peek("{") || peek("["), let calls = described() { return calls }
        at = start
        return python()
    }

    private mutating func kimi() -> [TextCall]? {
        var calls: [TextCall] = []
        skipSpace()
        while take("<|tool_call_begin|>") {
            guard let call = kimiCall() else { return nil }
            calls.append(call)
            guard take("<|tool_call_end|>") || mayClose else { return nil }
            skipSpace()
        }
        return calls
    }

    private mutating func kimiCall() -> TextCall? {
        guard let name = upTo("<|tool_call_argument_begin|>"), let declared = tools.declared(name),
            let object = object(), let arguments = TextCallJSON.arguments(object)
        else { return nil }
        skipSpace()
        return TextCall(name: declared, arguments: arguments)
    }

    private mutating func deepSeek() -> [TextCall]? {
        var calls: [TextCall] = []
        skipSpace()
        while take("<｜tool▁call▁begin｜>") {
            guard let call = deepSeekCall() else { return nil }
            calls.append(call)
            guard take("<｜tool▁call▁end｜>") || mayClose else { return nil }
            skipSpace()
        }
        return calls
    }

    private mutating func deepSeekCall() -> TextCall? {
        guard var name = upTo("<｜tool▁sep｜>") else { return nil }
        if name.elementsEqual("function".utf8) {
            guard let line = upTo("\n") else { return nil }
            name = line
        }
        skipSpace()
        let isFenced = take("```json")
        guard let declared = tools.declared(name), let object = object(),
            let arguments = TextCallJSON.arguments(object)
        else { return nil }
        skipSpace()
        if isFenced, !take("```"), !mayClose { return nil }
        skipSpace()
        return TextCall(name: declared, arguments: arguments)
    }

    private mutating func harmony() -> [TextCall]? {
        guard let header = upTo("<|message|>"), let name = TextCallOpening.recipient(header),
            let declared = tools.declared(name), let object = object(),
            let arguments = TextCallJSON.arguments(object)
        else { return nil }
        return [TextCall(name: declared, arguments: arguments)]
    }

    /// The whole rest is JSON, and says that it is about calls; or it is a list of calls.
    private mutating func whole() -> [TextCall]? {
        let start = at
        var found = described(isSure: false)
        if found == nil, text[start...].first == UInt8(ascii: "[") {
            at = start
            found = python()
        }
        guard let calls = found else { return nil }
        skipSpace()
        for crumb in TextCallMarker.crumbs where take(crumb.opener) { break }
        skipSpace()
        return at == text.endIndex ? calls : nil
    }

    private mutating func fenced() -> [TextCall]? {
        guard let calls = described(isSure: false) else { return nil }
        skipSpace()
        guard take("```") || take("~~~") || mayClose && at == text.endIndex else { return nil }
        skipSpace()
        return at == text.endIndex ? calls : nil
    }

    /// JSON values that describe calls, with `;` or `,` or nothing between them.
    private mutating func described(isSure: Bool = true) -> [TextCall]? {
        var calls: [TextCall] = []
        skipSpace()
        while peek("{") || peek("[") {
            guard let value = value(), let found = TextCallJSON.calls(value, tools, isSure: isSure) else {
                return nil
            }
            calls += found
            skipSpace()
            if !take(";") { _ = take(",") }
            skipSpace()
        }
        return calls
    }

    // MARK: text

    mutating func skipSpace() {
        while at < text.endIndex, Ascii.isSpace(text[at]) { at += 1 }
    }

    func peek(_ literal: String) -> Bool { ByteSearch.starts(text, at, with: literal.utf8) }

    mutating func take(_ literal: String) -> Bool {
        guard peek(literal) else { return false }
        at += literal.utf8.count
        return true
    }

    private mutating func take(_ literal: [UInt8]) -> Bool {
        guard ByteSearch.starts(text, at, with: literal) else { return false }
        at += literal.count
        return true
    }

    /// What stands before one of these characters, or before the end.
    mutating func word(until stops: String) -> ArraySlice<UInt8>? {
        let end = text[at...].firstIndex { byte in stops.utf8.contains(byte) } ?? text.endIndex
        guard end > at else { return nil }
        defer { at = end }
        return text[at..<end]
    }

    /// What stands before `literal`, which is taken too.
    mutating func upTo(_ literal: String) -> ArraySlice<UInt8>? {
        let literal = Array(literal.utf8)
        guard let found = ByteSearch.first(literal, in: text, from: at) else { return nil }
        defer { at = found + literal.count }
        return text[at..<found]
    }

    private mutating func object() -> [UInt8]? {
        skipSpace()
        return peek("{") ? value() : nil
    }

    mutating func value() -> [UInt8]? {
        skipSpace()
        if let end = strictEnd() {
            let found = Array(text[at..<end])
            if (try? JSONDocument(parsing: found)) != nil {
                at = end
                return found
            }
        }
        guard let found = LenientJSON.value(in: text[at...], mayClose: mayClose) else { return nil }
        at = found.end
        return found.bytes
    }

    /// Where the object or array here ends if it is JSON as it should be, told by brackets and quotes; nil at
    /// the first byte that such JSON cannot have.
    private func strictEnd() -> Int? {
        let offset = at
        return text[at...].withUnsafeBytes { text -> Int? in
            var depth = 0
            var at = 0
            while at < text.count {
                let byte = text[at]
                at &+= 1
                switch byte {
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth &+= 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    depth &-= 1
                    if depth <= 0 { return depth == 0 ? at &+ offset : nil }
                case UInt8(ascii: "\""):
                    while at < text.count, text[at] != UInt8(ascii: "\"") {
                        if text[at] < 0x20 { return nil }
                        at &+= text[at] == UInt8(ascii: "\\") ? 2 : 1
                    }
                    at &+= 1
                case UInt8(ascii: "'"), UInt8(ascii: "/"), UInt8(ascii: "<"), UInt8(ascii: "("), 0x80...:
                    return nil
                default: if depth == 0 { return nil }
                }
            }
            return nil
        }
    }

    static func unquoted(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let name = ArgumentValue.trimmed(name)
        guard name.count > 1, let first = name.first, first == name.last,
            first == UInt8(ascii: "\"") || first == UInt8(ascii: "'")
        else { return name }
        return name.dropFirst().dropLast()
    }
}
