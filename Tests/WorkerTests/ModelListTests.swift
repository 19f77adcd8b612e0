// What each kind of backend says of its models, and what is made of it.

import JSON
import Routing
import Shared
import Testing

@testable import Worker

@Suite struct ModelListTests {
    static func root(_ text: String) throws -> JSONNode { try JSONDocument(parsing: Array(text.utf8)).root }

    /// `id window loaded tools images chat`, with `-` for unknown.
    static func told(_ models: [ModelFacts]?) -> [String]? {
        func word(_ flag: Bool?) -> String { flag.map { $0 ? "yes" : "no" } ?? "-" }
        return models?.map { model in
            let window = model.contextWindow.map(String.init) ?? "-"
            let flags = [model.isLoaded, model.usesTools, model.seesImages].map(word).joined(separator: " ")
            return "\(model.id) \(window) \(flags)\(model.isChat ? "" : " nochat")"
        }
    }

    static let vllm =
        #"{"object":"list","data":[{"id":"Qwen/Qwen3-8B","object":"model","owned_by":"vllm","max_model_len":32768},{"id":"lora","parent":"Qwen/Qwen3-8B","max_model_len":32768}]}"#

    @Test(arguments: [
        (vllm, ["Qwen/Qwen3-8B 32768 - - -", "lora 32768 - - -"]),
        (#"{"object":"list","data":[]}"#, []), (#"{"object":"list","data":null}"#, []),
        // Together: a bare list, with kinds.
        (
            #"[{"id":"a","type":"chat","context_length":8192},{"id":"b","type":"embedding"},{"id":"c","type":"image"}]"#,
            ["a 8192 - - -", "b - - - - nochat", "c - - - - nochat"]
        ),
        // OpenRouter: the provider's window counts.
        (
            #"{"data":[{"id":"x/y","context_length":200000,"top_provider":{"context_length":131072},"supported_parameters":["tools","top_p"],"architecture":{"input_modalities":["text","image"]}},{"id":"z","context_length":10,"supported_parameters":[]}]}"#,
            ["x/y 131072 - yes yes", "z 10 - no -"]
        ),
        // Groq; Mistral; Fireworks.
        (
            #"{"data":[{"id":"g","context_window":131072},{"id":"whisper-large"}]}"#,
            ["g 131072 - - -", "whisper-large - - - - nochat"]
        ),
        (
            #"{"data":[{"id":"m","max_context_length":32000,"capabilities":{"completion_chat":true,"function_calling":true,"vision":false}},{"id":"e","capabilities":{"completion_chat":false}}]}"#,
            ["m 32000 - yes no", "e - - - - nochat"]
        ),
        (
            #"{"data":[{"id":"f","supports_chat":true,"supports_tools":false,"supports_image_input":true}]}"#,
            ["f - - no yes"]
        ),
        // llama.cpp with several models.
        (
            #"{"data":[{"id":"l1","status":{"value":"loaded"}},{"id":"l2","status":{"value":"unloaded"}}]}"#,
            ["l1 - yes - -", "l2 - no - -"]
        ),
        (
            #"{"data":[{"id":"text-embedding-3"},{"id":"gpt-5"}]}"#,
            ["text-embedding-3 - - - - nochat", "gpt-5 - - - -"]
        ),
        // Odd entries are passed over, doubles too; windows that cannot be are unknown.
        (
            #"{"data":[3,{},{"id":""},{"id":"a\u0000"},{"id":"ok","context_length":-1,"max_model_len":"9"},{"id":"ok"},{"id":"big","context_length":99999999999999999999}]}"#,
            ["ok - - - -", "big - - - -"]
        ),
    ])
    func lists(_ text: String, _ expected: [String]) throws {
        #expect(Self.told(ModelList.read(try Self.root(text))?.models) == expected)
    }

    @Test(arguments: [
        "{}", "3", #""data""#, #"{"data":{}}"#, #"{"data":[1,2]}"#, #"{"data":[{"name":"x"}]}"#,
        #"{"error":"Unexpected endpoint or method. (GET /v1/models). Returning 200 anyway"}"#,
        #"{"data":null}"#,
    ])
    func noLists(_ text: String) throws { #expect(ModelList.read(try Self.root(text)) == nil) }

    @Test func bounded() throws {
        let many = (0..<6000).map { #"{"id":"m\#($0)"}"# }.joined(separator: ",")
        #expect(ModelList.read(try Self.root("[\(many)]"))?.models.count == ProbeLimits.models)
        let long = String(repeating: "x", count: 257)
        #expect(ModelList.read(try Self.root(#"[{"id":"\#(long)"}]"#)) == nil)
    }

    @Test func owner() throws {
        #expect(ModelList.read(try Self.root(Self.vllm))?.owner == "vllm")
        #expect(ModelList.read(try Self.root(#"[{"id":"a"}]"#))?.owner == nil)
    }

    @Test func llamaProperties() throws {
        let props = try Self.root(
            #"{"total_slots":4,"default_generation_settings":{"n_ctx":8192},"modalities":{"vision":true},"chat_template_caps":{"supports_tools":true}}"#
        )
        var one = [ModelFacts(id: "m")]
        ModelDetails.props(props, into: &one)
        #expect(Self.told(one) == ["m 8192 yes yes yes"] && one[0].slots == 4)
        // With several, only what is in memory is meant.
        var several = [ModelFacts(id: "a", isLoaded: true), ModelFacts(id: "b", isLoaded: false)]
        ModelDetails.props(props, into: &several)
        #expect(Self.told(several) == ["a 8192 yes yes yes", "b - no - -"])
        var odd = [ModelFacts(id: "m", contextWindow: 5)]
        ModelDetails.props(try Self.root("[]"), into: &odd)
        #expect(Self.told(odd) == ["m 5 yes - -"] && odd[0].slots == nil)
        for slots in ["0", "-1", "1e9", "null", "99999999999999999999"] {
            ModelDetails.props(try Self.root(#"{"total_slots":\#(slots)}"#), into: &odd)
            #expect(odd[0].slots == nil)
        }
    }

    @Test func ollamaRunning() throws {
        var models = [
            ModelFacts(id: "qwen3:4b", contextWindow: 40960), ModelFacts(id: "llama3:latest"),
            ModelFacts(id: "x", contextWindow: 9),
        ]
        let ps = #"{"models":[{"name":"qwen3:4b","context_length":4096},{"model":"llama3:latest"}]}"#
        ModelDetails.running(try Self.root(ps), into: &models)
        #expect(Self.told(models) == ["qwen3:4b 4096 yes - -", "llama3:latest - yes - -", "x - no - -"])
    }

    @Test func ollamaShow() throws {
        var model = ModelFacts(id: "m")
        ModelDetails.show(try Self.root(#"{"capabilities":["completion","tools","thinking"]}"#), into: &model)
        #expect(Self.told([model]) == ["m - - yes no"])
        #expect(model.thinks == true)
        ModelDetails.show(try Self.root(#"{"capabilities":["embedding"]}"#), into: &model)
        #expect(Self.told([model]) == ["m - - no no nochat"])
        #expect(model.thinks == false)
        var old = ModelFacts(id: "m")
        ModelDetails.show(try Self.root("{}"), into: &old)
        #expect(Self.told([old]) == ["m - - - -"])
        #expect(old.thinks == nil)
    }

    @Test func ollamaShowsItsWindows() throws {
        var model = ModelFacts(id: "m")
        let show = """
            {"parameters":"stop \\"x\\"\\nnum_ctx                        16384\\n","capabilities":["completion","thinking"],
            "model_info":{"vision.context_length":77,"general.architecture":"qwen3","qwen3.context_length":40960}}
            """
        ModelDetails.show(try Self.root(show), into: &model)
        #expect(model.limit == 40_960 && model.presetWindow == 16_384 && model.thinks == true)
        #expect(!model.isRemote && model.contextWindow == nil)
        var remote = ModelFacts(id: "m")
        ModelDetails.show(
            try Self.root(
                #"{"remote_host":"https://ollama.com:443","model_info":{"gptoss.context_length":131072}}"#),
            into: &remote)
        #expect(remote.isRemote && remote.limit == 131_072 && remote.thinks == nil)
        var odd = ModelFacts(id: "m")
        ModelDetails.show(
            try Self.root(
                #"{"parameters":"num_ctx -1\nnum_ctx\nnum_ctx 9x","model_info":{"a.context_length":"9"}}"#),
            into: &odd)
        #expect(odd.limit == nil && odd.presetWindow == nil)
    }

    @Test func ollamaTags() throws {
        let tags = """
            {"models":[{"name":"a:1","model":"a:1","digest":"d1"},{"name":"b"},{"name":""},{"model":"a:1"},
            {"model":"nomic-embed-text:latest"}]}
            """
        let list = try #require(ModelList.tags(try Self.root(tags)))
        #expect(list.map(\.model.id) == ["a:1", "b", "nomic-embed-text:latest"])
        #expect(list.map(\.digest) == ["d1", "", ""])
        #expect(list.map(\.model.isChat) == [true, true, false])
        #expect(ModelList.tags(try Self.root(#"{"models":[]}"#))?.isEmpty == true)
        for other in [#"{"models":[{}]}"#, #"{"data":[]}"#, "[]", #"{"models":null}"#] {
            #expect(ModelList.tags(try Self.root(other)) == nil)
        }
    }

    @Test func studio() throws {
        var models = [ModelFacts(id: "a"), ModelFacts(id: "b"), ModelFacts(id: "c"), ModelFacts(id: "d")]
        let list = """
            {"data":[
            {"id":"a","type":"vlm","state":"loaded","loaded_context_length":8000,"max_context_length":131072},
            {"id":"b","type":"llm","state":"not-loaded","max_context_length":32768,"capabilities":["tool_use"]},
            {"id":"c","type":"embeddings","state":"loaded"},{"id":"unknown"}]}
            """
        ModelDetails.studio(try Self.root(list), into: &models)
        #expect(
            Self.told(models) == ["a 8000 yes - yes", "b - no yes no", "c - yes - no nochat", "d - - - -"])
    }
}
