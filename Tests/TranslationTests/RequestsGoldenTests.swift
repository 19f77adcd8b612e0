// One folder per case under Golden/requests: what comes in (`anthropic.json`), for whom (`profile.txt`, read by
// `GoldenProfile`), and what has to come out: `openai.json` byte for byte with what was left out in
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

    /// For whom; a line that is not understood fails the test that asks.
    var profile: GoldenProfile {
        let profile = GoldenProfile(text("profile.txt") ?? "")
        for mistake in profile.mistakes { Issue.record("\(testDescription)/profile.txt: \(mistake)") }
        return profile
    }

    var target: UpstreamTarget { profile.target }

    /// File name to content, as it came out.
    func outcome() throws -> [String: String] {
        do {
            let profile = profile
            let target = profile.target
            var request = try MessagesRequest(parsing: try bytes("anthropic.json").trimmedEnd)
            request.head = profile.head
            if let pdfReading = profile.pdfReading {
                for pdf in request.pdfs { request.read(pdf, as: pdfReading) }
            }
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
