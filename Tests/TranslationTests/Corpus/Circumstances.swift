// For whom and under what circumstances a golden case is translated: the lines `key: value` of its section
// `circumstances`, one language for all rooms. A line that is not understood, or that its room does not ask for,
// is a mistake, not a case that shows something else than its author meant.

import BackendSettings

@testable import Translation

struct Circumstances {
    /// Every key, grouped by what it tells of.
    enum Key: String, CaseIterable {
        // The backend and its model, as the configuration and probing know them.
        case profile, dialect, model, window, remedy, vision, echo, history, calls, alternation, lacking, cut
        case outputLimit = "output-limit"
        case loadedWindow = "loaded-window"
        case keepAlive = "keep-alive"
        /// Of the server's caches the one that has the conversation.
        case slot
        case textCalls = "text-calls"
        case thinkTags = "think-tags"
        // The request.
        case anthropicVersion = "anthropic-version"
        case anthropicBeta = "anthropic-beta"
        case query, pdf, client
        /// Tokens of its prompt, where that would have to be long.
        case estimate
        // The answer.
        case status, end
        case retryAfter = "retry-after"
        case rateLimitReset = "x-ratelimit-reset-requests"
        case shouldRetry = "x-should-retry"

        /// The others stand there once.
        var isRepeatable: Bool { self == .anthropicBeta }
    }

    var target = UpstreamTarget(model: "local-model", profile: .openaiCompatible)
    /// What of the request's head concerns a backend of the same API.
    var head = MessagesHead()
    /// What every PDF of the request was read as; nil = nobody read it.
    var pdfReading: PDFReading?
    var estimate: Int?
    var client = ClientAPI.messages
    var answer = UpstreamHead(status: 200, contentType: "")
    var end = UpstreamEnd.complete
    /// Lines that say nothing, each with the reason.
    private(set) var mistakes: [String] = []

    /// - Parameter known: the keys that may stand there.
    init(_ lines: [(key: String, value: String)], known: Set<Key> = Set(Key.allCases)) {
        var understood: [(key: Key, value: String)] = []
        for (word, value) in lines {
            guard let key = Key(rawValue: word), known.contains(key) else {
                mistakes.append("\(word): \(value): no such key here")
                continue
            }
            if !key.isRepeatable, understood.contains(where: { $0.key == key }) {
                wrong(key, value, "stands there twice")
            }
            understood.append((key, value))
        }
        // The others change what the profile has, so it comes first wherever it stands.
        for line in understood where line.key == .profile { read(line.key, line.value) }
        for line in understood where line.key != .profile { read(line.key, line.value) }
    }

    private mutating func read(_ key: Key, _ value: String) {
        switch key {
        case .profile, .dialect, .model, .window, .remedy, .vision, .echo, .history, .calls, .alternation,
            .lacking, .cut, .outputLimit, .loadedWindow, .keepAlive, .slot, .textCalls, .thinkTags:
            readBackend(key, value)
        case .anthropicVersion: head.version = value
        case .anthropicBeta: head.betas.append(value)
        case .query: choose(key, value, ["beta=true": true]) { $0.head.isBeta = $1 }
        case .pdf: readPDF(value)
        case .client: choose(key, value, ["chat": .chat]) { $0.client = $1 }
        case .estimate: number(key, value) { $0.estimate = $1 }
        case .status: number(key, value) { $0.answer.status = $1 }
        case .end:
            choose(
                key, value,
                [
                    "broken": .broken(detail: "connection reset"),
                    "unreachable": .unreachable(detail: "connection refused"),
                    "misconfigured": .misconfigured(detail: "certificate has expired"),
                    "timed-out": .timedOut(limit: "idle"),
                ]
            ) { $0.end = $1 }
        case .retryAfter: answer.retryAfter = value
        case .rateLimitReset: answer.rateLimitReset = value
        case .shouldRetry: choose(key, value, ["true": true, "false": false]) { $0.answer.shouldRetry = $1 }
        }
    }

