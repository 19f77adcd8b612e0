// The mock's bytes: heads, whole answers, stream chunks, rendered once and then only copied.

struct MockWire {
    private var wholeAnswers: [Int: [UInt8]] = [:]
    /// One content event per word of the vocabulary: `data: {…}\n\n`.
    let events: [[UInt8]]
    /// The same, each as a complete HTTP chunk.
    let chunks: [[UInt8]]
    /// Head of a stream and its first event, which carries the role.
    let opening: [UInt8]
    static let model = "bench-model"
    /// Answers of few distinct lengths are kept rendered.
    private static let maximumKept = 64

    init() {
        let lead =
            "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,"
            + "\"model\":\"\(Self.model)\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
        events = Vocabulary.quoted.map {
            Array(lead.utf8) + $0 + Array("},\"logprobs\":null,\"finish_reason\":null}]}\n\n".utf8)
        }
        chunks = events.map { Self.chunk($0) }
        let role =
            "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,"
            + "\"model\":\"\(Self.model)\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
            + "\"logprobs\":null,\"finish_reason\":null}]}\n\n"
        opening =
            Array(
                ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                    + "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n").utf8)
            + Self.chunk(Array(role.utf8))
    }

    static let lastChunk = Array("0\r\n\r\n".utf8)

    static func chunk(_ payload: [UInt8]) -> [UInt8] {
        Array("\(String(payload.count, radix: 16))\r\n".utf8) + payload + [0x0D, 0x0A]
    }

    /// Appends `range` of the answer's tokens as one HTTP chunk.
    func append(tokens range: Range<Int>, to out: inout [UInt8]) {
        if range.count == 1 {
            out += chunks[Vocabulary.word(range.lowerBound)]
            return
        }
        var size = 0
        for index in range { size += events[Vocabulary.word(index)].count }
        out += Array("\(String(size, radix: 16))\r\n".utf8)
        for index in range { out += events[Vocabulary.word(index)] }
        out += [0x0D, 0x0A]
    }

    /// The finish event, usage if it was asked for, `[DONE]`, the last chunk.
    func closing(tokens: Int, promptTokens: Int, usage: Bool) -> [UInt8] {
        let lead =
            "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,"
            + "\"model\":\"\(Self.model)\",\"choices\":["
        var text = lead + "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n"
        if usage { text += lead + "],\"usage\":\(Self.usage(tokens, promptTokens))}\n\n" }
        text += "data: [DONE]\n\n"
        return Self.chunk(Array(text.utf8)) + Self.lastChunk
    }

    mutating func wholeAnswer(tokens: Int, promptTokens: Int) -> [UInt8] {
        // Kept with the prompt size of its first request: nobody checks that figure of the mock's.
        if let kept = wholeAnswers[tokens] { return kept }
        var content: [UInt8] = [UInt8(ascii: "\"")]
        for index in 0..<tokens {
            content += Vocabulary.quoted[Vocabulary.word(index)].dropFirst().dropLast()
        }
        content.append(UInt8(ascii: "\""))
        let body =
            Array(
                ("{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1767225600,\"model\":"
                    + "\"\(Self.model)\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":")
                    .utf8)
            + content
            + Array(
                "},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":\(Self.usage(tokens, promptTokens))}"
                    .utf8)
        let answer = Self.answer(status: "200 OK", json: body)
        if wholeAnswers.count < Self.maximumKept { wholeAnswers[tokens] = answer }
        return answer
    }

    private static func usage(_ tokens: Int, _ promptTokens: Int) -> String {
        "{\"prompt_tokens\":\(promptTokens),\"completion_tokens\":\(tokens),"
            + "\"total_tokens\":\(tokens &+ promptTokens)}"
    }

    static func answer(status: String, json: [UInt8]) -> [UInt8] {
        Array(
            "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(json.count)\r\n\r\n"
                .utf8)
            + json
    }

    static let models = answer(
        status: "200 OK",
        json: Array(
            ("{\"object\":\"list\",\"data\":[{\"id\":\"\(model)\",\"object\":\"model\","
                + "\"created\":1767225600,\"owned_by\":\"bench\"}]}").utf8))

    static let notFound = answer(
        status: "404 Not Found", json: Array("{\"error\":{\"message\":\"no such path\",\"code\":404}}".utf8))
}
