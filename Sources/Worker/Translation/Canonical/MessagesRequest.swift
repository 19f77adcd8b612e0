// The canonical request: what a client asked of the Messages API, typed, every text still a slice of the
// bytes received. Read once, at the border; inside nothing is checked again.

import JSON

/// A parsed `POST /v1/messages`, or the body of `count_tokens`. A value that is copied when it is changed, not
/// when it is handed on: converters look at it from many places.
@dynamicMemberLookup
public struct MessagesRequest: Sendable {
    private final class Storage: @unchecked Sendable {
        // Changed only while one value alone holds it.
        @exclusivity(unchecked) var content: MessagesContent

        init(_ content: MessagesContent) { self.content = content }
    }

    private var storage: Storage

    /// What it says; for this module alone.
    public subscript<Value>(dynamicMember path: WritableKeyPath<MessagesContent, Value>) -> Value {
        @inline(__always) get { storage.content[keyPath: path] }
        @inline(__always) _modify {
            if !isKnownUniquelyReferenced(&storage) { storage = Storage(storage.content) }
            yield &storage.content[keyPath: path]
        }
    }

    /// As requested.
    public var model: String { storage.content.model }
    public var stream: Bool { storage.content.stream }

    /// What of the request's head concerns a backend of this API.
    public var head: MessagesHead {
        get { self[dynamicMember: \.head] }
        set { self[dynamicMember: \.head] = newValue }
    }

    /// - Throws: 400 `invalid_request_error` in Anthropic's words, with the path of what is wrong.
    public init(parsing body: [UInt8]) throws(ClientError) { try self.init(reading: RequestBody(body)) }

    public init(reading body: RequestBody) throws(ClientError) { try self.init(body, isCount: false) }

    /// A `count_tokens` body: as a request, without what only generating needs.
    public init(parsingCount body: [UInt8]) throws(ClientError) {
        try self.init(readingCount: RequestBody(body))
    }

    public init(readingCount body: RequestBody) throws(ClientError) { try self.init(body, isCount: true) }

    private init(_ body: RequestBody, isCount: Bool) throws(ClientError) {
        let root: JSONNode
        do { root = try body.document.get().root } catch { throw ClientError(error) }
        guard root.isObject else { throw .invalid("Invalid JSON: the request must be an object") }
        var content = MessagesContent()
        content.root = root
        content.receivedBytes = body.count
        var reader = try RequestReader(root)
        try reader.read(into: &content, isCount: isCount)
        content.tally = PromptTally(content)
        storage = Storage(content)
    }
}

/// What a request says.
public struct MessagesContent: Sendable {
    /// What the client gets when it does not say; the API itself wants it said.
    static let defaultMaxTokens = 4096

    var model = ""
    var stream = false
    /// What was not understood and is left out for every backend.
    var omissions: [Omission] = []
    var head = MessagesHead()
    /// The body as received, for backends of this API; nil until it is parsed.
    var root: JSONNode?
    /// Size of the body, for buffers.
    var receivedBytes = 0
    var maxTokens = MessagesContent.defaultMaxTokens
    /// String nodes, the attribution line already cut off.
    var system: [TextSlice] = []
    var messages: [Message] = []
    /// Declared ones, then those that messages define.
    var tools: [Tool] = []
    /// Tools coming and going while the conversation lasts.
    var toolEvents: [ToolEvent] = []
    var toolChoice: ToolChoice?
    var disableParallelToolUse = false
    var thinking = Thinking.absent
    var thinkingDisplayOmitted = false
    var effort: Effort?
    /// A JSON Schema that the answer has to follow.
    var outputSchema: JSONNode?
    var stopSequences: [JSONNode] = []
    var temperature: JSONNode?
    var topP: JSONNode?
    var topK: JSONNode?
    /// What clients of another API asked for besides.
    var furtherSampling: [SamplingOption] = []
    var userID: JSONNode?
    var contextEdits: [ContextEdit] = []
    /// Of several calls in one answer each is told with its result, one after the other.
    var sequentialCalls = false
    /// What was put right in the history, by name and number.
    var historyRepairs: [String] = []
    /// PDF documents anywhere in the messages.
    var pdfData: [JSONNode] = []
    /// What was read of them, by where they stand in the body.
    var pdfReadings: [Int: PDFReading] = [:]
    var tally = PromptTally()
}

