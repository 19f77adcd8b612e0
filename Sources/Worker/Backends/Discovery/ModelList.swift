// What backends say of their models, read into facts. Pure: parsed answers in, facts out. Fields that are
// missing or of another kind leave a fact unknown; nothing from outside is trusted to be small.

internal import JSON
internal import Routing
internal import Shared

enum ModelList {
    /// The answer to `GET /v1/models`, in the shapes that backends give it: `{"data": […]}` or a bare list.
    struct Answer {
        var models: [ModelFacts]
        /// `owned_by` of the first model: several servers put their own name there.
        var owner: String?
        /// It says what it is a list of, as every server of this API does; others' lists have a `data` too.
        var saysSo = false
        /// In the shape of Anthropic's API.
        var isAnthropic = false
        /// There are more models behind the last one.
        var hasMore = false
    }

    /// nil when this is no list of models.
    static func read(_ root: JSONNode) -> Answer? {
        guard let list = root.isArray ? root : root["data"], list.isArray || isEmptyList(root, list) else {
            return nil
        }
        var answer = Answer(models: [], owner: nil)
        answer.saysSo =
            root["object"]?.stringEquals("list") == true
            || list.first?["object"]?.stringEquals("model") == true
        answer.isAnthropic =
            root["object"] == nil
            && (list.first?["type"]?.stringEquals("model") == true || root["has_more"]?.bool != nil)
        if answer.isAnthropic {
            answer.saysSo = true
            answer.hasMore = root["has_more"]?.bool == true
        }
        var seen: Set<String> = []
        for item in list.elements.prefix(ProbeLimits.models) {
            guard let facts = model(item), seen.insert(facts.id).inserted else { continue }
            if answer.owner == nil { answer.owner = item["owned_by"]?.string }
            answer.models.append(facts)
        }
        // Entries without a name are no models.
        return answer.models.isEmpty && !list.isEmpty ? nil : answer
    }

    /// Ollama's `/api/tags`; nil when this is none.
    static func tags(_ root: JSONNode) -> [(model: ModelFacts, digest: String)]? {
        guard let list = root["models"], list.isArray else { return nil }
        var seen: Set<String> = []
        var found: [(model: ModelFacts, digest: String)] = []
        for item in list.elements.prefix(ProbeLimits.models) {
            guard let id = (item["model"] ?? item["name"])?.string, isName(id), seen.insert(id).inserted
            else { continue }
            var facts = ModelFacts(id: id)
            facts.isChat = isChat(item, id)
            found.append((facts, item["digest"]?.string ?? ""))
        }
        return found.isEmpty && !list.isEmpty ? nil : found
    }

    /// Some servers answer `"data": null` as long as nothing is installed.
    private static func isEmptyList(_ root: JSONNode, _ list: JSONNode) -> Bool {
        list.isNull && root["object"]?.string == "list"
    }

    private static func model(_ item: JSONNode) -> ModelFacts? {
        guard let id = item["id"]?.string, isName(id) else { return nil }
        var facts = ModelFacts(id: id)
        // vLLM and SGLang; OpenRouter, Together and Fireworks; Groq; Mistral; Anthropic.
        let windows = [
            item["max_model_len"], item["context_length"], item["context_window"],
            item["max_context_length"], item["max_input_tokens"],
        ]
        facts.contextWindow = windows.lazy.compactMap { tokens($0) }.first
        // The provider behind OpenRouter may take less than the model could.
        if let provider = tokens(item["top_provider"]?["context_length"]) {
            facts.contextWindow = min(facts.contextWindow ?? provider, provider)
        }
        // OpenRouter; Groq.
        facts.outputLimit =
            tokens(item["top_provider"]?["max_completion_tokens"]) ?? tokens(item["max_completion_tokens"])
        facts.usesTools =
            contains(item["supported_parameters"], "tools") ?? item["supports_tools"]?.bool
            ?? item["capabilities"]?["function_calling"]?.bool
        facts.seesImages =
            contains(item["architecture"]?["input_modalities"], "image")
            ?? item["supports_image_input"]?.bool ?? item["capabilities"]?["vision"]?.bool
            ?? item["capabilities"]?["image_input"]?["supported"]?.bool
        // llama.cpp with several models.
        if let status = item["status"]?["value"]?.string { facts.isLoaded = status == "loaded" }
        facts.created = item["created"]?.int.flatMap { $0 > 0 ? $0 : nil }
        facts.isChat = isChat(item, id)
        return facts
    }

    private static func isChat(_ item: JSONNode, _ id: String) -> Bool {
        if let chat = item["capabilities"]?["completion_chat"]?.bool ?? item["supports_chat"]?.bool {
            return chat
        }
        if let type = item["type"]?.string {
            if ["chat", "llm", "vlm", "language", "code"].contains(type) { return true }
            if ["embedding", "embeddings", "rerank", "image", "audio", "moderation", "transcribe"].contains(
                type)
            {
                return false
            }
        }
        let folded = id.lowercased()
        return !["embed", "rerank", "whisper", "tts-", "moderation", "dall-e", "bge-"].contains {
            folded.contains($0)
        }
    }

