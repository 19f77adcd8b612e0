// The small neutral alphabet of replies: what any dialect's reader says and any client's writer hears.
// Holds: no quirk of a dialect passes this point; texts are valid insides of JSON strings.

import JSON

/// The inside of a JSON string, escaped as it will stand on the wire, without quotes. Mostly a slice of what
/// the upstream sent, so that text reaches the client without being decoded.
public struct JSONText: Sendable, Equatable {
    let bytes: ArraySlice<UInt8>
    /// An escaped surrogate without its partner is in it; the partner may come with the next delta.
    let hasLoneSurrogate: Bool

    init(escaped bytes: ArraySlice<UInt8>, hasLoneSurrogate: Bool = false) {
        self.bytes = bytes
        self.hasLoneSurrogate = hasLoneSurrogate
    }

    public init(_ text: String) {
        self.init(utf8: Array(text.utf8)[...])
    }

    /// From plain text; what is not UTF-8 in it must have been replaced before.
    init(utf8 text: ArraySlice<UInt8>) {
        var escaped: [UInt8] = []
        escaped.appendJSONEscaped(text)
        self.init(escaped: escaped[...])
    }

    public var isEmpty: Bool { bytes.isEmpty }

    /// Where the object at the start of `text` ends, told by its brackets alone.
    static func objectEnd(_ text: ArraySlice<UInt8>) -> Int? {
        var depth = 0
        var inString = false
        var isEscaped = false
        for at in text.indices {
            switch text[at] {
            case _ where isEscaped: isEscaped = false
            case UInt8(ascii: "\\"): isEscaped = inString
            case UInt8(ascii: "\""): inString.toggle()
            case UInt8(ascii: "{") where !inString: depth &+= 1
            case UInt8(ascii: "}") where !inString:
                depth &-= 1
                if depth == 0 { return at + 1 }
            default: break
            }
        }
        return nil
    }

    /// The text itself.
    var plain: [UInt8] {
        var quoted: [UInt8] = [UInt8(ascii: "\"")]
        quoted.reserveCapacity(bytes.count + 2)
        quoted.append(contentsOf: bytes)
        quoted.append(UInt8(ascii: "\""))
        var plain: [UInt8] = []
        (try? JSONDocument(parsing: quoted))?.root.appendDecoded(to: &plain)
        return plain
    }
}

/// One step of a reply.
public enum Delta: Sendable, Equatable {
    case text(JSONText)
    case reasoning(JSONText)
    /// What became known of the call with this number (0, 1, … in order of appearance). Names may come in
    /// pieces, ids late; both may be absent.
    case toolCall(Int, id: String?, name: String?)
    /// A piece of the call's arguments, which together are the text of one JSON object.
    case toolArguments(Int, JSONText)
    /// Counts so far; the last report holds.
    case usage(Usage)
    /// The model stopped; usage may still follow.
    case finished(StopReason)
    case failed(Failure)

    /// Whether it is part of what the model says.
    var isContent: Bool {
        switch self {
        case .text, .reasoning, .toolCall, .toolArguments: true
        case .usage, .finished, .failed: false
        }
    }

    /// Whether the reply is one, from here on.
    var decides: Bool {
        switch self {
        case .text, .reasoning, .toolCall, .toolArguments, .finished: true
        case .usage, .failed: false
        }
    }
}

/// Why the model stopped, in Anthropic's words.
public enum StopReason: Sendable, Equatable {
    case endTurn
    case maxTokens
    case stopSequence(String)
    case toolUse
    case refusal
    case contextWindowExceeded

    /// A reason that only says that it is over does not replace one that says more.
    func replacing(_ known: StopReason?) -> StopReason {
        switch (known, self) {
        case (.maxTokens, .endTurn), (.maxTokens, .toolUse), (.refusal, .endTurn), (.refusal, .toolUse),
            (.contextWindowExceeded, .endTurn), (.contextWindowExceeded, .toolUse), (.stopSequence, .endTurn):
            known ?? self
        default: self
        }
    }

    var wireName: StaticString {
        switch self {
        case .endTurn: "end_turn"
        case .maxTokens: "max_tokens"
        case .stopSequence: "stop_sequence"
        case .toolUse: "tool_use"
        case .refusal: "refusal"
        case .contextWindowExceeded: "model_context_window_exceeded"
        }
    }
}