/// Sampling that is called the same in OpenAI's API and among Ollama's options.
struct SamplingOption: Sendable {
    static let names: [StaticString] = ["seed", "frequency_penalty", "presence_penalty", "min_p"]

    var name: StaticString
    /// A number, as written.
    var value: JSONNode
}

/// Part of a received string, in its escaped form.
struct TextSlice: Sendable {
    var node: JSONNode
    var range: Range<Int>

    init(_ node: JSONNode) {
        self.node = node
        range = node.stringRange
    }

    var bytes: ArraySlice<UInt8> { node.bytes[range] }
    var isEmpty: Bool { range.isEmpty }
}

struct Message: Sendable {
    enum Role: Sendable { case user, assistant, system }

    var role: Role
    /// Empty texts are not among them.
    var blocks: [Block]
    /// Position in the request's `messages`.
    var index: Int
    /// `""`, `[]` or nothing but empty texts.
    var isEmpty: Bool { blocks.isEmpty }
}

enum Block: Sendable {
    case text(JSONNode)
    case image(ImageSource)
    case document(Document)
    case searchResult(title: JSONNode?, source: JSONNode?, content: [JSONNode])
    /// Of the text: nil when it was not shown; then the signature may hold it.
    case thinking(JSONNode?, signature: JSONNode?)
    case redactedThinking
    case toolUse(ToolUse)
    case toolResult(ToolResult)
    case toolReference(name: JSONNode)
    /// Something that a server-side tool did, told as text.
    case serverTool(label: String, input: JSONNode?, lines: [[JSONNode]])
    /// What an earlier compaction left.
    case summary(JSONNode)
    case unsupported
}

enum ImageSource: Sendable {
    case base64(mediaType: JSONNode?, data: JSONNode)
    case url(JSONNode)
    /// A file id or anything else that only Anthropic's servers can read.
    case unreachable
}

struct Document: Sendable {
    enum Source: Sendable {
        case text([JSONNode])
        case pdf(data: JSONNode)
        case unreachable
    }

    var source: Source
    var title: JSONNode?
    /// Images inside a `content` source.
    var images: [ImageSource] = []
}

struct ToolUse: Sendable {
    var id: String
    var name: String
    /// An object; nil = `{}`.
    var input: JSONNode?
}

struct ToolResult: Sendable {
    var id: String
    var blocks: [Block]
    var isError: Bool
}

enum Thinking: Sendable, Equatable {
    case absent
    case disabled
    case enabled(budget: Int?)
    case adaptive

    var isOn: Bool {
        switch self {
        case .absent, .disabled: false
        case .enabled, .adaptive: true
        }
    }
}

enum Effort: String, Sendable, CaseIterable { case low, medium, high, xhigh, max }

enum ToolChoice: Sendable, Equatable {
    case auto, any, never
    case tool(String)
}

struct Tool: Sendable {
    enum Kind: Sendable {
        /// With the schema as received; nil = none was given.
        case custom(schema: JSONNode?)
        /// Defined by Anthropic, carried out by the client: the schema is ours.
        case client(ClientTool)
        /// Carried out by Anthropic's servers.
        case server(type: String)
    }

    var name: String
    var kind: Kind
    var description: JSONNode?
    var isDeferred: Bool
    var isStrict: Bool
    /// Position in the request's `tools`.
    var index: Int
}

enum ContextEdit: Sendable, Equatable {
    /// Reasoning stays in the last so many assistant turns; nil = in all.
    case clearThinking(keepTurns: Int?)
    /// Results of tools stay for the last so many calls, once the input is larger than `trigger` tokens.
    case clearToolUses(keep: Int, trigger: Int)
}
