// One folder per case under Golden/chat-requests: what an OpenAI client sends (`chat.json`), for whom
// (`profile.txt`), and what has to come out: `openai.json`, what a backend of the same API is sent;
// `messages.json`, the Messages request that other dialects are made from; `ollama.json`, what Ollama gets of it;
// `anthropic.json`, the same for an API that is sent just that; what was left out for each; or `error.txt`. `GOLDEN=record` writes the expectations.

import Foundation
import JSON
import Testing

@testable import Translation

@Suite("golden chat requests")
struct ChatRequestTests {
    private static let isRecording = ProcessInfo.processInfo.environment["GOLDEN"] == "record"
    private static let expectations = [
        "openai.json", "messages.json", "messages.omissions.txt", "ollama.json", "ollama.omissions.txt",
        "anthropic.json", "anthropic.omissions.txt",
        "error.txt",
    ]
    private static let all = GoldenRequest.all(in: "chat-requests")

    @Test func thereAreCases() { #expect(Self.all.count > 40) }

    @Test(arguments: all)
    func golden(sample: GoldenRequest) throws {
        #expect(sample.text("WHY.md")?.isEmpty == false, "a case says what it shows")
        let outcome = try Self.outcome(sample)
        for name in Self.expectations {
            if Self.isRecording {
                let file = sample.folder.appendingPathComponent(name)
                try? FileManager.default.removeItem(at: file)
                try outcome[name]?.write(to: file, atomically: true, encoding: .utf8)
            } else {
                #expect(outcome[name] == sample.text(name), "\(name)")
            }
        }
    }

    private static func outcome(_ sample: GoldenRequest) throws -> [String: String] {
        let body = try sample.bytes("chat.json")
        var files: [String: String] = [:]
        do {
            let request = try ChatRequest(parsing: body)
            for (name, dialect) in [
                ("openai", Dialect.openAI), ("messages", .ollama), ("anthropic", .anthropic),
            ] {
                var target = sample.target
                target.profile.dialect = dialect
                let call = try converted(request, target)
                if dialect == .ollama {
                    target.profile = .ollamaNative
                    let call = try request.converted(for: target)
                    files["ollama.json"] = String(decoding: call.body, as: UTF8.self) + "\n"
                    let omissions = call.omissions.map { "\($0.path): \($0.reason)\n" }.joined()
                    if !omissions.isEmpty { files["ollama.omissions.txt"] = omissions }
                }
                files["\(name).json"] = String(decoding: call.body, as: UTF8.self) + "\n"
                let omissions = call.omissions.map { "\($0.path): \($0.reason)\n" }.joined()
                if !omissions.isEmpty { files["\(name).omissions.txt"] = omissions }
            }
            return files
        } catch let error as ClientError {
            let words = String(decoding: error.body(requestID: "", door: .chat), as: UTF8.self)
            files["error.txt"] = "\(error.status(at: .chat))\n\(words)\n"
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
