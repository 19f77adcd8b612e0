// The beginnings of a prompt, each by one digest: backends that have seen one of them have it in their cache. A
// chain over what the prompt for a backend will be made of (system prompt and tools, then one message after the
// other), and not over what changes from turn to turn without changing it: places of `cache_control`, ids of calls,
// string or block form, the client's line about itself, reasoning. Pure; linear in the bytes.

import JSON

/// A prompt up to the end of one message.
public struct PromptMark: Sendable, Equatable {
    /// Of all before it.
    public let digest: UInt64
    /// Estimated tokens from the beginning.
    public let tokens: Int
}

struct PromptChain {
    /// Ends of messages that are kept: the last ones, for a conversation goes on at its end.
    static let keptMarks = 24
    private static let bytesPerToken = 4
    private static let tokensOfMessage = 4

    /// Kinds of what is added, so that a text is never taken for a call.
    enum Part: UInt64 { case system = 1, tool, message, text, image, call, result, document, other }

    private var digest = FastDigest()
    private var bytes = 0
    private var pictures = 0
    private var boundaries = 0
    private var root: PromptMark?
    private var ends: [PromptMark] = []

    mutating func add(_ part: Part, _ text: ArraySlice<UInt8> = []) {
        digest.add(part.rawValue)
        digest.add(text)
        bytes &+= text.count
    }

    /// Its bytes are no tokens.
    mutating func add(image: ArraySlice<UInt8>) {
        digest.add(Part.image.rawValue)
        digest.add(image)
        pictures &+= PromptTally.image
    }

    /// What has come so far is the beginning of many prompts.
    mutating func endRoot() { root = mark }

    mutating func endMessage() {
        boundaries &+= 1
        if ends.count > Self.keptMarks { ends.removeFirst() }
        ends.append(mark)
    }

    private var mark: PromptMark {
        PromptMark(
            digest: digest.value,
            tokens: bytes / Self.bytesPerToken &+ boundaries &* Self.tokensOfMessage &+ pictures)
    }

    /// The beginning, then ends of messages in their order, the whole prompt last.
    var marks: [PromptMark] { [root].compactMap(\.self) + ends }
}

extension PromptChain {
    init(_ request: CanonicalRequest) {
        for text in request.systemTexts { add(.system, text.bytes) }
        for tool in ToolAvailability(events: request.toolEvents, of: request.tools).offered(request.tools) {
            add(.tool, Array(tool.name.utf8)[...])
            add(tool.description)
            if case .custom(let schema) = tool.kind { add(schema) }
        }
        endRoot()
        for message in request.messages {
            let role: Part = message.role == .user ? .message : message.role == .system ? .system : .other
            add(role)
            for block in message.blocks { add(block, of: request.pdfs) }
            endMessage()
        }
    }

    private mutating func add(_ node: JSONNode?) {
        guard let node else { return }
        add(.text, node.isString ? node.bytes[node.stringRange] : node.raw)
    }

    private mutating func add(_ block: Block, of pdfs: [AttachedPDF]) {
        switch block {
        case .text(let node), .summary(let node): add(node)
        case .image(let source): add(source)
        case .document(let document):
            add(.document)
            add(document.title)
            switch document.source {
            case .text(let texts): for text in texts { add(text) }
            case .pdf(let index): if pdfs.indices.contains(index) { add(image: pdfs[index].data.bytes) }
            case .unreachable: break
            }
            for image in document.images { add(image) }
        case .searchResult(let title, let source, let content):
            add(.document)
            for node in [title, source] + content { add(node) }
        case .toolUse(let call):
            add(.call, Array(call.name.utf8)[...])
            add(call.input)
        case .toolResult(let result):
            add(.result)
            for part in result.blocks { add(part, of: pdfs) }
        case .toolReference(let name): add(name)
        case .serverTool(let label, let input, let lines):
            add(.call, Array(label.utf8)[...])
            add(input)
            for line in lines.joined() { add(line) }
        case .thinking, .redactedThinking, .unsupported: break
        }
    }

    private mutating func add(_ source: ImageSource) {
        switch source {
        case .base64(_, let data): add(image: data.bytes)
        case .url(let url): add(image: url.raw)
        case .unreachable: add(.image)
        }
    }
}

extension PromptChain {
    /// Of a chat request, which may pass as it is: messages and tools by their JSON.
    init(messages: JSONNode, tools: [JSONNode]) {
        for tool in tools { add(.tool, tool.raw) }
        var isAtRoot = true
        for message in messages.elements {
            let role = message["role"]
            let isSystem = role?.stringEquals("system") == true || role?.stringEquals("developer") == true
            if isAtRoot, !isSystem {
                isAtRoot = false
                endRoot()
            }
            add(.message, role.map(\.raw) ?? [])
            add(content: message["content"])
            for call in message["tool_calls"]?.elements.map({ $0["function"] }) ?? [] { add(call) }
            if !isAtRoot { endMessage() }
        }
        if isAtRoot { endRoot() }
    }

    private mutating func add(content: JSONNode?) {
        guard let content, !content.isString else { return add(content) }
        for part in content.elements {
            if let text = part["text"] {
                add(text)
            } else if let image = part["image_url"] {
                add(image: image.raw)
            } else {
                add(.other, part.raw)
            }
        }
    }
}
