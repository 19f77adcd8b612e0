// What the frames of a relayed stream mean for the exchange, in either API: whether they belong to the answer,
// where the model's name stands, what was counted, where the answer ends. Reads; changes nothing.

import JSON

struct PassthroughReader: Sendable {
    enum Meaning {
        /// Says nothing of the answer: a comment, a sign of life.
        case idle
        /// Belongs to the answer.
        case part
        /// Belongs to the answer; this range of its data is the model's name, with quotes.
        case named(Range<Int>)
        /// The client's API does not know it.
        case foreign
        case failed(ClientError)
        /// The last frame.
        case end
    }

    let door: ClientAPI
    /// The model as the client named it.
    let model: String

    private(set) var usage = Usage()
    /// The text block that has begun and not ended, by index.
    private(set) var openText: Int?
    /// The backend said why it stopped: what is missing after that is no content.
    private(set) var hasStopped = false
    /// Of chat completions: something of an answer came; a call began; a choice has ended.
    private var (hasBegun, hasCalls, hasFinished) = (false, false, false)
    private var parser = JSONParser()

    init(door: ClientAPI, model: String) {
        self.door = door
        self.model = model
    }

    /// - Parameter isWhole: false for what the end of the body left; then what is no whole JSON text is foreign.
    mutating func read(_ frame: PassthroughFrames.Frame, of frames: PassthroughFrames, isWhole: Bool)
        -> Meaning
    {
        switch frame.kind {
        case .empty: return isWhole ? .idle : .foreign
        case .data: break
        case .tooLarge: return .failed(.answerTooLarge)
        case .errorField:
            return .failed(PassthroughFailure.named(data: frames.buffer[frame.data], door: door))
        case .unframed:
            guard let root = try? parser.parse(frames.buffer, range: frame.data) else { return .foreign }
            return PassthroughFailure.inside(root, door: door).map(Meaning.failed) ?? .foreign
        }
        let bytes = frame.isJoined ? frames.joined : frames.buffer
        let name = frames.buffer[frame.event]
        // Nearly all frames of a Messages stream: nothing in them concerns the exchange.
        if door == .messages, isWhole, name.elementsEqual(Self.delta), Self.looksWhole(bytes[frame.data]) {
            return .part
        }
        if name.elementsEqual(Self.error) {
            return .failed(PassthroughFailure.named(data: bytes[frame.data], door: door))
        }
        guard let root = try? parser.parse(bytes, range: frame.data) else {
            if isDone(bytes[frame.data]) { return door == .chat ? endOfChat() : .foreign }
            return isWhole ? odd(bytes[frame.data]) : .foreign
        }
        if let error = PassthroughFailure.inside(root, door: door) { return .failed(error) }
        switch door {
        case .messages: return readEvent(root, offset: frame.data.lowerBound)
        case .chat: return readChunk(root, offset: frame.data.lowerBound)
        }
    }

    private static let delta = Array("content_block_delta".utf8)
    private static let error = Array("error".utf8)
    private static let done = Array("[DONE]".utf8)

    /// Enough for events that are not read: only one that lacks an end is looked at.
    private static func looksWhole(_ data: ArraySlice<UInt8>) -> Bool {
        data.first == UInt8(ascii: "{") && data.last == UInt8(ascii: "}")
    }

    /// What is no JSON passes if nothing of the answer is lost with it: words, what comes after the model has stopped,
    /// and raw bytes in a text that clients make something of.
    private mutating func odd(_ data: ArraySlice<UInt8>) -> Meaning {
        let text = data.drop(while: Ascii.isSpace)
        if hasStopped || OpenAIChunkReader.isWord(text) { return .part }
        return (try? parser.parse(JSONRepair.mended(text)[...])) == nil ? .failed(.eventUnreadable) : .part
    }

    /// The end, without a word before it that the model has stopped: as in a translated answer, a text may be whole,
    /// a call may not.
    private func endOfChat() -> Meaning {
        hasFinished || hasBegun && !hasCalls
            ? .end : .failed(UpstreamFailure.transport(.complete, hadBytes: true))
    }

    private func isDone(_ data: ArraySlice<UInt8>) -> Bool {
        data.drop(while: Ascii.isSpace).starts(with: Self.done)
    }

    // MARK: Messages

    private mutating func readEvent(_ root: JSONNode, offset: Int) -> Meaning {
        guard let type = root["type"] else { return .part }
        if type.stringEquals("ping") { return .idle }
        if type.stringEquals("message_start"), let message = root["message"] {
            usage.update(message["usage"])
            return name(message["model"], offset)
        }
        if type.stringEquals("content_block_start") {
            let isText = root["content_block"]?["type"]?.stringEquals("text") == true
            openText = isText ? root["index"]?.int : nil
        } else if type.stringEquals("content_block_stop") {
            openText = nil
        } else if type.stringEquals("message_delta") {
            usage.update(root["usage"])
            if root["delta"]?["stop_reason"]?.isString == true { hasStopped = true }
        } else if type.stringEquals("message_stop") {
            return hasStopped ? .end : .failed(UpstreamFailure.transport(.complete, hadBytes: true))
        }
        return .part
    }

    // MARK: chat completions

    private mutating func readChunk(_ root: JSONNode, offset: Int) -> Meaning {
        if let counted = OpenAIUsage.read(root) { usage = counted }
        if let choices = root["choices"], !choices.isEmpty,
            choices.elements.allSatisfy({ $0["finish_reason"]?.isString == true })
        {
            hasStopped = true
        }
        if let choices = root["choices"] {
            for choice in choices.elements {
                hasBegun = true
                if choice["finish_reason"]?.isString == true { hasFinished = true }
                if !hasCalls, let delta = choice["delta"] {
                    hasCalls =
                        delta["tool_calls"].map { !$0.isEmpty } ?? false
                        || delta["function_call"]?.isObject == true
                }
            }
        }
        return name(root["model"], offset)
    }

    // MARK: both

    private func name(_ node: JSONNode?, _ offset: Int) -> Meaning {
        guard let node, node.isString, node.string != model else { return .part }
        return .named(node.rawRange.lowerBound &+ offset..<node.rawRange.upperBound &+ offset)
    }

    /// A whole answer, not a stream: the model's name and what was counted.
    /// - Returns: nil when this is no answer of this API.
    mutating func read(whole root: JSONNode) -> Meaning? {
        switch door {
        case .messages:
            guard root["type"]?.stringEquals("message") == true || root["content"]?.isArray == true else {
                return nil
            }
            usage.update(root["usage"])
        case .chat:
            guard root["choices"]?.first != nil else { return nil }
            if let counted = OpenAIUsage.read(root) { usage = counted }
        }
        return name(root["model"], 0)
    }
}

extension Usage {
    /// Takes over what an Anthropic `usage` object says; what it leaves out stays.
    mutating func update(_ node: JSONNode?) {
        guard let node, node.isObject else { return }
        input = OpenAIUsage.integer(node["input_tokens"]) ?? input
        output = OpenAIUsage.integer(node["output_tokens"]) ?? output
        cacheRead = OpenAIUsage.integer(node["cache_read_input_tokens"]) ?? cacheRead
        cacheCreation = OpenAIUsage.integer(node["cache_creation_input_tokens"]) ?? cacheCreation
        thinking = OpenAIUsage.integer(node["output_tokens_details"]?["thinking_tokens"]) ?? thinking
    }
}
