// `response_format`: what the answer must look like.

import JSON

enum ChatFormat {
    case text
    /// Some object, whatever is in it.
    case object
    case schema(JSONNode)

    init(_ fields: inout ChatFields) throws(ClientError) {
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

    /// For `output_config.format`. The API itself takes no schema that leaves open what is in an object.
    func schema(isStrict: Bool) -> [UInt8]? {
        switch self {
        case .text: return nil
        case .object: return isStrict ? nil : Array(#"{"type":"object"}"#.utf8)
        case .schema(let node):
            var bytes: [UInt8] = []
            bytes.append(raw: node)
            return bytes
        }
    }

    /// What the prompt says instead.
    func words(isStrict: Bool, isSchemaTaken: Bool) -> String? {
        let words = "Answer with one JSON object and nothing else."
        switch self {
        case .text: return nil
        case .object: return isStrict ? words : nil
        case .schema(let node):
            guard !isSchemaTaken else { return nil }
            return "\(words) It must follow this JSON Schema:\n" + String(decoding: node.raw, as: UTF8.self)
        }
    }
}
