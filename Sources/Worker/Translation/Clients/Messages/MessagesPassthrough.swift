// Events of the Messages API that are handed through: where the model's name stands, what was counted, where
// the answer ends.

import JSON

struct MessagesPassthrough: PassthroughEvents {
    typealias Client = MessagesDialect

    /// As the client named it.
    private let model: String
    private let isStarted: Bool
    private(set) var usage = Usage()
    private(set) var hasStopped = false
    /// The text block that has begun and not ended, by index.
    private var openText: Int?

    init(model: String, isStarted: Bool) {
        self.model = model
        self.isStarted = isStarted
    }

    private static let delta = Array("content_block_delta".utf8)

    /// Only one that lacks an end is looked at.
    static func isPlainPart(_ name: ArraySlice<UInt8>, _ data: ArraySlice<UInt8>) -> Bool {
        name.elementsEqual(delta) && data.first == UInt8(ascii: "{") && data.last == UInt8(ascii: "}")
    }

    mutating func read(_ root: JSONNode, offset: Int) -> PassthroughMeaning {
        guard let type = root["type"] else { return .part }
        if type.stringEquals("ping") { return .idle }
        if type.stringEquals("message_start"), let message = root["message"] {
            usage.update(message["usage"])
            return isStarted ? .repeated : .part(message["model"], model: model, offset: offset)
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
            return hasStopped ? .end : .failed(.backend(.closedEarly))
        }
        return .part
    }

    /// Another API's word.
    func readDone() -> PassthroughMeaning { .foreign }

    mutating func read(whole root: JSONNode) -> PassthroughMeaning? {
        guard root["type"]?.stringEquals("message") == true || root["content"]?.isArray == true else {
            return nil
        }
        usage.update(root["usage"])
        return .part(root["model"], model: model, offset: 0)
    }

    static var ping: StaticString { "event: ping\ndata: {\"type\":\"ping\"}\n\n" }
    /// Without `message_stop` a message is not whole.
    static var end: StaticString? { nil }

    /// Clients keep the blocks that have ended: a text is worth keeping, half a tool call is not.
    func appendClosing(to out: inout [UInt8]) {
        guard let openText else { return }
        out.append(ascii: "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":")
        out.appendJSON(openText)
        out.append(ascii: "}\n\n")
    }

    static func append(whole root: JSONNode, model: String, isStarted: Bool, to out: inout [UInt8]) {
        MessageEvents.append(root, model: model, isStarted: isStarted, to: &out)
    }
}
