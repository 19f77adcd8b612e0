// `response_format`: what the answer must look like.

import JSON

enum ChatFormat {
    case text
    /// Some object, whatever is in it.
    case object
    case schema(JSONNode)

    init(_ fields: inout ChatFields) throws(Failure) {
        guard let node = try fields.object("response_format") else {
            self = .text
            return
        }
        var inner = try ChatFields(node, "response_format")
        let type = try inner.requiredString("type").string ?? ""
        switch type {
        case "text": self = .text
        case "json_object": self = .object
        case "json_schema":
            guard let format = try inner.object("json_schema") else {
                throw .chatMissing("response_format.json_schema")
            }
            var members = try ChatFields(format, "response_format.json_schema")
            // Without a schema this is the plain form.
            self = try members.object("schema").map(ChatFormat.schema) ?? .object
        default:
            throw .chatValue(
                "response_format.type", type, supported: "'json_object', 'json_schema', and 'text'")
        }
    }

    private static let anyObject = JSONNode(object: #"{"type":"object"}"#)

    /// A JSON Schema that the answer has to follow.
    var schema: JSONNode? {
        switch self {
        case .text: nil
        case .object: Self.anyObject
        case .schema(let node): node
        }
    }

    var isAnyObject: Bool { if case .object = self { true } else { false } }
}

extension JSONNode {
    /// One of our own texts.
    init?(object text: StaticString) {
        guard let document = try? JSONDocument(parsing: text.withUTF8Buffer(Array.init)) else { return nil }
        self = document.root
    }
}