    private mutating func readBackend(_ key: Key, _ value: String) {
        switch key {
        case .profile:
            guard let profile = Profile.named(value) else { return wrong(key, value, "no such profile") }
            target.profile = profile
        case .dialect:
            guard let dialect = Dialect(rawValue: value) else { return wrong(key, value, "no such dialect") }
            target.profile.dialect = dialect
        case .model: target.model = value
        case .window: number(key, value) { $0.target.contextWindow = $1 }
        case .loadedWindow: number(key, value) { $0.target.loadedWindow = $1 }
        case .outputLimit: number(key, value) { $0.target.outputLimit = $1 }
        case .slot: number(key, value) { $0.target.slot = $1 }
        case .remedy:
            choose(key, value, ["filled": .filled, "off": .thinkingOff]) { $0.target.reasoningRemedy = $1 }
        case .vision: choose(key, value, ["true": true, "false": false]) { $0.target.profile.vision = $1 }
        case .echo:
            let known: [String: ReasoningEcho] = [
                "think-tags": .thinkTags, "reasoning-content": .reasoningContent,
            ]
            choose(key, value, known) { $0.target.profile.reasoningEcho = $1 }
        case .history: choose(key, value, ["heal": .heal]) { $0.target.settings.history = $1 }
        case .calls: choose(key, value, ["sequential": .sequential]) { $0.target.settings.toolCalls = $1 }
        case .alternation:
            choose(key, value, ["strict": true]) { $0.target.profile.strictAlternation = $1 }
        case .keepAlive: target.settings.keepAlive = Int(value).map { .seconds($0) } ?? .time(value)
        case .textCalls:
            choose(key, value, ["off": .off]) { $0.target.settings.textCalls = $1 }
        case .thinkTags:
            let known: [String: ConversionSettings.ThinkTags] = ["implicit": .implicit, "off": .off]
            choose(key, value, known) { $0.target.settings.thinkTags = $1 }
        case .lacking:
            let words = value.split(separator: " ")
            target.lacking = Set(words.compactMap { Feature(rawValue: String($0)) })
            if target.lacking.count != words.count { wrong(key, value, "no such feature, or one twice") }
        case .cut:
            let counts = value.split(separator: " ").map { Int($0) }
            guard counts.count == 2, let estimated = counts[0], let evaluated = counts[1] else {
                return wrong(key, value, "expected two numbers of tokens")
            }
            target.promptTruncation = PromptTruncation(estimated: estimated, evaluated: evaluated)
        default: wrong(key, value, "tells nothing of the backend")
        }
    }

    private mutating func readPDF(_ value: String) {
        switch value {
        case "empty": pdfReading = .empty
        case "unreadable": pdfReading = .unreadable
        case let words where words.hasPrefix("cut "):
            pdfReading = PDFReading(output: Array(words.dropFirst(4).utf8), isCut: true)
        case let words: pdfReading = PDFReading(output: Array(words.utf8), isCut: false)
        }
    }

    private mutating func number(_ key: Key, _ word: String, set: (inout Self, Int) -> Void) {
        guard let value = Int(word) else { return wrong(key, word, "expected a number") }
        set(&self, value)
    }

    private mutating func choose<Value>(
        _ key: Key, _ word: String, _ known: [String: Value], set: (inout Self, Value) -> Void
    ) {
        guard let value = known[word] else {
            return wrong(key, word, "expected \(known.keys.sorted().joined(separator: " or "))")
        }
        set(&self, value)
    }

    private mutating func wrong(_ key: Key, _ value: String, _ reason: String) {
        mistakes.append("\(key.rawValue): \(value): \(reason)")
    }
}

extension GoldenRoom {
    /// What the circumstances of its cases can tell.
    var keys: Set<Circumstances.Key> {
        let backend: Set<Circumstances.Key> = [
            .profile, .dialect, .model, .window, .remedy, .vision, .echo, .history, .calls, .alternation,
            .lacking, .cut, .outputLimit, .keepAlive, .slot,
        ]
        switch self {
        case .requests: return backend.union([.anthropicVersion, .anthropicBeta, .query, .pdf])
        case .chatRequests: return backend
        case .streams, .chatStreams:
            return [
                .profile, .dialect, .window, .loadedWindow, .echo, .textCalls, .thinkTags, .estimate, .status,
                .end,
            ]
        case .relays: return [.client, .status, .end, .retryAfter, .shouldRetry]
        case .errors:
            return [
                .profile, .dialect, .window, .estimate, .status, .retryAfter, .rateLimitReset, .shouldRetry,
            ]
        }
    }
}

extension GoldenCase {
    /// - Throws: everything that is wrong with them.
    func circumstances(_ file: CaseFile) throws -> Circumstances {
        let read = Circumstances(try file.circumstances(), known: room.keys)
        guard read.mistakes.isEmpty else {
            throw CaseFile.Mistake(read.mistakes.joined(separator: "\n"))
        }
        return read
    }
}
