// JSON that describes a tool call, in the shapes that models use. Pure.

import JSON

enum TextCallJSON {
    /// The calls that `json` describes; nil if it describes anything else.
    /// - Parameter isSure: a mark said that this is a call; without one its arguments must be there.
    static func calls(_ json: [UInt8], _ tools: TextCallTools, isSure: Bool) -> [TextCall]? {
        guard let root = (try? JSONDocument(parsing: json))?.root else { return nil }
        return calls(root, tools, isSure, depth: 0)
    }

    private static func calls(
        _ node: JSONNode, _ tools: TextCallTools, _ isSure: Bool, depth: Int
    ) -> [TextCall]? {
        guard depth < 4 else { return nil }
        if node.isArray || node["tool_calls"]?.isArray == true {
            var calls: [TextCall] = []
            for element in (node["tool_calls"] ?? node).elements {
                guard let found = Self.calls(element, tools, isSure, depth: depth + 1) else { return nil }
                calls += found
            }
            return calls
        }
        return call(node, tools, isSure).map { [$0] }
    }

    private static func call(_ node: JSONNode, _ tools: TextCallTools, _ isSure: Bool) -> TextCall? {
        guard node.isObject else { return nil }
        let function = node["function"]
        let inner = function?.isObject == true ? function : nil
        let names = [
            inner?["name"], node["name"], function, node["tool"], node["tool_name"], node["function_name"],
        ]
        guard let name = names.compactMap({ $0?.string }).first,
            let declared = tools.declared(Array(name.utf8)[...])
        else { return nil }
        guard let given = inner.flatMap(argumentsNode) ?? argumentsNode(node) else {
            return isSure ? TextCall(name: declared, arguments: Array("{}".utf8)) : nil
        }
        var text: [UInt8] = []
        if given.isObject, !given.hasLoneSurrogate {
            text.append(raw: given)
            return TextCall(name: declared, arguments: text)
        }
        if given.isString { given.appendDecoded(to: &text) } else { text.append(raw: given) }
        return arguments(text).map { TextCall(name: declared, arguments: $0) }
    }

    private static func argumentsNode(_ node: JSONNode) -> JSONNode? {
        node["arguments"] ?? node["parameters"] ?? node["args"] ?? node["input"] ?? node["tool_input"]
    }

    /// One JSON object, after mending if need be.
    static func arguments(_ text: [UInt8]) -> [UInt8]? {
        if ArgumentValue.trimmed(text[...]).isEmpty { return Array("{}".utf8) }
        return ToolArguments.exact(text) ?? LenientJSON.object(in: text[...], mayClose: false)?.bytes
    }

    // MARK: beginnings

    /// Whether JSON that begins so can describe a call to one of the tools.
    /// - Parameter isSure: a mark announced a call. Without one, answers that are JSON are more likely, and
    ///   wait only if their first member is a call's.
    static func verdict(_ text: ArraySlice<UInt8>, _ tools: TextCallTools, isSure: Bool)
        -> TextCallOpening.Verdict
    {
        var rest = text.drop { Ascii.isSpace($0) || $0 == UInt8(ascii: "[") }
        guard let brace = rest.first else { return .open }
        guard brace == UInt8(ascii: "{") else { return .other }
        rest = rest.dropFirst().drop(while: Ascii.isSpace)
        guard let quote = rest.first else { return .open }
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { return .other }
        guard let end = rest.dropFirst().firstIndex(of: quote) else { return .open }
        let key = String(decoding: rest[rest.startIndex + 1..<end], as: UTF8.self)
        rest = rest[(end + 1)...].drop { Ascii.isSpace($0) || $0 == UInt8(ascii: ":") }
        guard let first = rest.first else { return isKey(key) ? .open : .other }
        switch key {
        case "arguments", "parameters", "id": return isSure ? .call : .other
        case "tool_calls": return .call
        case "function" where first == UInt8(ascii: "{"): return .call
        case _ where isKey(key):
            guard first == quote else { return .other }
            guard let end = rest.dropFirst().firstIndex(of: quote) else { return .open }
            let value = rest[rest.startIndex + 1..<end]
            if key == "type" { return value.elementsEqual("function".utf8) ? .call : .other }
            return tools.declared(value) != nil ? .call : .other
        default: return .other
        }
    }

    private static func isKey(_ key: String) -> Bool {
        [
            "name", "function", "tool", "tool_name", "function_name", "type", "id", "arguments", "parameters",
            "tool_calls",
        ].contains(key)
    }
}
