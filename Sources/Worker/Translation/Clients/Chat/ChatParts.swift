// Content of chat messages: texts, pictures and files as blocks. The bytes of a picture are a slice of what
// was received.

import JSON

/// `data:<media type>;base64,<data>`
struct DataURL {
    let mediaType: String
    let data: TextSlice

    /// Longest media type with its parameters, in bytes.
    private static let longestHead = 256

    init?(_ node: JSONNode) {
        let bytes = node.stringRaw
        guard bytes.prefix(5).map({ $0 | 0x20 }).elementsEqual("data:".utf8) else { return nil }
        guard let comma = bytes.prefix(Self.longestHead).firstIndex(of: UInt8(ascii: ",")) else { return nil }
        // A slash may be escaped.
        let head = String(decoding: bytes[bytes.startIndex + 5..<comma], as: UTF8.self)
            .replacing("\\/", with: "/").lowercased()
        let words = head.split(separator: ";", omittingEmptySubsequences: false)
        guard words.count > 1, words.last == "base64", let type = words.first else { return nil }
        mediaType = String(type)
        data = TextSlice(node, comma + 1..<bytes.endIndex)
    }
}

extension ChatConversation {
    /// The texts of a string or of a list of parts, but for empty ones; for roles that can say nothing else.
    mutating func texts(_ content: JSONNode?, _ path: String) throws(Failure) -> [JSONNode] {
        guard let content else { return [] }
        var texts: [JSONNode] = []
        for block in try parts(content, path) {
            if case .text(let text) = block {
                texts.append(text)
            } else {
                omit(path, "only text can stand here")
            }
        }
        return texts
    }

    mutating func parts(_ content: JSONNode, _ path: String) throws(Failure) -> [Block] {
        if content.isString { return content.stringRange.isEmpty ? [] : [.text(content)] }
        if content.isNull { return [] }
        guard content.isArray else {
            throw .chatType(path, expected: "one of a string or array of objects", content)
        }
        var blocks: [Block] = []
        for (index, part) in content.elements.enumerated() {
            try countOne()
            let place = "\(path)[\(index)]"
            if part.isString {
                if !part.stringRange.isEmpty { blocks.append(.text(part)) }
            } else if let block = try self.part(part, place) {
                blocks.append(block)
            }
        }
        return blocks
    }

    /// nil for a text without text.
    private mutating func part(_ part: JSONNode, _ path: String) throws(Failure) -> Block? {
        var fields = try ChatFields(part, path)
        let type = try fields.requiredString("type").string ?? ""
        switch type {
        case "text", "input_text", "output_text":
            let text = try fields.requiredString("text")
            return text.stringRange.isEmpty ? nil : .text(text)
        case "refusal":
            let text = try fields.requiredString("refusal")
            return text.stringRange.isEmpty ? nil : .text(text)
        case "image_url": return .image(try image(&fields, path))
        case "file": return try file(&fields, path)
        case "input_audio":
            throw .chat("Audio input is not supported by this model.", path, "unsupported_value")
        default:
            throw .chatValue(
                "\(path).type", type, supported: "'text', 'image_url', 'input_audio', 'refusal', and 'file'")
        }
    }

    private mutating func image(_ fields: inout ChatFields, _ path: String) throws(Failure) -> ImageSource {
        guard let value = fields.take("image_url") else { throw .chatMissing("\(path).image_url") }
        var url = value
        if value.isObject {
            var inner = try ChatFields(value, "\(path).image_url")
            url = try inner.requiredString("url")
            if let detail = inner.take("detail"), !detail.stringEquals("auto") {
                omit("\(path).image_url.detail", "the backend decides")
            }
        }
        if let data = DataURL(url) {
            guard data.mediaType.hasPrefix("image/") else {
                throw .chat(
                    "Invalid image data: expected a picture, but got \(Excerpt.shown(data.mediaType)).", path,
                    "invalid_image_format")
            }
            let type = data.mediaType == "image/jpg" ? "image/jpeg" : data.mediaType
            return .base64(mediaType: JSONNode(text: type), data: data.data)
        }
        let scheme = (url.string ?? "").prefix(8).lowercased()
        guard scheme.hasPrefix("http://") || scheme.hasPrefix("https://") else {
            throw .chat(
                "Invalid image_url: expected a web address or a data URL with base64.",
                "\(path).image_url.url", "invalid_image_url")
        }
        return .url(url)
    }

    private mutating func file(_ fields: inout ChatFields, _ path: String) throws(Failure) -> Block {
        guard let file = try fields.object("file") else { throw .chatMissing("\(path).file") }
        guard let data = file["file_data"].flatMap(DataURL.init) else {
            throw .chat(
                "Files can only be sent as file_data, a data URL with base64: nothing is stored here.",
                "\(path).file", "unsupported_value")
        }
        guard data.mediaType == "application/pdf" else {
            throw .chat(
                "Invalid file data: expected application/pdf, but got \(Excerpt.shown(data.mediaType)).",
                "\(path).file.file_data", "unsupported_value")
        }
        let name = file["filename"].flatMap { $0.isString ? $0 : nil }
        return .document(Document(source: .pdf(attach(data.data)), title: name))
    }
}
