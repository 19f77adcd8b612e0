// What a call asks of its backend that a model may not take.

import JSON
import Testing

@testable import Translation

@Suite("what a call contains")
struct CallFeaturesTests {
    private func features(_ body: String, _ profile: Profile = .vllm, lacking: Set<Feature> = []) throws
        -> Set<
            Feature
        >
    {
        var target = UpstreamTarget(model: "m", profile: profile)
        target.lacking = lacking
        let call = try MessagesRequest(parsing: Array(body.utf8)).converted(for: target)
        return RefusablePlan(call.plan).allFeatures
    }

    private let everything = """
        {"model":"x","max_tokens":9,"stream":true,"thinking":{"type":"adaptive"},"temperature":0.5,
        "tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],
        "tool_choice":{"type":"any","disable_parallel_tool_use":true},
        "output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},
        "messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png",
        "data":"AA=="}}]},{"role":"assistant","content":"So"}]}
        """

    @Test("all that a call asks for is known")
    func all() throws {
        #expect(try features(everything) == Set(Feature.allCases).subtracting([.maxCompletionTokens]))
        #expect(
            try features(everything.replacing(#",{"role":"assistant","content":"So"}"#, with: ""), .groq)
                .contains(.maxCompletionTokens))
    }

    @Test("a bare call contains only its length")
    func bare() throws {
        let body = #"{"model":"x","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#
        #expect(try features(body, .openaiCompatible) == [.maxTokens])
        // Thinking is switched off in words that a backend may not know.
        #expect(try features(body) == [.thinking, .maxTokens])
    }

    @Test("what is lacking is not contained", arguments: Feature.allCases.filter { $0 != .prefill })
    func without(_ feature: Feature) throws {
        let body =
            feature == .tools ? everything.replacing(#""type":"any","#, with: #""type":"auto","#) : everything
        let rest = try features(body, lacking: [feature])
        #expect(!rest.contains(feature) && rest.contains(.prefill))
    }

    @Test("of Ollama's own dialect")
    func ollama() throws {
        // It knows neither a choice of tools nor options of streams.
        let all: Set<Feature> = [
            .thinking, .effort, .tools, .structuredOutput, .images, .schemaKeywords, .prefill,
        ]
        #expect(try features(everything, .ollamaNative) == all)
        let body = everything.replacing(#""type":"any","#, with: #""type":"auto","#)
        #expect(try features(body, .ollamaNative, lacking: all.subtracting([.prefill])) == [.prefill])
    }

    @Test("earlier calls are tools, too, and earlier reasoning is thinking")
    func history() throws {
        let body = """
            {"model":"x","max_tokens":9,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[
            {"type":"thinking","thinking":"hm","signature":"s"},
            {"type":"tool_use","id":"a","name":"f","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"r"}]}]}
            """
        #expect(try features(body, .fireworks) == [.tools, .thinking, .maxTokens])
        #expect(try features(body, .fireworks, lacking: [.tools, .thinking]) == [.maxTokens])
    }
}
