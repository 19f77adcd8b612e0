// One content block to what chat backends take: text where nothing better fits, a placeholder that says so
// where nothing fits at all. What is lost is named.

import JSON

struct BlockConversion {
    @Boxed var profile: Profile
    private let pdfs: [AttachedPDF]
    private(set) var losses: [Loss] = []

    init(_ request: CanonicalRequest, profile: Boxed<Profile>) {
        _profile = profile
        pdfs = request.pdfs
    }

    /// Enough for a person to see what is wrong.
    private static let maxLosses = 64

    mutating func omit(_ message: Message, _ block: Int, _ reason: String) {
        omit(.block(message: message.index, block: block), reason)
    }

    mutating func omit(_ part: RequestPart, _ reason: String) {
        guard losses.count < Self.maxLosses else { return }
        losses.append(Loss(part, reason))
    }

    /// A user's block.
    mutating func parts(_ block: Block, _ message: Message, _ index: Int) -> [ContentPart] {
        switch block {
        case .image(let source):
            let (part, loss) = image(source)
            if let loss { omit(message, index, loss) }
            return [part]
        case .document(let document):
            let (parts, loss) = self.document(document)
            if let loss { omit(message, index, loss) }
            return parts
        case .toolUse(let call):
            omit(message, index, "tool_use of a user")
            return [.text(TextRope("[called \(call.name)]"))]
        default:
            let text = text(block)
            return text.isEmpty ? [] : [.text(text)]
        }
    }

    /// All texts of a message as one.
    mutating func flat(_ message: Message) -> TextRope {
        var flat = TextRope()
        for (index, block) in message.blocks.enumerated() {
            switch block {
            case .image, .document, .toolUse, .toolResult: omit(message, index, "not a text")
            case .text(let node):
                flat.add(TextRope(Attribution.stripped(TextSlice(node))), boundary: "\n\n")
            default: flat.add(text(block), boundary: "\n\n")
            }
        }
        return flat
    }

    mutating func assistant(_ message: Message, keepsThinking: Bool) -> AssistantTurn {
        var turn = AssistantTurn()
        for (index, block) in message.blocks.enumerated() {
            switch block {
            case .toolUse(let call): turn.calls.append(call)
            case .thinking(let shown, let signature):
                guard profile.reasoningEcho != .none, keepsThinking else { continue }
                turn.reasoning.add(reasoning(shown, signature), boundary: "\n")
            case .redactedThinking: continue
            case .toolResult, .image:
                omit(message, index, "not possible in an assistant message")
            case .document(let document):
                let (parts, loss) = self.document(document)
                if let loss { omit(message, index, loss) }
                for part in parts {
                    if case .text(let text) = part {
                        turn.text.add(text, boundary: "\n")
                    } else {
                        omit(message, index, "not possible in an assistant message")
                    }
                }
            default: turn.text.add(text(block), boundary: "\n")
            }
        }
        if turn.isEmpty, turn.reasoning.isEmpty, message.hasUnsupported { turn.text = .unsupported }
        return turn
    }

    private func reasoning(_ shown: JSONNode?, _ signature: JSONNode?) -> TextRope {
        if let shown { return TextRope(shown) }
        guard let signature = signature?.string, let hidden = ReasoningCarrier.hidden(in: signature) else {
            return TextRope()
        }
        return TextRope([.bytes(hidden)])
    }

    /// What a tool gave back: a text, and the images apart, since tool messages hold text only.
    mutating func result(_ result: ToolResult, _ message: Message, _ index: Int) -> (TextRope, [ContentPart])
    {
        var content = TextRope()
        var images: [ContentPart] = []
        for block in result.blocks {
            switch block {
            case .image, .document:
                for part in parts(block, message, index) {
                    if case .text(let words) = part {
                        content.add(words, boundary: "\n")
                    } else {
                        images.append(part)
                    }
                }
            default: content.add(text(block), boundary: "\n")
            }
        }
        if content.isEmpty, images.isEmpty, !result.blocks.isEmpty { content = .unsupported }
        if content.isEmpty, !images.isEmpty, !profile.imagesInResults {
            content = TextRope("[see the next message]" as StaticString)
        }
        if result.isError, !content.starts(withAnyCase: "error") { content.prepend("Error: ") }
        return (content, images)
    }

