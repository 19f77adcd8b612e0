// The golden cases: `Golden/ROOM/TOPIC/NAME.case`, a file each, named for what it shows. Inputs in, outputs out,
// compared byte for byte; `GOLDEN=record` writes what came out into the file, for review as a diff.

import Foundation
import Testing

@testable import Translation

/// What is translated: the folders beneath `Golden`.
enum GoldenRoom: String, CaseIterable, Sendable {
    /// A Messages request for a backend.
    case requests
    /// A backend's answer for a Messages client.
    case streams
    /// An answer of the client's own API, handed through.
    case relays
    /// A backend's failure.
    case errors
    /// A request of OpenAI's API, for each dialect.
    case chatRequests = "chat-requests"
    /// A backend's answer for a client of OpenAI's API.
    case chatStreams = "chat-streams"

    /// A request may stand before the answer: the client's, where more of it matters than that there is one.
    var allowsRequest: Bool {
        switch self {
        case .streams, .chatStreams: true
        case .requests, .chatRequests, .relays, .errors: false
        }
    }

    /// One of these is there.
    var inputs: [String] {
        switch self {
        case .requests, .chatRequests: ["request"]
        case .streams, .chatStreams: ["answer.sse", "answer.ndjson", "answer.json"]
        case .relays: ["answer.sse", "answer.json", "answer.html"]
        case .errors: ["answer.json", "answer.html"]
        }
    }

    /// In the order in which they stand.
    var outputs: [String] {
        switch self {
        case .requests:
            ["openai", "ollama", "passthrough", "plan", "omissions", "repairs", "error", "local answer"]
        case .streams: ["stream", "whole", "repairs"]
        case .relays: ["stream", "facts", "whole"]
        case .errors: ["error"]
        case .chatRequests:
            [
                "openai", "ollama", "ollama plan", "ollama omissions", "anthropic", "anthropic plan",
                "anthropic omissions", "error",
            ]
        case .chatStreams: ["stream", "whole"]
        }
    }
}

struct GoldenCase: CustomTestStringConvertible, Sendable {
    let room: GoldenRoom
    let file: URL

    var name: String { file.deletingPathExtension().lastPathComponent }
    var testDescription: String { name }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Golden")
    static let isRecording = ProcessInfo.processInfo.environment["GOLDEN"] == "record"

    /// All cases of a room by name, whatever their topics.
    static func all(in room: GoldenRoom) -> [GoldenCase] {
        files(beneath: root.appendingPathComponent(room.rawValue))
            .map { GoldenCase(room: room, file: $0) }
            .sorted { $0.name < $1.name }
    }

    /// Every file, also those that are no case: they fail when they are read.
    private static func files(beneath folder: URL) -> [URL] {
        let found = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return (found ?? []).flatMap { $0.hasDirectoryPath ? files(beneath: $0) : [$0] }
    }

    func bytes() throws -> [UInt8] { Array(try Data(contentsOf: file)) }

    /// The case, if it is one of its room.
    func read() throws -> CaseFile {
        guard file.pathExtension == "case" else { throw CaseFile.Mistake("\(file.path) is no case") }
        let read = try CaseFile(parsing: try bytes())
        var inputs = 0
        for section in read.sections {
            switch section.kind {
            case .circumstances: break
            case .input where room.inputs.contains(section.name): inputs += 1
            case .input where room.allowsRequest && section.name == "request" && inputs == 0: break
            case .output where room.outputs.contains(section.name): break
            case .input, .output:
                throw CaseFile.Mistake(
                    "\(section.kind.rawValue) \(section.name) is no section of \(room.rawValue)")
            }
        }
        guard inputs == 1 else {
            throw CaseFile.Mistake("expected one input: \(room.inputs.joined(separator: " or "))")
        }
        return read
    }

    /// Compares an output with what is recorded, or records it; nil = there is none.
    func expect(_ bytes: [UInt8]?, is output: String) throws {
        var file = try read()
        if Self.isRecording {
            file.record(bytes, as: output, order: room.outputs)
            return try Data(file.printed).write(to: self.file, options: .atomic)
        }
        let expected = file.output(output)
        // As text where that tells the difference: it can be read.
        let texts = [expected, bytes].map { $0.map { String(decoding: $0, as: UTF8.self) } }
        guard texts[0] == texts[1] else { return #expect(texts[1] == texts[0], "\(name): \(output)") }
        #expect(bytes == expected, "\(name): \(output)")
    }

    func expect(_ text: String?, is output: String) throws {
        try expect(text.map { Array($0.utf8) }, is: output)
    }
}
