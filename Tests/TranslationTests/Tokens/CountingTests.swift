// How many tokens a prompt is said to have: the ratio that is learnt, and what it is applied to.

import Testing

@testable import Translation

@Suite("Token ratio") struct TokenRatioTests {
    static func learn(_ reports: [Double], estimated: Int = 10_000) -> TokenRatio {
        reports.reduce(TokenRatio.unknown) {
            $0.observing(reported: Int($1 * Double(estimated)), estimated: estimated)
        }
    }

    @Test("a few exchanges come within a twentieth of the truth", arguments: [0.8, 0.9, 1.1, 1.3, 2.0])
    func converges(truth: Double) {
        let ratio = Double(Self.learn(Array(repeating: truth, count: 4)).perThousand) / 1000
        #expect(abs(ratio - truth) < truth * 0.05, "\(ratio)")
        #expect(truth > 1 || ratio >= truth, "from above")
    }

    @Test("it rises faster than it falls, and no single report moves it far")
    func steps() {
        #expect(Self.learn([1.1]).perThousand == 1080 && Self.learn([0.9]).perThousand == 960)
        #expect(Self.learn([3.9]).perThousand == 1600 && Self.learn([0.5]).perThousand == 800)
        #expect(Self.learn([9.9, 9.9, 9.9, 9.9, 9.9, 9.9, 9.9]).perThousand > 3990)
    }

    @Test("small prompts weigh little, tiny ones and impossible counts nothing")
    func weights() {
        #expect(Self.learn([1.5], estimated: 1024).perThousand == 1200)
        #expect(Self.learn([1.5], estimated: 2048).perThousand == 1400)
        #expect(Self.learn([3.0], estimated: TokenRatio.leastEstimate - 1) == .unknown)
        #expect(Self.learn([0.49]) == .unknown && Self.learn([0]) == .unknown)
        let wild = TokenRatio.unknown.observing(reported: .max, estimated: 300)
        #expect(wild.perThousand <= 1600)
    }

    @Test("applied, it rounds up and never overflows")
    func application() {
        #expect(TokenRatio(perThousand: 1001).applied(to: 10) == 11)
        #expect(TokenRatio(perThousand: 500).applied(to: 0) == 0)
        #expect(TokenRatio(perThousand: 4000).applied(to: .max) == .max)
        #expect(TokenRatio(perThousand: 0).perThousand == 500)
    }
}

@Suite("Prompt estimate") struct PromptEstimateTests {
    static func request(_ body: String) throws -> MessagesRequest {
        try MessagesRequest(parsingCount: Array(body.utf8))
    }

    static func target(_ profile: Profile = .vllm, window: Int? = nil, perThousand: Int = 1000)
        -> UpstreamTarget
    {
        var target = UpstreamTarget(model: "m", profile: profile, contextWindow: window)
        target.tokenRatio = TokenRatio(perThousand: perThousand)
        return target
    }

    @Test("the ratio applies to texts, not to pictures")
    func pictures() throws {
        let picture =
            #"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}"#
        let words = String(repeating: "Good morning. ", count: 100)
        let body =
            #"{"model":"m","messages":[{"role":"user","content":[\#(picture),{"type":"text","text":"\#(words)"}]}]}"#
        let estimate = try Self.request(body).estimate(for: Self.target(perThousand: 2000))
        #expect(estimate.pictures == PromptTally.image && !estimate.isTelling)
        #expect(estimate.tokens == estimate.text * 2 + PromptTally.image)
    }

    @Test("a tool counts with its schema; one that no backend is sent does not")
    func tools() throws {
        func tokens(_ tools: String) throws -> Int {
            try Self.request(
                #"{"model":"m","tools":[\#(tools)],"messages":[{"role":"user","content":"Hi"}]}"#
            ).estimatedInputTokens
        }
        let none = try tokens("")
        let schema = #"{"type":"object","properties":{"\#(String(repeating: "long ", count: 400))":{}}}"#
        #expect(try tokens(#"{"name":"t","input_schema":\#(schema)}"#) > none + 400)
        #expect(try tokens(#"{"name":"web_search","type":"web_search_20250305"}"#) == none)
    }

    @Test("what was counted of a cut prompt, or of a doubtful one, teaches nothing")
    func telling() {
        var estimate = PromptEstimate()
        estimate.text = 10_000
        #expect(estimate.countOfText(in: 9000, contextWindow: nil) == 9000)
        // Ollama cuts to its window and counts what is left (ollama#3839).
        #expect(estimate.countOfText(in: 8192, contextWindow: 8192) == nil)
        #expect(estimate.countOfText(in: 8000, contextWindow: 8192) == nil)
        #expect(estimate.countOfText(in: 12_000, contextWindow: 12_288) == 12_000)
        estimate.isTelling = false
        #expect(estimate.countOfText(in: 9000, contextWindow: nil) == nil)
    }

    @Test(
        "an estimate refuses only what lies far beyond the window, a count what does not fit; answers are clamped"
    )
    func limits() throws {
        let words = String(repeating: "word ", count: 20_000)
        let body = #"{"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"\#(words)"}]}"#
        let request = try MessagesRequest(parsing: Array(body.utf8))
        let estimate = request.estimatedInputTokens
        let window = estimate + 4000
        let plain = try request.converted(for: Self.target(window: window))
        #expect(plain.plan.maxTokens < 9000 && plain.omissions.contains { $0.path == "max_tokens" })
        #expect(!request.isDoubtful(for: Self.target(window: window)))
        // In doubt: the backend decides.
        var doubtful = Self.target(window: window, perThousand: 1500)
        #expect(request.isDoubtful(for: doubtful))
        #expect(try request.converted(for: doubtful).plan.maxTokens == 1024)
        doubtful.countedPrompt = window
        #expect(!request.isDoubtful(for: doubtful))
        #expect(try request.converted(for: doubtful).plan.maxTokens == 1024)
        doubtful.countedPrompt = window / 2
        #expect(try request.converted(for: doubtful).plan.maxTokens == 9000)
        doubtful.countedPrompt = window + 1
        let refused = #expect(throws: Failure.self) { try request.converted(for: doubtful) }
        #expect(refused?.message == "prompt is too long: \(window + 1) tokens > \(window) maximum")
        // A ratio learnt from other texts makes no prompt lie far beyond.
        let learnt = Self.target(window: estimate / 2, perThousand: 2500)
        #expect(request.isDoubtful(for: learnt))
        #expect(throws: Never.self) { try request.converted(for: learnt) }
        let beyond = Self.target(window: estimate / 3 - 1)
        #expect(!request.isDoubtful(for: beyond))
        #expect(throws: Failure.self) { try request.converted(for: beyond) }
        #expect(throws: Never.self) { try request.converted(for: Self.target(window: estimate / 3 + 1)) }
        #expect(
            try ClientRequest(request).converted(for: Self.target(perThousand: 1500)).estimate.tokens
                == TokenRatio(perThousand: 1500).applied(to: estimate))
    }
}
