// The writer of a reply, for whichever door the client came in by. A branch on what is stored instead of a
// type that is found out anew with every delta.

struct ReplyWriter: Sendable {
    private var messages: MessageStreamWriter
    /// Not nil: the client speaks OpenAI's API, and the other writer stays silent.
    private var chat: ChatStreamWriter?

    init(_ messages: MessageStreamWriter, chat: ChatStreamWriter.Head?) {
        self.messages = messages
        self.chat = chat.map { ChatStreamWriter(form: messages.form, head: $0) }
    }

    /// Bytes to be sent, now or at the end.
    var pending: Int { chat.map(\.pending) ?? messages.output.count }
    /// Nothing may be sent now.
    var isEmpty: Bool { chat.map(\.output.isEmpty) ?? messages.output.isEmpty }

    /// No text, no reasoning, no call was written.
    var hasSaidNothing: Bool { chat.map(\.hasSaidNothing) ?? (messages.blocks == 0) }

    mutating func start(_ usage: Usage) { chat == nil ? messages.start(usage) : chat?.start() }

    @inline(__always)
    mutating func text(_ text: ArraySlice<UInt8>) { chat == nil ? messages.text(text) : chat?.text(text) }

    @inline(__always)
    mutating func thinking(_ text: ArraySlice<UInt8>) {
        chat == nil ? messages.thinking(text) : chat?.reasoning(text)
    }

    mutating func toolUse(id: String, name: String, input: [UInt8]) {
        chat == nil
            ? messages.toolUse(id: id, name: name, input: input)
            : chat?.toolCall(id: id, name: name, input: input)
    }

    mutating func ping() { chat == nil ? messages.ping() : chat?.ping() }

    mutating func finish(_ reason: StopReason, _ usage: Usage) {
        chat == nil ? messages.finish(reason, usage) : chat?.finish(reason, usage)
    }

    mutating func fail(_ error: ClientError, requestID: String) {
        chat == nil
            ? messages.fail(error, requestID: requestID) : chat?.fail(error, requestID: requestID)
    }

    mutating func takeOutput() -> [UInt8] { chat == nil ? messages.takeOutput() : chat?.takeOutput() ?? [] }

    mutating func drain(into other: inout [UInt8]) {
        chat == nil ? messages.drain(into: &other) : chat?.drain(into: &other)
    }

    mutating func reserve(_ bytes: Int) { chat == nil ? messages.reserve(bytes) : chat?.reserve(bytes) }

    mutating func discardOutput() { chat == nil ? messages.discardOutput() : chat?.discardOutput() }
}
