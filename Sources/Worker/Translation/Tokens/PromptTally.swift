// How many tokens a request has, without a tokenizer: what of it becomes prompt, and what each part adds.
// Errs to the high side, for a window believed too full is compacted early, but one believed roomy overflows.

import JSON

/// How many tokens a prompt probably has, for one backend and model.
public struct PromptEstimate: Sendable, Equatable {
    /// Of everything that is text, before the ratio.
    public var text = 0
    /// Of pictures and pages, to which no ratio of texts applies.
    public var pictures = 0
    public var ratio = TokenRatio.unknown
    /// A count of this prompt can be compared with `text`: no part of it is doubtful.
    public var isTelling = true

    public init() {}

    public var tokens: Int { ratio.applied(to: text) &+ pictures }

    /// As few as they may well be: what a ratio adds was learnt from other texts.
    public var fewest: Int { min(ratio.applied(to: text), text) &+ pictures }

    /// What a backend's count of the whole prompt says of the text; nil when it says nothing.
    /// - Parameter contextWindow: some servers cut what does not fit and count the rest.
    public func countOfText(in reported: Int, contextWindow: Int?) -> Int? {
        guard isTelling, reported > pictures else { return nil }
        let count = reported - pictures
        if let contextWindow, reported / 9 >= contextWindow / 10, count < ratio.applied(to: text) {
            return nil
        }
        return count
    }
}

/// What a request adds up to, whoever gets it.
struct PromptTally: Sendable {
    var text = 0
    var pictures = 0
    /// Reasoning of earlier turns, which not every backend gets.
    var thinking = 0
    /// Of the text: definitions of tools. Of the pictures: images, but no pages. Not every model gets them.
    var tools = 0
    var images = 0

    /// Anthropic's own figure for a picture of 1.15 megapixels.
    static let image = 1500
    private static let perMessage = 4
    private static let perTool = 12

    init() {}

    init(_ request: CanonicalRequest) {
        text = 8
        for slice in request.systemTexts { text += TextTokens.estimate(slice.bytes) + 2 }
        let before = text
        for tool in ToolAvailability(events: request.toolEvents, of: request.tools).offered(request.tools) {
            add(tool)
        }
        tools = text - before
        for message in request.messages {
            text += Self.perMessage
            for block in message.blocks { add(block, request.pdfs) }
        }
        add(request.outputSchema)
    }

    private mutating func add(_ node: JSONNode?) {
        if let node { text += TextTokens.estimate(node.raw) }
    }

    private mutating func add(_ tool: Tool) {
        text += Self.perTool + tool.name.utf8.count / 3
        add(tool.description)
        switch tool.kind {
        case .custom(let schema): add(schema)
        case .client(let client): text += client.schema.utf8CodeUnitCount / 4
        case .server: break
        }
    }

    private mutating func add(_ block: Block, _ pdfs: [AttachedPDF]) {
        switch block {
        case .text(let node), .summary(let node): add(node)
        case .image: add(images: 1)
        case .document(let document): add(document, pdfs)
        case .searchResult(let title, let source, let content):
            text += 4
            add(title)
            add(source)
            for part in content { add(part) }
        case .thinking(let words, _): if let words { thinking += TextTokens.estimate(words.raw) }
        case .redactedThinking: break
        case .toolUse(let call):
            text += 8 + call.name.utf8.count / 3
            add(call.input)
        case .toolResult(let result):
            text += 6
            for part in result.blocks { add(part, pdfs) }
        case .toolReference: text += 8
        case .serverTool(_, let input, let lines):
            text += 8
            add(input)
            for line in lines.joined() { add(line) }
        case .unsupported: text += 4
        }
    }

    private mutating func add(images count: Int) {
        images += count * Self.image
        pictures += count * Self.image
    }

    private mutating func add(_ document: Document, _ pdfs: [AttachedPDF]) {
        add(images: document.images.count)
        switch document.source {
        case .text(let texts):
            text += 8
            for part in texts { add(part) }
        case .pdf(let index): if pdfs.indices.contains(index) { pictures += Self.pages(pdfs[index].data) }
        case .unreachable: text += 16
        }
    }

    /// Of a PDF. A page has two to three thousand tokens and seldom less than fifty kilobytes.
    private static func pages(_ data: TextSlice) -> Int { max(image, data.range.count / 32) }

    /// A PDF was read: its text will be sent instead of its pages.
    mutating func replace(_ pdf: TextSlice, by words: [UInt8]) {
        pictures -= Self.pages(pdf)
        text += TextTokens.estimate(words[...])
    }
}

extension PromptTally {
    /// Rather too many than too few, whoever gets the request.
    var inputTokens: Int { text + pictures }

    /// How many tokens the prompt probably has for this backend and model.
    /// - Parameter isEdited: parts of the history may be left out.
    func estimate(for target: UpstreamTarget, isEdited: Bool) -> PromptEstimate {
        var estimate = PromptEstimate()
        let thinking = target.echoesReasoning ? self.thinking : 0
        let takesTools = target.profile.tools && !target.lacking.contains(.tools)
        let hasVision = target.profile.vision && !target.lacking.contains(.images)
        estimate.text = text - (takesTools ? 0 : tools) + thinking
        estimate.pictures = pictures - (hasVision ? 0 : images)
        estimate.ratio = target.tokenRatio
        // Templates may drop earlier reasoning, edits leave results out, pictures count differently
        // everywhere.
        estimate.isTelling =
            !isEdited && pictures == 0 && thinking < text / 10
            // Simplified schemas are shorter than those that were counted.
            && !target.lacking.contains(.schemaKeywords)
        return estimate
    }
}
