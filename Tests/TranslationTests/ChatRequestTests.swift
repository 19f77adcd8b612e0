// Requests of OpenAI's API under `Golden/chat-requests`, and what has to come out of each: `openai`, what a backend of
// the same API is sent; `messages`, the Messages request that other dialects are made from; `ollama`, what Ollama
// gets of it; `anthropic`, the same for an API that is sent just that; what was left out for each; or `error`.

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
            for (name, dialect) in [
                ("openai", Dialect.openAI), ("messages", .ollama), ("anthropic", .anthropic),
            ] {
                var target = circumstances.target
                target.profile.dialect = dialect
                let call = try converted(request, target)
                if dialect == .ollama {
                    target.profile = .ollamaNative
                    let call = try request.converted(for: target)
                    files["ollama"] = String(decoding: call.body, as: UTF8.self) + "\n"
                    let omissions = call.omissions.map { "\($0.path): \($0.reason)\n" }.joined()
                    if !omissions.isEmpty { files["ollama omissions"] = omissions }
                }
                files[name] = String(decoding: call.body, as: UTF8.self) + "\n"
                let omissions = call.omissions.map { "\($0.path): \($0.reason)\n" }.joined()
                if !omissions.isEmpty { files["\(name) omissions"] = omissions }
            }
            return files
        } catch let error as ClientError {
            let words = String(decoding: error.body(requestID: "", door: .chat), as: UTF8.self)
            files["error"] = "\(error.status(at: .chat))\n\(words)\n"
            return files
        }
    }

    private static func converted(_ request: ChatRequest, _ target: UpstreamTarget) throws -> UpstreamCall {
        guard target.profile.dialect == .ollama else { return try request.converted(for: target) }
        let body = try ChatMessagesBody(request, target)
        // Whatever is made of a chat request must be a request for our own reader.
        _ = try MessagesRequest(parsing: body.bytes)
        return UpstreamCall(path: "", body: body.bytes, omissions: body.omissions, plan: body.plan)
    }
}
