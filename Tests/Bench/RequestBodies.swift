// Requests of a wanted size, alike in both dialects: a system prompt, tools with schemas, a conversation
// with tool calls and results, and in the last user message the directive for the mock.

enum RequestBodies {
    /// As it stands in JSON, without its quotes.
    static let system = inside(
        "You are a careful assistant that works in a terminal.\n\n# Tone\nBe brief; say \"done\" when done.\n"
    )
    /// What tools give back, as it stands in JSON: code, the JSON of another program, a coloured line of a
    /// terminal, and letters that some clients escape. More than one byte in four belongs to an escape.
    static let result =
        inside(
            "func greet(_ name: String) -> String {\n\treturn \"Hello, \\(name)!\"  // naïve – ok\n}\n"
                + "/* path: C:\\temp\\x */ let numbers = [1.10, 2e3, 12345678901234567890]\n"
                + "{\"name\":\"Zoë\",\"path\":\"C:\\\\temp\",\"tags\":[\"日本\",\"a\"],\"size\":7}\n"
                + "\u{1B}[31merror:\u{1B}[0m expected '}' in line 12\r\n\tif found { count += 1 }\n")
        + #"caf\u00e9 \ud83d\ude00\n"#

    /// The complete HTTP request.
    static func request(
        dialect: Dialect, port: Int, stream: Bool, size: Int, directive: Directive
    ) -> [UInt8] {
        let body: String
        let head: String
        switch dialect {
        case .anthropic:
            body = messages(stream: stream, size: size, directive: directive)
            head = "POST /v1/messages HTTP/1.1\r\nanthropic-version: 2023-06-01\r\nx-api-key: bench\r\n"
        case .openai:
            body = completions(stream: stream, size: size, directive: directive)
            head = "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer bench\r\n"
        }
        let bytes = Array(body.utf8)
        let rest =
            "host: 127.0.0.1:\(port)\r\nuser-agent: dragoman-bench\r\naccept: application/json\r\n"
            + "content-type: application/json\r\ncontent-length: \(bytes.count)\r\n\r\n"
        return Array((head + rest).utf8) + bytes
    }

    private static func inside(_ text: String) -> String {
        String(JSONObject.quoted(text).dropFirst().dropLast())
    }

    /// A string of about `size` bytes.
    private static func filler(_ seed: String, _ size: Int) -> String {
        guard size > 0 else { return "" }
        var text = "\""
        text.reserveCapacity(size + seed.utf8.count + 1)
        while text.utf8.count < size { text += seed }
        return text + "\""
    }

    private static func schema(_ index: Int) -> String {
        "{\"type\":\"object\",\"properties\":{\"file_path\":{\"type\":\"string\",\"description\":"
            + "\"The absolute path of the file, variant \(index)\"},\"limit\":{\"type\":\"number\",\"minimum\":1.0},"
            + "\"mode\":{\"type\":\"string\",\"enum\":[\"read\",\"write\",\"both\"]}},"
            + "\"required\":[\"file_path\"],\"additionalProperties\":false}"
    }

    private static func description(_ index: Int) -> String {
        "\"Does the \(index). kind of work on files.\\n\\nUsage:\\n- give an absolute path\\n- read first; "
            + "never guess what is in a file, and never repeat a call that has failed for the same reason\\n"
            + "- results come with line numbers, \\\"cat -n\\\" style, and are cut after 2000 lines\""
    }

    /// How the bytes are shared out: none of it for small requests.
    private static func shares(_ size: Int) -> (system: Int, tools: Int, turns: Int) {
        guard size >= 1500 else { return (0, 0, 0) }
        return (size * 15 / 100, max(1, size / 4 / 700), max(1, size * 6 / 10 / 2200))
    }

    private static func messages(stream: Bool, size: Int, directive: Directive) -> String {
        let share = shares(size)
        var out = "{\"model\":\"\(MockWire.model)\",\"max_tokens\":4096,\"stream\":\(stream)"
        if share.system > 0 {
            out +=
                ",\"system\":[{\"type\":\"text\",\"text\":\(filler(system, share.system)),"
                + "\"cache_control\":{\"type\":\"ephemeral\"}}],\"tools\":["
            out += (0..<share.tools).map {
                "{\"name\":\"tool_\($0)\",\"description\":\(description($0)),\"input_schema\":\(schema($0))}"
            }.joined(separator: ",")
            out += "]"
        }
        out += ",\"messages\":["
        for turn in 0..<share.turns {
            out +=
                "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Step \(turn): read the file.\"}]},"
                + "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"I read it.\"},{\"type\":\"tool_use\","
                + "\"id\":\"toolu_\(turn)\",\"name\":\"tool_0\",\"input\":{\"file_path\":\"/tmp/a\\\"b\",\"limit\":1.10}}]},"
                + "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"toolu_\(turn)\","
                + "\"content\":\(filler(result, 1700))}]},"
                + "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"It greets.\"}]},"
        }
        return out + "{\"role\":\"user\",\"content\":\(last(size, directive))}]}"
    }

    private static func last(_ size: Int, _ directive: Directive) -> String {
        let padding = size < 1500 ? max(0, size - 220) : 0
        var text = ""
        while text.utf8.count < padding { text += "Tell me of the caravan. " }
        return JSONObject.quoted(text + directive.text)
    }

    private static func completions(stream: Bool, size: Int, directive: Directive) -> String {
        let share = shares(size)
        var out = "{\"model\":\"\(MockWire.model)\",\"max_tokens\":4096,\"stream\":\(stream)"
        if stream { out += ",\"stream_options\":{\"include_usage\":true}" }
        if share.tools > 0 {
            out += ",\"tools\":["
            out += (0..<share.tools).map {
                "{\"type\":\"function\",\"function\":{\"name\":\"tool_\($0)\",\"description\":\(description($0)),"
                    + "\"parameters\":\(schema($0))}}"
            }.joined(separator: ",")
            out += "]"
        }
        out += ",\"messages\":["
        if share.system > 0 { out += "{\"role\":\"system\",\"content\":\(filler(system, share.system))}," }
        for turn in 0..<share.turns {
            out +=
                "{\"role\":\"user\",\"content\":\"Step \(turn): read the file.\"},"
                + "{\"role\":\"assistant\",\"content\":\"I read it.\",\"tool_calls\":[{\"id\":\"toolu_\(turn)\","
                + "\"type\":\"function\",\"function\":{\"name\":\"tool_0\",\"arguments\":"
                + "\"{\\\"file_path\\\":\\\"/tmp/a\\\\\\\"b\\\",\\\"limit\\\":1.10}\"}}]},"
                + "{\"role\":\"tool\",\"tool_call_id\":\"toolu_\(turn)\",\"content\":\(filler(result, 1700))},"
                + "{\"role\":\"assistant\",\"content\":\"It greets.\"},"
        }
        return out + "{\"role\":\"user\",\"content\":\(last(size, directive))}]}"
    }
}
