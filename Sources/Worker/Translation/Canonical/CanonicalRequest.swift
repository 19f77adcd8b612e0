// The canonical request: what a client asks for, typed, whatever API it speaks. Every text is a node of some
// JSON document, mostly the one received. Read once, at the border; inside nothing is checked again.

import JSON

/// What a client asks for. A value that is copied when it is changed, not when it is handed on: converters
/// look at it from many places.
@dynamicMemberLookup
struct CanonicalRequest: Sendable {
    private final class Storage: @unchecked Sendable {
        // Changed only while one value alone holds it.
        @exclusivity(unchecked) var content: RequestContent

        init(_ content: RequestContent) { self.content = content }
    }

    private var storage: Storage

    init(_ content: RequestContent) { storage = Storage(content) }

    subscript<Value>(dynamicMember path: WritableKeyPath<RequestContent, Value>) -> Value {
        @inline(__always) get { storage.content[keyPath: path] }
        @inline(__always) _modify {
            if !isKnownUniquelyReferenced(&storage) { storage = Storage(storage.content) }
            yield &storage.content[keyPath: path]
        }
    }
}

/// What a request says. Its reader fills it in.
struct RequestContent: Sendable {
    /// What the client's API calls the parts of a request.
    var vocabulary: any RequestVocabulary
    var model = ""
    var stream = false
    /// What the reader did not understand; it is left out for every backend.
    var omissions: [Omission] = []
    var maxTokens = 0
    /// String nodes, as received.
    var system: [JSONNode] = []
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
    /// It says no more than that the answer is an object, for the client asked for no more.
    var outputIsAnyObject = false
    var stopSequences: [JSONNode] = []
    var temperature: JSONNode?
    var topP: JSONNode?
    var topK: JSONNode?
    /// Sampling that not every API has words for.
    var furtherSampling: [SamplingOption] = []
    var userID: JSONNode?
    var contextEdits: [ContextEdit] = []
    /// PDF documents anywhere in the messages, which name them by their position here.
    var pdfs: [AttachedPDF] = []

    init(_ vocabulary: any RequestVocabulary) { self.vocabulary = vocabulary }
}

/// A PDF document of a request.
struct AttachedPDF: Sendable {
    /// Base64.
    let data: TextSlice
    /// What was read of it; nil = nobody has read it.
    var reading: PDFReading?
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

    /// - Parameter range: of the node's bytes, within its string.
    init(_ node: JSONNode, _ range: Range<Int>) {
        self.node = node
        self.range = range
    }

    var bytes: ArraySlice<UInt8> { node.bytes[range] }
    /// Without its escapes.
    var decoded: [UInt8] {
        var decoded: [UInt8] = []
        node.appendDecoded(range, to: &decoded)
        return decoded
    }
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
    case base64(mediaType: JSONNode?, data: TextSlice)
    case url(JSONNode)
    /// A file id or anything else that only Anthropic's servers can read.
    case unreachable
}

struct Document: Sendable {
    enum Source: Sendable {
        case text([JSONNode])
        /// By its position among the request's PDFs.
        case pdf(Int)
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
    /// Not spoken of: models that need not think do not.
    case absent
    /// Not spoken of, by clients of an API that has a word against it.
    case leftToModel
    case disabled
    case enabled(budget: Int?)
    case adaptive

    var isOn: Bool {
        switch self {
        case .absent, .leftToModel, .disabled: false
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
