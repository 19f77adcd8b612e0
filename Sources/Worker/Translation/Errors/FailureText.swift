// What a backend said about its failure, whatever the shape: OpenAI's envelope, a bare string, FastAPI's
// detail, a list, an HTML page, plain text. Pure.

import JSON

struct FailureText: Sendable, Equatable {
    /// Bytes of a message that are passed on.
    static let lengthLimit = 8 << 10

    var message = ""
    var code = ""
    var type = ""
    /// A status that the body names, 400…599.
    var status: Int?
    var promptTokens: Int?
    var window: Int?
    /// How long to wait, as Google says it: `33.5s`.
    var retryDelay: String?

    /// From an error body.
    init(body: [UInt8]) {
        var isJSON = false
        if let root = (try? JSONDocument(parsing: body))?.root {
            isJSON = true
            if let found = FailureText(json: root) {
                self = found
            } else if let text = root.string {
                message = text
            }
        }
        if !isJSON {
            message = Self.page(String(decoding: body.prefix(64 << 10), as: UTF8.self))
        }
        bound()
    }

    /// From JSON that says something about an error; nil if it does not.
    init?(json root: JSONNode) {
        guard let node = root.isArray ? root.first : root, node.isObject else { return nil }
        if let error = node["error"] {
            guard read(error: error) else { return nil }
            if status == nil { status = Self.status(node["status"] ?? node["status_code"] ?? node["code"]) }
        } else if let detail = node["detail"] {
            read(detail: detail)
        } else if let detail = node["message"]?["detail"] {
            read(detail: detail)
        } else if node["message"]?.isString == true || node["msg"]?.isString == true
            || node["errors"]?.isArray == true
        {
            _ = read(error: node["errors"]?.first ?? node)
        } else {
            return nil
        }
        bound()
    }

    /// False if this means "no error".
    private mutating func read(error: JSONNode) -> Bool {
        switch error.kind {
        case .null: return false
        case .bool: return error.bool == true
        case .number: status = Self.status(error)
        case .string:
            guard let text = error.string, !text.isEmpty else { return false }
            message = text
        case .array:
            guard let first = error.first else { return false }
            return read(error: first)
        case .object:
            guard !error.isEmpty else { return false }
            read(object: error)
        }
        return true
    }

    private mutating func read(object error: JSONNode) {
        for field in [error["message"], error["msg"], error["detail"], error["error"]] {
            guard message.isEmpty, let field, !field.isNull else { continue }
            message = field.string ?? String(decoding: field.raw.prefix(Self.lengthLimit), as: UTF8.self)
        }
        // OpenRouter wraps what the provider said.
        if let raw = error["metadata"]?["raw"]?.string, !raw.isEmpty { message += ": \(raw)" }
        code = error["code"]?.string ?? ""
        type = error["type"]?.string ?? error["status"]?.string ?? ""
        status =
            Self.status(error["code"]) ?? Self.status(error["status"]) ?? Self.status(error["status_code"])
        promptTokens = OpenAIUsage.integer(error["n_prompt_tokens"])
        window = OpenAIUsage.integer(error["n_ctx"])
        retryDelay = error["details"]?.elements.lazy.compactMap { $0["retryDelay"]?.string }.first
    }

    /// FastAPI: a text, or a list of what is wrong where.
    private mutating func read(detail: JSONNode) {
        if let text = detail.string {
            message = text
            return
        }
        if detail.isObject {
            _ = read(error: detail)
            return
        }
        message = detail.elements.prefix(8).map { item in
            let place =
                (item["loc"]?.elements.map { $0.string ?? String(decoding: $0.raw, as: UTF8.self) } ?? [])
            let text = item["msg"]?.string ?? item.string ?? ""
            return place.isEmpty ? text : place.joined(separator: ".") + ": " + text
        }.joined(separator: "; ")
    }

    private static func status(_ node: JSONNode?) -> Int? {
        guard let value = OpenAIUsage.integer(node), (400...599).contains(value) else { return nil }
        return value
    }

    private mutating func bound() {
        if message.utf8.count > Self.lengthLimit {
            message = String(decoding: Array(message.utf8.prefix(Self.lengthLimit)), as: UTF8.self)
        }
    }

    /// A page's title, or the beginning of a text.
    private static func page(_ text: String) -> String {
        let start = text.drop { $0.isWhitespace }
        guard start.first == "<" else { return String(start.prefix(200)) }
        let lowered = start.lowercased()
        guard let open = lowered.end(of: "<title>") else { return "" }
        let title = lowered.utf8.distance(from: lowered.startIndex, to: open)
        // Lower-casing may change lengths outside ASCII; then the lower-cased title has to do.
        let source = start.utf8.count == lowered.utf8.count ? String(start) : lowered
        let words = source.utf8.dropFirst(title).prefix { $0 != UInt8(ascii: "<") }.split(
            whereSeparator: Ascii.isSpace)
        return words.prefix(40).map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    }

    /// What stands out of a page or text: its title, or its first line.
    static func openingLine(_ body: some Collection<UInt8>) -> String {
        let text = String(decoding: body.prefix(64 << 10), as: UTF8.self)
        let title = page(text)
        let line = (title.isEmpty ? text : title).split(whereSeparator: \.isNewline).first {
            !$0.allSatisfy(\.isWhitespace)
        }
        return String((line ?? "").drop { $0.isWhitespace }.prefix(200))
    }

    /// It says that the prompt does not fit, and by how much.
    var overflow: ContextOverflow? {
        ContextOverflow(text: message, code: code, type: type, promptTokens: promptTokens, window: window)
    }

    /// It says that its model sees no pictures: the request's matter, whatever the status.
    var refusesPictures: Bool {
        let words = message.lowercased()
        return words.contains("image input is not supported")
            || words.contains("image") && words.contains("mmproj")
    }
}
