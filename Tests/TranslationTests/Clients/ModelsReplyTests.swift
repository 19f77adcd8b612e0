// The model list: both shapes, pages, dates.

import JSON
import Testing

@testable import Translation

@Suite("model list")
struct ModelsReplyTests {
    private let entries = (1...5).map { ModelEntry(id: "m\($0)", created: 1_700_000_000) }

    private func page(_ page: ModelPage) throws -> (ids: [String], more: Bool?, first: String?, last: String?)
    {
        let root = try JSONDocument(parsing: ModelsReply.anthropicList(entries, page: page)).root
        let ids = root["data"]?.elements.compactMap { $0["id"]?.string } ?? []
        return (ids, root["has_more"]?.bool, root["first_id"]?.string, root["last_id"]?.string)
    }

    @Test(
        "pages",
        arguments: [
            (ModelPage(limit: 2), ["m1", "m2"], true),
            (ModelPage(limit: 5), ["m1", "m2", "m3", "m4", "m5"], false),
            (ModelPage(limit: 2, afterID: "m2"), ["m3", "m4"], true),
            (ModelPage(limit: 2, afterID: "m3"), ["m4", "m5"], false), (ModelPage(afterID: "m5"), [], false),
            (ModelPage(limit: 2, beforeID: "m4"), ["m2", "m3"], true),
            (ModelPage(limit: 9, beforeID: "m3"), ["m1", "m2"], false),
            (ModelPage(beforeID: "m1"), [], false),
            (ModelPage(limit: 0), ["m1"], true), (ModelPage(limit: 1, afterID: "nobody"), ["m1"], true),
        ])
    func pages(_ asked: ModelPage, _ ids: [String], _ more: Bool) throws {
        let got = try page(asked)
        #expect(got.ids == ids)
        #expect(got.more == more)
        #expect(got.first == ids.first)
        #expect(got.last == ids.last)
    }

    @Test("an entry has all that strict clients ask for")
    func anthropicEntry() {
        let entry = ModelEntry(
            id: "a/b:c", displayName: "B \"c\"", created: 1_763_683_200, description: "on gpu1",
            maxInputTokens: 32768, maxOutputTokens: 4096)
        #expect(
            String(decoding: ModelsReply.anthropic(entry), as: UTF8.self)
                == #"{"type":"model","id":"a/b:c","display_name":"B \"c\"","created_at":"2025-11-21T00:00:00Z","lifecycle":"active","description":"on gpu1","max_input_tokens":32768,"max_tokens":4096,"capabilities":null}"#
        )
    }

    @Test("capabilities have every member that the shape knows")
    func capabilities() throws {
        var entry = ModelEntry(id: "m")
        entry.capabilities = ModelCapabilities(
            thinking: true, effort: false, images: true, documents: false, structuredOutput: true)
        let root = try JSONDocument(parsing: ModelsReply.anthropic(entry)).root
        let told = try #require(root["capabilities"])
        #expect(
            told.members.map { $0.name.string } == [
                "batch", "citations", "code_execution", "context_management", "effort", "image_input",
                "pdf_input",
                "server_tools", "structured_outputs", "thinking",
            ])
        let supported = told.members.filter { $0.value["supported"]?.bool == true }.map { $0.name.string }
        #expect(supported == ["context_management", "image_input", "structured_outputs", "thinking"])
        #expect(told.members.allSatisfy { $0.value["supported"]?.bool != nil })
        let types = try #require(told["thinking"]?["types"])
        #expect(
            types.members.map { "\($0.name.string ?? "") \($0.value["supported"]?.bool == true)" }
                == ["adaptive true", "between_tools true", "disabled true", "enabled true"])
        let effort = told["effort"]?.members.map { $0.name.string }
        #expect(effort == ["supported", "low", "medium", "high", "xhigh", "max"])
    }

    @Test("the OpenAI shape")
    func openAI() {
        #expect(
            String(
                decoding: ModelsReply.openAIList([ModelEntry(id: "x", created: 7, owner: "gpu1")]),
                as: UTF8.self)
                == #"{"object":"list","data":[{"id":"x","object":"model","created":7,"owned_by":"gpu1"}]}"#)
        #expect(
            String(decoding: ModelsReply.openAIList([]), as: UTF8.self) == #"{"object":"list","data":[]}"#)
    }

    @Test(
        "dates",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"), (1_709_251_200, "2024-03-01T00:00:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"), (-5, "1970-01-01T00:00:00Z"),
            (Int.max, "9999-12-31T23:59:59Z"),
        ])
    func dates(_ seconds: Int, _ text: String) { #expect(ModelsReply.timestamp(seconds) == text) }

    @Test("a count and nothing else")
    func count() { #expect(CountTokensReply.body(inputTokens: 12) == Array(#"{"input_tokens":12}"#.utf8)) }
}
