// For whom a golden request is converted: the lines of its `profile.txt`, `key value` each. A line that is not
// understood is a mistake, not a case that shows something else than its author meant.

import Testing

@testable import Translation

struct GoldenProfile {
    private(set) var target = UpstreamTarget(model: "local-model", profile: .openaiCompatible)
    /// What of the request's head concerns a backend of the same API: lines `head NAME VALUE`.
    private(set) var head = MessagesHead()
    /// What every PDF of the request was read as; nil = nobody read it.
    private(set) var pdfReading: PDFReading?
    /// Lines that say nothing, each with the reason.
    private(set) var mistakes: [String] = []

    init(_ text: String) {
        let lines = text.split(separator: "\n")
        // The others change what the profile has, so it comes first wherever it stands.
        for line in lines where line.hasPrefix("profile ") { read(line) }
        for line in lines where !line.hasPrefix("profile ") { read(line) }
    }

    private mutating func read(_ line: Substring) {
        guard let space = line.firstIndex(of: " ") else { return wrong(line, "expected `key value`") }
        let value = String(line[line.index(after: space)...])
        switch line[..<space] {
        case "profile":
            guard let profile = Profile.named(value) else { return wrong(line, "no such profile") }
            target.profile = profile
        case "model": target.model = value
        case "window":
            guard let window = Int(value) else { return wrong(line, "expected a number of tokens") }
            target.contextWindow = window
        case "output-limit":
            guard let limit = Int(value) else { return wrong(line, "expected a number of tokens") }
            target.outputLimit = limit
        case "remedy":
            choose(line, value, ["filled": .filled, "off": .thinkingOff]) { $0.target.reasoningRemedy = $1 }
        case "vision": choose(line, value, ["true": true, "false": false]) { $0.target.profile.vision = $1 }
        case "echo": choose(line, value, ["think-tags": .thinkTags]) { $0.target.profile.reasoningEcho = $1 }
        case "history": choose(line, value, ["heal": true]) { $0.target.healsHistory = $1 }
        case "calls": choose(line, value, ["sequential": true]) { $0.target.sequentialCalls = $1 }
        case "alternation":
            choose(line, value, ["strict": true]) { $0.target.profile.strictAlternation = $1 }
        case "dialect":
            guard let dialect = Dialect(rawValue: value) else { return wrong(line, "no such dialect") }
            target.profile.dialect = dialect
        case "keep-alive": target.keepAlive = Int(value).map { .seconds($0) } ?? .time(value)
        case "lacking":
            let words = value.split(separator: " ")
            target.lacking = Set(words.compactMap { Feature(rawValue: String($0)) })
            if target.lacking.count != words.count { wrong(line, "no such feature, or one twice") }
        case "cut":
            let counts = value.split(separator: " ").map { Int($0) }
            guard counts.count == 2, let estimated = counts[0], let evaluated = counts[1] else {
                return wrong(line, "expected two numbers of tokens")
            }
            target.promptTruncation = PromptTruncation(estimated: estimated, evaluated: evaluated)
        case "pdf": readPDF(value)
        case "head": readHead(line, value)
        default: wrong(line, "no such key")
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

    private mutating func readHead(_ line: Substring, _ field: String) {
        let words = field.split(separator: " ", maxSplits: 1).map(String.init)
        guard words.count == 2 else { return wrong(line, "expected `head name value`") }
        switch words[0] {
        case "version": head.version = words[1]
        case "beta": head.betas.append(words[1])
        case "query": choose(line, words[1], ["beta=true": true]) { $0.head.isBeta = $1 }
        default: wrong(line, "no such field")
        }
    }

    private mutating func choose<Value>(
        _ line: Substring, _ word: String, _ known: [String: Value], set: (inout Self, Value) -> Void
    ) {
        guard let value = known[word] else {
            return wrong(line, "expected \(known.keys.sorted().joined(separator: " or "))")
        }
        set(&self, value)
    }

    private mutating func wrong(_ line: Substring, _ reason: String) { mistakes.append("\(line): \(reason)") }
}

@Suite struct GoldenProfileTests {
    @Test(
        "every kind of line",
        arguments: [
            "profile vllm", "window 4096", "lacking tools images", "cut 5000 4095", "head beta a-1,b-2",
            "pdf empty",
            "keep-alive 10m", "dialect anthropic", "calls sequential",
        ])
    func understood(line: String) { #expect(GoldenProfile(line + "\n").mistakes == []) }

    @Test(
        "a line that is not understood is a mistake",
        arguments: [
            "vllm", "profile", "profile vlm", "Profile vllm", "window many", "vision no", "echo loud",
            "lacking tool",
            "lacking tools tools", "cut 5000", "head beta", "head colour red", "head query beta",
            "history mend",
            "calls one", "dialect openAI", "quirk on",
        ])
    func mistaken(line: String) { #expect(GoldenProfile("model m\n\(line)\n").mistakes.count == 1) }

    @Test("the profile comes first, wherever it stands")
    func order() {
        let profile = GoldenProfile("vision false\nprofile vllm\n")
        #expect(profile.target.profile.name == "vllm" && !profile.target.profile.vision)
    }
}