    /// nil when there is no such list.
    private static func contains(_ list: JSONNode?, _ word: StaticString) -> Bool? {
        guard let list, list.isArray else { return nil }
        return list.elements.contains { $0.stringEquals(word) }
    }

    /// A number of tokens that can be one: positive, and not beyond what arithmetic bears.
    static func tokens(_ node: JSONNode?) -> Int? {
        guard let count = node?.int, (1...1 << 40).contains(count) else { return nil }
        return count
    }

    static func isName(_ id: String) -> Bool {
        (1...ProbeLimits.modelName).contains(id.utf8.count) && id.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
    }
}

/// Facts beyond the list, by the type of the backend.
enum ModelDetails {
    /// Slots that a server can be believed to have.
    private static let mostSlots = 1024

    /// llama.cpp's `/props`: one server, one model, a window per slot.
    static func props(_ root: JSONNode, into models: inout [ModelFacts]) {
        let window = ModelList.tokens(root["default_generation_settings"]?["n_ctx"])
        let slots = root["total_slots"]?.int.flatMap { (1...mostSlots).contains($0) ? $0 : nil }
        let caps = root["chat_template_caps"]
        let tools = caps?["supports_tools"]?.bool ?? caps?["supports_tool_calls"]?.bool
        for index in models.indices {
            // With several models it is those in memory that the properties are about.
            if models.count > 1, models[index].isLoaded != true { continue }
            models[index].contextWindow = window ?? models[index].contextWindow
            models[index].seesImages = root["modalities"]?["vision"]?.bool
            models[index].usesTools = tools ?? models[index].usesTools
            models[index].isLoaded = true
            models[index].slots = slots
        }
    }

    /// Ollama's `/api/ps`: what is in memory, and the window it was loaded with. Through `/v1` that is all it
    /// will have: what exceeds it is cut (ollama#3839).
    static func running(_ root: JSONNode, into models: inout [ModelFacts]) {
        guard let list = root["models"] else { return }
        var windows: [String: Int?] = [:]
        for item in list.elements.prefix(ProbeLimits.models) {
            guard let name = (item["name"] ?? item["model"])?.string else { continue }
            windows[name] = ModelList.tokens(item["context_length"])
        }
        for index in models.indices {
            let window = windows[models[index].id] ?? windows[models[index].id + ":latest"]
            models[index].isLoaded = window != nil
            models[index].contextWindow = window ?? nil
            models[index].loadedWindow = window ?? nil
        }
    }

    /// Ollama's `/api/show` of one model.
    static func show(_ root: JSONNode, into model: inout ModelFacts) {
        model.limit = limit(root["model_info"])
        model.presetWindow = root["parameters"]?.string.flatMap(preset)
        model.isRemote = root["remote_host"]?.string.map { !$0.isEmpty } ?? false
        guard let list = root["capabilities"], list.isArray else { return }
        model.usesTools = list.elements.contains { $0.stringEquals("tools") }
        model.seesImages = list.elements.contains { $0.stringEquals("vision") }
        model.thinks = list.elements.contains { $0.stringEquals("thinking") }
        model.isChat = list.elements.contains { $0.stringEquals("completion") }
    }

    /// `qwen3.context_length` and the like, of the model's own architecture first.
    private static func limit(_ info: JSONNode?) -> Int? {
        guard let info else { return nil }
        let own = info["general.architecture"]?.string.map { $0 + ".context_length" }
        var found: Int?
        for member in info.members {
            guard let name = member.name.string, name.hasSuffix(".context_length"),
                let count = ModelList.tokens(member.value)
            else { continue }
            if name == own { return count }
            found = found ?? count
        }
        return found
    }

    /// The parameters of a Modelfile, a line each.
    private static func preset(_ parameters: String) -> Int? {
        for line in parameters.split(whereSeparator: \.isNewline) {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count == 2, words[0] == "num_ctx", let count = Int(words[1]), count > 0,
                count <= 1 << 40
            else { continue }
            return count
        }
        return nil
    }

    /// Whether this is LM Studio's `/api/v0/models`: its models say whether they are loaded.
    static func isStudio(_ root: JSONNode) -> Bool {
        guard let list = root["data"], list.isArray else { return false }
        return list.isEmpty || list.first?["state"]?.isString == true
    }

    /// LM Studio's `/api/v0/models`.
    static func studio(_ root: JSONNode, into models: inout [ModelFacts]) {
        for item in (root["data"] ?? root).elements.prefix(ProbeLimits.models) {
            guard let id = item["id"]?.string, let index = models.firstIndex(where: { $0.id == id }) else {
                continue
            }
            if let state = item["state"]?.string { models[index].isLoaded = state == "loaded" }
            // Not loaded, the window will be whatever it is loaded with.
            models[index].contextWindow = ModelList.tokens(item["loaded_context_length"])
            let type = item["type"]?.string
            models[index].seesImages = type.map { $0 == "vlm" }
            models[index].isChat = type.map { $0 == "llm" || $0 == "vlm" } ?? models[index].isChat
            if let list = item["capabilities"], list.isArray {
                models[index].usesTools = list.elements.contains { $0.stringEquals("tool_use") }
            }
        }
    }
}