    private func image(_ source: ImageSource) -> (part: ContentPart, loss: String?) {
        guard profile.vision else {
            return (
                .text(TextRope("[image omitted: model has no vision]" as StaticString)),
                "the model has no vision"
            )
        }
        switch source {
        case .base64: return (.image(source), nil)
        case .url(let url):
            if profile.imageURLs || url.stringRaw.starts(with: Array("data:".utf8)) {
                return (.image(source), nil)
            }
            return (
                .text(TextRope("[image omitted: the backend does not fetch addresses]" as StaticString)),
                "the backend does not fetch addresses"
            )
        case .unreachable:
            return (
                .text(TextRope("[image omitted: stored files are not available]" as StaticString)),
                "file sources are not supported"
            )
        }
    }

    private func document(_ document: Document) -> (parts: [ContentPart], loss: String?) {
        switch document.source {
        case .text(let texts):
            var body = TextRope()
            for node in texts { body.add(TextRope(node), boundary: "\n") }
            return ([.text(framed(body, document.title))] + document.images.map { image($0).part }, nil)
        case .pdf(let index):
            let pdf = pdfs.indices.contains(index) ? pdfs[index] : nil
            if profile.pdfFiles, let pdf { return ([.pdf(data: pdf.data, title: document.title)], nil) }
            switch pdf?.reading {
            case .text(let bytes, let isCut):
                var body = TextRope([.bytes(bytes)])
                if isCut { body.add(TextRope("[the rest is omitted]" as StaticString), boundary: "\n") }
                return ([.text(framed(body, document.title))], "the backend takes no PDF: its text is told")
            case .empty:
                return (
                    [.text(TextRope("[PDF document omitted: there is no text in it]" as StaticString))],
                    "the backend takes no PDF, and there is no text in it"
                )
            case .unreadable:
                return (
                    [.text(TextRope("[PDF document omitted: it cannot be read]" as StaticString))],
                    "the backend takes no PDF, and its text cannot be read"
                )
            case nil:
                return (
                    [.text(TextRope("[PDF document omitted: the model cannot read it]" as StaticString))],
                    "the backend takes no PDF"
                )
            }
        case .unreachable:
            return (
                [.text(TextRope("[document omitted: its source is not available]" as StaticString))],
                "this document source is not supported"
            )
        }
    }

    private func framed(_ body: TextRope, _ title: JSONNode?) -> TextRope {
        var text = TextRope("<document" as StaticString)
        if let title {
            text.add(TextRope([.words(" title=\""), .slice(TextSlice(title)), .words("\"")]), boundary: "")
        }
        text.add(TextRope(">\n" as StaticString), boundary: "")
        text.add(body, boundary: "")
        text.add(TextRope("</document>" as StaticString), boundary: "\n")
        return text
    }

    /// Blocks that are text, or are told as one; empty for those that are not.
    private func text(_ block: Block) -> TextRope {
        switch block {
        case .text(let node): return TextRope(node)
        case .toolReference(let name):
            return TextRope([.words("Tool loaded: "), .slice(TextSlice(name))])
        case .searchResult(let title, let source, let content):
            var text = TextRope()
            if let title {
                text.add(TextRope([.words("Title: "), .slice(TextSlice(title))]), boundary: "\n")
            }
            if let source {
                text.add(TextRope([.words("Source: "), .slice(TextSlice(source))]), boundary: "\n")
            }
            for (index, node) in content.enumerated() {
                let line =
                    index == 0
                    ? [.words("Content: "), .slice(TextSlice(node))] : [TextRope.Piece.slice(TextSlice(node))]
                text.add(TextRope(line), boundary: "\n")
            }
            return text
        case .serverTool(let label, let input, let lines):
            var text = TextRope("[\(label)")
            if let input { text.add(TextRope([.words(" "), .json(input)]), boundary: "") }
            for line in lines {
                var told = TextRope()
                for node in line { told.add(TextRope(node), boundary: " ") }
                text.add(told, boundary: "\n")
            }
            text.add(TextRope("]" as StaticString), boundary: "")
            return text
        case .summary(let node):
            return TextRope([.words("Summary of earlier conversation:\n"), .slice(TextSlice(node))])
        case .thinking, .redactedThinking, .toolUse, .toolResult, .image, .document, .unsupported:
            return TextRope()
        }
    }
}

extension TextRope {
    static let unsupported = TextRope("[unsupported content]" as StaticString)
}

extension Message {
    var hasUnsupported: Bool { blocks.contains { if case .unsupported = $0 { true } else { false } } }
}
