// `dragoman-worker translate`: its words, and what it shows.

import JSON
import Testing
import Translation

@testable import Worker

@Suite struct TranslateTests {
    static let dialects = ["--from", "anthropic", "--to", "openai"]

    @Test func wordsAreRead() throws {
        let plain = try TranslateArguments(Self.dialects)
        #expect(plain.profile == "openai-compatible")
        #expect(plain.model == nil && plain.file == nil && !plain.isRaw)
        let full = try TranslateArguments(
            ["body.json", "--profile", "vllm", "--raw", "--model", "qwen3:8b"] + Self.dialects)
        #expect(full.profile == "vllm" && full.model == "qwen3:8b" && full.file == "body.json" && full.isRaw)
        #expect(try TranslateArguments(Self.dialects + ["-"]).file == nil)
        #expect(TranslateArguments.profiles.count == Profile.all.count - 1)
    }

    @Test(
        "what is refused",
        arguments: [
            ([], "expected --from anthropic"), (["--from", "openai"], "expected --from anthropic"),
            (["--from", "anthropic"], "expected --to openai or --to ollama"),
            (["--from", "anthropic", "--to", "anthropic"], "expected --to openai or --to ollama"),
            (
                ["--from", "anthropic", "--to", "ollama", "--profile", "vllm"],
                "profile vllm does not speak ollama"
            ),
            (dialects + ["--profile", "ollama-native"], "profile ollama-native does not speak openai"),
            (dialects + ["--profile", "anthropic"], "unknown profile anthropic"),
            (dialects + ["--profile"], "--profile needs a value"),
            (dialects + ["--model", ""], "--model is empty"),
            (dialects + ["--pretty"], "unknown option --pretty"),
            (dialects + ["a", "b"], "expected one file, found 2"),
        ])
    func refused(words: [String], text: String) {
        #expect(throws: TranslateMistake(text)) { try TranslateArguments(words) }
    }

    @Test func ollamasOwnDialect() throws {
        let arguments = try TranslateArguments(["--from", "anthropic", "--to", "ollama"])
        #expect(arguments.profile == "ollama-native")
        let body = #"{"model":"m","max_tokens":5,"top_k":3,"messages":[{"role":"user","content":"a"}]}"#
        let shown = TranslateOutcome(Array(body.utf8), arguments)
        #expect(shown.notes == ["POST /api/chat"])
        let options = try JSONDocument(parsing: shown.output).root["options"]
        #expect(options?["top_k"]?.int == 3 && options?["num_predict"]?.int == 5)
        #expect(options?["num_ctx"]?.int == 32_768)
    }

    static func outcome(_ body: String, _ words: [String] = []) throws -> TranslateOutcome {
        TranslateOutcome(Array(body.utf8), try TranslateArguments(dialects + words))
    }

    @Test func theConversionAndWhatWasLeftOut() throws {
        let body =
            #"{"model":"m","max_tokens":5,"top_k":3,"messages":[{"role":"user","content":"a\n\u00e9"}]}"#
        let shown = try Self.outcome(body, ["--profile", "openai", "--model", "gpt-4o"])
        #expect(shown.status == 0)
        #expect(
            shown.notes == ["POST /v1/chat/completions", "left out: top_k: the backend does not take it"])
        let expected = """
            {
              "model": "gpt-4o",
              "messages": [
                {
                  "role": "user",
                  "content": "a\\n\\u00e9"
                }
              ],
              "max_completion_tokens": 5,
              "stream": false
            }

            """
        #expect(String(decoding: shown.output, as: UTF8.self) == expected)
        let raw = try Self.outcome(body, ["--profile", "openai", "--model", "gpt-4o", "--raw"]).output
        #expect(raw.count { $0 == 0x0A } == 1 && raw.last == 0x0A)
        #expect(try JSONDocument(parsing: raw).root["model"]?.string == "gpt-4o")
    }

    @Test func theModelOfTheRequestByDefault() throws {
        let body = #"{"model":"claude-x","messages":[{"role":"user","content":"a"}]}"#
        let shown = try Self.outcome(body, ["--raw"])
        #expect(try JSONDocument(parsing: shown.output).root["model"]?.string == "claude-x")
    }

    @Test func aBadRequestIsAnsweredInTheClientsWords() throws {
        let shown = try Self.outcome(#"{"model":"m","messages":[]}"#)
        #expect(shown.status == 65)
        #expect(shown.output.isEmpty)
        #expect(shown.notes == ["400 invalid_request_error: messages: at least one message is required"])
    }

    @Test func emptyContainersStayShort() {
        let text = PrettyJSON.text(Array(#"{"a":[],"b":{},"c":[1.10,[{}]]}"#.utf8))
        #expect(
            String(decoding: text, as: UTF8.self) == """
                {
                  "a": [],
                  "b": {},
                  "c": [
                    1.10,
                    [
                      {}
                    ]
                  ]
                }
                """)
        #expect(PrettyJSON.text(Array("nonsense".utf8)) == Array("nonsense".utf8))
    }
}
