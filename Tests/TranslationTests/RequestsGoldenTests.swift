// One folder per case under Golden/requests: what comes in (`anthropic.json`), for whom (`profile.txt`,
// lines of `key value`), and what has to come out: `openai.json` byte for byte with what was left out in
// `omissions.txt`, or `error.txt`. `GOLDEN=record` writes the expectations; a change of them is a diff to
// be read.

import Foundation
import Testing

@testable import Translation

struct GoldenRequest: CustomTestStringConvertible, Sendable {
    let folder: URL
    var testDescription: String { folder.lastPathComponent }

    static let all = all(in: "requests")

    static func all(in room: String) -> [GoldenRequest] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Golden").appendingPathComponent(room)
        let found = try? FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)
        return (found ?? []).filter(\.hasDirectoryPath).map(GoldenRequest.init)
            .sorted { $0.testDescription < $1.testDescription }
    }

    func text(_ name: String) -> String? {
        try? String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
    }

    func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    }

    var target: UpstreamTarget {
        var target = UpstreamTarget(model: "local-model", profile: .openaiCompatible)
        for line in (text("profile.txt") ?? "").split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard words.count == 2 else { continue }
            switch words[0] {
            case "profile": target.profile = Profile.named(words[1]) ?? target.profile
            case "model": target.model = words[1]
            case "window": target.contextWindow = Int(words[1])
            case "vision": target.profile.vision = words[1] == "true"
            case "echo": target.profile.reasoningEcho = words[1] == "think-tags" ? .thinkTags : .none
            case "pdf": continue
            case "history": target.healsHistory = words[1] == "heal"
            case "calls": target.sequentialCalls = words[1] == "sequential"
            case "alternation": target.profile.strictAlternation = words[1] == "strict"
            case "dialect": target.profile.dialect = Dialect(rawValue: words[1]) ?? .openAI
            case "head": break
            case "output-limit": target.outputLimit = Int(words[1])
            case "remedy": target.reasoningRemedy = words[1] == "filled" ? .filled : .thinkingOff
            case "keep-alive":
                target.keepAlive = Int(words[1]).map { .seconds($0) } ?? .time(words[1])
            case "lacking":
                target.lacking = Set(
                    words[1].split(separator: " ").compactMap { Feature(rawValue: String($0)) })
            case "cut":
                let counts = words[1].split(separator: " ").compactMap { Int($0) }
                if counts.count == 2 {
                    target.promptCut = PromptCut(estimated: counts[0], evaluated: counts[1])
                }
            default: Issue.record("profile.txt: unknown word \(words[0])")
            }
        }
        return target
    }

    /// What of the request's head concerns a backend of the same API: lines `head NAME VALUE`.
    var head: MessagesHead {
        var head = MessagesHead()
        for line in (text("profile.txt") ?? "").split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 2).map(String.init)
            guard words.count == 3, words[0] == "head" else { continue }
            switch words[1] {
            case "version": head.version = words[2]
            case "beta": head.betas.append(words[2])
            case "query": head.isBeta = words[2] == "beta=true"
            default: Issue.record("profile.txt: unknown field \(words[1])")
            }
        }
        return head
    }

    /// What every PDF of the request was read as; nil = nobody read it.
    var pdfReading: PDFReading? {
        for line in (text("profile.txt") ?? "").split(separator: "\n") where line.hasPrefix("pdf ") {
            switch line.dropFirst(4) {
            case "empty": return .empty
            case "unreadable": return .unreadable
            case let words where words.hasPrefix("cut "):
                return PDFReading(output: Array(words.dropFirst(4).utf8), isCut: true)
            case let words: return PDFReading(output: Array(words.utf8), isCut: false)
            }
        }
        return nil
    }

    /// File name to content, as it came out.
    func outcome() throws -> [String: String] {
        do {
            var request = try MessagesRequest(parsing: try bytes("anthropic.json").trimmedEnd)
            request.head = head
            if let pdfReading { for pdf in request.pdfs { request.read(pdf, as: pdfReading) } }
            if let answer = request.localAnswer { return ["local.txt": "\(answer)\n"] }
            let call = try request.converted(for: target)
            let omissions = call.omissions.map { "\($0.path): \($0.reason)\n" }.joined()
            let body = String(decoding: call.body, as: UTF8.self) + "\n"
            var files: [String: String]
            switch target.profile.dialect {
            case .openAI: files = ["openai.json": body]
            case .ollama: files = ["ollama.json": body]
            case .anthropic:
                let fields = call.headers.map { "\($0.name): \($0.value)\n" }.joined()
                files = ["relayed.txt": "POST \(call.path)\n\(fields)\n\(body)"]
            }
            if !omissions.isEmpty { files["omissions.txt"] = omissions }
            if !call.repairs.isEmpty { files["repairs.txt"] = call.repairs.map { $0 + "\n" }.joined() }
            return files
        } catch let error as ClientError {
            let code = error.code.map { " \($0)" } ?? ""
            return ["error.txt": "\(error.status) \(error.kind.rawValue)\(code)\n\(error.message)\n"]
        }
    }
}

extension [UInt8] {
    /// Files end in a newline; requests need not.
    fileprivate var trimmedEnd: [UInt8] { last == 0x0A ? dropLast() : self }
}

@Suite struct RequestsGoldenTests {
    private static let isRecording = ProcessInfo.processInfo.environment["GOLDEN"] == "record"
    private static let expectations = [
        "openai.json", "ollama.json", "relayed.txt", "omissions.txt", "repairs.txt", "error.txt", "local.txt",
    ]

    @Test func thereAreCases() { #expect(GoldenRequest.all.count > 100) }

    @Test(arguments: GoldenRequest.all)
    func golden(sample: GoldenRequest) throws {
        #expect(sample.text("WHY.md")?.isEmpty == false, "a case says what it shows")
        let outcome = try sample.outcome()
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
}
