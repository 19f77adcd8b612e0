// How many tokens a request has, without a tokenizer: a pass over lengths. Errs to the high side, for a
// window believed too full is compacted early, but one believed roomy overflows.

import JSON

enum TokenEstimate {
    /// Anthropic's own figure for a picture of 1.15 megapixels.
    static let image = 1500
    private static let perMessage = 4
    private static let perTool = 12

    /// Of texts in modern vocabularies: about 3.7 ASCII characters a token in prose, code and JSON taken
    /// together, and two and a half bytes of other scripts.
    static func tokens(_ bytes: ArraySlice<UInt8>) -> Int {
        let wide = bytes.span.countOfHighBytes
        return ((bytes.count - wide) * 10 + 36) / 37 + wide * 2 / 5
    }

    static func tokens(_ node: JSONNode?) -> Int { node.map { tokens($0.raw) } ?? 0 }

    static func tokens(_ tool: Tool) -> Int {
        let schema =
            switch tool.kind {
            case .custom(let schema): tokens(schema)
            case .client(let client): client.schema.utf8CodeUnitCount / 4
            case .server: 0
            }
        return perTool + tool.name.utf8.count / 3 + tokens(tool.description) + schema
    }

    static func tokens(_ message: Message) -> Int { message.blocks.reduce(perMessage) { $0 + tokens($1) } }

    static func tokens(_ block: Block) -> Int {
        switch block {
        case .text(let node), .summary(let node): tokens(node)
        case .image: image
        case .document(let document): tokens(document)
        case .searchResult(let title, let source, let content):
            tokens(title) + tokens(source) + content.reduce(4) { $0 + tokens($1) }
        case .thinking, .redactedThinking: 0
        case .toolUse(let call): 8 + call.name.utf8.count / 3 + tokens(call.input)
        case .toolResult(let result): result.blocks.reduce(6) { $0 + tokens($1) }
        case .toolReference: 8
        case .serverTool(_, let input, let lines):
            8 + tokens(input) + lines.joined().reduce(0) { $0 + tokens($1) }
        case .unsupported: 4
        }
    }

    private static func tokens(_ document: Document) -> Int {
        let images = document.images.count * image
        switch document.source {
        case .text(let texts): return texts.reduce(8 + images) { $0 + tokens($1) }
        // A page has two to three thousand tokens and seldom less than fifty kilobytes.
        case .pdf(let data): return max(image, data.stringRange.count / 32)
        case .unreachable: return 16
        }
    }

    /// Reasoning of earlier turns, for backends that get it back.
    static func thinkingTokens(_ message: Message) -> Int {
        message.blocks.reduce(0) { sum, block in
            if case .thinking(let text, _) = block { sum + tokens(text) } else { sum }
        }
    }
}

extension MessagesRequest {
    mutating func estimateTokens() {
        var tokens = 8
        for slice in system { tokens += TokenEstimate.tokens(slice.bytes) + 2 }
        for tool in tools { tokens += TokenEstimate.tokens(tool) }
        for message in messages { tokens += TokenEstimate.tokens(message) }
        if let outputSchema { tokens += TokenEstimate.tokens(outputSchema) }
        estimatedInputTokens = tokens
        estimatedThinkingTokens = messages.reduce(0) { $0 + TokenEstimate.thinkingTokens($1) }
    }
}

extension Span<UInt8> {
    /// Bytes from 0x80 up, eight at a time.
    fileprivate var countOfHighBytes: Int {
        var total = 0
        var at = 0
        let raw = self.bytes
        while at &+ 8 <= count {
            let word = raw.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
            total &+= (word & 0x8080_8080_8080_8080).nonzeroBitCount
            at &+= 8
        }
        while at < count {
            total &+= self[at] >> 7 == 1 ? 1 : 0
            at &+= 1
        }
        return total
    }
}
