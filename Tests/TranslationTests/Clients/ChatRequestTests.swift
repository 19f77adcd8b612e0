// Requests of OpenAI's API under `Golden/chat-requests`, and what has to come out of each: `openai`, what a backend of
// the same API is sent; `ollama` and `anthropic`, what backends of these dialects get; what was left out for each;
// or `error`.

import JSON
import Testing

@testable import Translation

@Suite("golden chat requests")
struct ChatRequestTests {
    @Test func thereAreCases() { #expect(GoldenCase.all(in: .chatRequests).count > 40) }

    @Test("exact bytes", arguments: GoldenCase.all(in: .chatRequests))
    func golden(_ golden: GoldenCase) throws {
        let outcome = try Self.outcome(golden)
        for name in golden.room.outputs { try golden.expect(outcome[name], is: name) }
    }

    private static func outcome(_ golden: GoldenCase) throws -> [String: String] {
        let file = try golden.read()
        let circumstances = try golden.circumstances(file)
        var files: [String: String] = [:]
        do {
            let request = try ChatRequest(parsing: file.input("request") ?? [])
            let given = circumstances.target
            var (ollama, anthropic) = (given, given)
            ollama.profile = .ollamaNative
            anthropic.profile.dialect = .anthropic
            for (name, target) in [("openai", given), ("ollama", ollama), ("anthropic", anthropic)] {
                let call = try request.converted(for: target)
                files[name] = String(decoding: call.body, as: UTF8.self) + "\n"
                let omissions = call.omissions.map { "\($0.path): \($0.reason)\n" }.joined()
                if !omissions.isEmpty { files["\(name) omissions"] = omissions }
                if name != "openai" { files["\(name) plan"] = call.plan.text }
                // What goes to this API must be a request for our own reader of it.
                if name == "anthropic" { _ = try MessagesRequest(parsing: call.body) }
            }
            return files
        } catch {
            let error = error.error(for: .chat)
            let words = String(decoding: error.body(requestID: ""), as: UTF8.self)
            files["error"] = "\(error.status)\n\(words)\n"
            return files
        }
    }
}
