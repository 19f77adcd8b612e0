// Asks one backend what it is and what it has. Every answer is judged by its shape: some servers answer
// 200 to anything (LM Studio does), and what listens on a usual port may be somebody's web server.

internal import EventLoop
internal import JSON
internal import Routing
internal import Shared
internal import Translation

/// What a round of questions found.
enum ProbeFinding: Sendable, Equatable {
    case up(type: Configuration.BackendType, models: [ModelFacts])
    /// No answer, or one that says it cannot serve; in words for the operator.
    case down(String)
    /// Something answers that is no backend.
    case unrecognised(String)
}

/// Questions to one base URL.
struct Inquiry {
    let url: String
    let key: SecretValue?
    /// Which of its models are asked about and told.
    let offered: ModelFilter
    /// Of one question.
    let time: Duration
    let carrier: ProbeTransport
    /// What `/api/show` said of Ollama's models before, and of which content of that name; "" = not known.
    private var shown: [String: (facts: ModelFacts, digest: String)] = [:]

    /// Models are left that were not asked about in the last round, and can be in the next.
    private(set) var hasMore = false

    /// What an unknown server was found to speak; nil = what its type speaks.
    private(set) var dialect: Dialect?

    init(
        url: String, key: SecretValue?, offered: ModelFilter = .all, time: Duration = ProbeLimits.time,
        carrier: @escaping ProbeTransport
    ) {
        self.url = url
        self.key = key
        self.offered = offered
        self.time = time
        self.carrier = carrier
    }

    /// Remembers what Ollama's models were known to be when another one asked: not all of them can be asked about
    /// again in one round.
    mutating func remember(_ models: [ModelFacts]) {
        for model in models where model.limit != nil || model.usesTools != nil || model.isRemote {
            shown[model.id] = (model, "")
        }
    }

    /// - Parameter type: `.auto` = ask who it is.
    /// - Parameter strict: what does not answer with a list of models is a stranger, not a backend
    ///   without a list.
    @Loop
    mutating func ask(_ type: Configuration.BackendType, strict: Bool) async -> ProbeFinding {
        if type == .auto { dialect = nil }
        let profile = Profile.named(type.rawValue) ?? .openaiCompatible
        let isPaged = profile.modelList == .anthropic
        if profile.modelList == .ollama {
            let answer = await get("/api/tags")
            if case .failed(let reason) = answer { return .down(reason) }
            if let list = answer.json.flatMap(ModelList.tags) { return await ollama(list) }
        }
        let path = profile.modelsPath
        let answer = await get(
            isPaged ? path + "?limit=1000" : path, profile, isAnthropic: isPaged)
        guard case .answered(let status, _) = answer else {
            guard case .failed(let reason) = answer else { return .down("no answer") }
            return .down(reason)
        }
        guard let list = answer.json.flatMap(ModelList.read) else {
            // A proxy in front of it may let only Ollama's own API through.
            if type == .auto, (404...405).contains(status), await isOllama(),
                let list = await get("/api/tags").json.flatMap(ModelList.tags)
            {
                return await ollama(list)
            }
            if type == .auto, !strict, answer.isAnthropicError, status != 404 {
                // It wants to be asked in another way.
                let finding = await ask(.anthropic, strict: false)
                if case .up = finding { return finding }
            }
            if type == .auto, !strict, status == 404 || status == 405 { await askPaths() }
            return judge(status, path, type, strict: strict)
        }
        if strict, !list.saysSo { return .unrecognised("a list, but not of models") }
        // Another gateway of our kind, or this one itself.
        if strict, list.owner == "dragoman" { return .unrecognised("a dragoman answers there") }
        var models = list.models
        if isPaged { await turnPages(list, profile, &models) }
        let found = type == .auto ? await identity(list) : type
        await details(found, &models)
        return .up(type: found, models: models)
    }

    /// An answer that is not a list of models.
    private func judge(
        _ status: Int, _ path: String, _ type: Configuration.BackendType, strict: Bool
    ) -> ProbeFinding {
        switch status {
        case 401, 403: strict ? .unrecognised("asks for a key") : .down("HTTP \(status): it refuses the key")
        case 404...405 where !strict:
            // A chat endpoint without a list: usable by `backend/model`.
            .up(type: type == .auto ? .openaiCompatible : type, models: [])
        case 200..<300 where strict: .unrecognised("no list of models")
        case 200..<300: .down("\(path) is not a list of models")
        case 500...: .down("HTTP \(status)")
        default: strict ? .unrecognised("HTTP \(status)") : .down("HTTP \(status)")
        }
    }

    // MARK: Who is it

    private mutating func identity(_ list: ModelList.Answer) async -> Configuration.BackendType {
        if list.isAnthropic {
            dialect = .anthropic
            return .openaiCompatible
        }
        switch list.owner {
        case "vllm": return .vllm
        case "sglang": return .sglang
        case "llamacpp": return .llamacpp
        default: break
        }
        if let root = await get("/props").json, root["default_generation_settings"] != nil {
            return .llamacpp
        }
        if let root = await get("/api/v0/models").json, ModelDetails.isStudio(root) { return .lmstudio }
        if await isOllama() {
            // Others answer to that path, too; who has Ollama's list of models has its chat.
            if await get("/api/tags").json.flatMap(ModelList.tags) == nil { dialect = .openAI }
            return .ollama
        }
        if let root = await get("/get_model_info").json, root["model_path"]?.isString == true {
            return .sglang
        }
        let knowsLength = list.models.contains { $0.contextWindow != nil }
        if knowsLength, let root = await get("/version").json, root["version"]?.isString == true {
            return .vllm
        }
        await askPaths()
        return .openaiCompatible
    }

    private func isOllama() async -> Bool {
        await get("/api/version").json?["version"]?.isString == true
    }

    /// A server of which nothing is known speaks Anthropic's API if it takes messages and no chats.
    private mutating func askPaths() async {
        guard await takes("/v1/messages"), await !takes("/v1/chat/completions") else { return }
        dialect = .anthropic
    }

    /// Whether an empty request is refused for what it lacks, and not for where it went.
    private func takes(_ path: String) async -> Bool {
        let answer = await carrier(Probe(url: url + path, body: Array("{}".utf8), key: key, time: time))
        guard case .answered(let status, _) = answer else { return false }
        return (400...499).contains(status) && ![404, 405, 410].contains(status)
    }

    // MARK: Details

    @Loop
    private mutating func ollama(_ list: [(model: ModelFacts, digest: String)]) async -> ProbeFinding {
        for (model, digest) in list
        where shown[model.id].map({ $0.digest != "" && $0.digest != digest }) == true {
            shown[model.id] = nil
        }
        var models = list.map(\.model)
        await details(.ollama, &models)
        for (model, digest) in list { shown[model.id]?.digest = digest }
        return .up(type: .ollama, models: models)
    }

    private mutating func details(_ type: Configuration.BackendType, _ models: inout [ModelFacts]) async {
        switch Profile.named(type.rawValue)?.modelDetails ?? .none {
        case .none: break
        case .allLoaded:
            for index in models.indices { models[index].isLoaded = true }
        case .props:
            if let root = await get("/props").json { ModelDetails.props(root, into: &models) }
        case .studio:
            if let root = await get("/api/v0/models").json { ModelDetails.studio(root, into: &models) }
        case .ollama:
            models.removeAll { !offered.takes($0.id) }
            if let root = await get("/api/ps").json { ModelDetails.running(root, into: &models) }
            await show(&models)
        }
        // Only now: what was asked may have been about a model that is not offered.
        models.removeAll { !offered.takes($0.id) }
    }

    private mutating func show(_ models: inout [ModelFacts]) async {
        var asked = 0
        let known = shown.count
        for index in models.indices {
            let id = models[index].id
            if shown[id] == nil, asked < ProbeLimits.details {
                asked += 1
                var writer = JSONWriter()
                writer.beginObject()
                writer.name("model")
                writer.value(id)
                writer.endObject()
                let answer = await carrier(
                    Probe(url: url + "/api/show", body: writer.bytes, key: key, time: time))
                if let root = answer.json {
                    var facts = ModelFacts(id: id)
                    ModelDetails.show(root, into: &facts)
                    shown[id] = (facts, "")
                }
            }
            if let (facts, _) = shown[id] {
                models[index].limit = facts.limit
                models[index].presetWindow = facts.presetWindow
                models[index].isRemote = facts.isRemote
                models[index].usesTools = facts.usesTools
                models[index].seesImages = facts.seesImages
                models[index].thinks = facts.thinks
                models[index].isChat = facts.isChat
            }
        }
        // Those that do not answer are no reason to hurry.
        hasMore = asked == ProbeLimits.details && shown.count > known && shown.count < models.count
        let listed = Set(models.map(\.id))
        shown = shown.filter { listed.contains($0.key) }
    }

    /// The pages behind the first one.
    private func turnPages(
        _ first: ModelList.Answer, _ profile: Profile, _ models: inout [ModelFacts]
    ) async {
        var page = first
        for _ in 1..<ProbeLimits.pages {
            guard page.hasMore, let last = page.models.last, models.count < ProbeLimits.models else { return }
            let path = "/v1/models?limit=1000&after_id=\(last.id.percentEncoded)"
            let answer = await get(path, profile, isAnthropic: true)
            guard let next = answer.json.flatMap(ModelList.read), !next.models.isEmpty else { return }
            let known = Set(models.map(\.id))
            models += next.models.filter { !known.contains($0.id) }.prefix(ProbeLimits.models - models.count)
            page = next
        }
    }

    private func get(
        _ path: String, _ profile: Profile? = nil, isAnthropic: Bool = false
    ) async -> ProbeAnswer {
        await carrier(
            Probe(
                url: url + path, key: key, keyField: profile?.keyField ?? .bearer, isAnthropic: isAnthropic,
                time: time))
    }
}

extension Profile {
    /// Beside the path that chats go to.
    fileprivate var modelsPath: String {
        let chat = chatPath.description
        let end = "/chat/completions"
        return (chat.hasSuffix(end) ? String(chat.dropLast(end.count)) : "/v1") + "/models"
    }
}

extension ProbeAnswer {
    /// An error in the shape of Anthropic's API.
    fileprivate var isAnthropicError: Bool {
        guard case .answered(400..., let body) = self, let root = (try? JSONDocument(parsing: body))?.root
        else {
            return false
        }
        return root["type"]?.stringEquals("error") == true && root["error"]?["type"]?.isString == true
    }
}

extension String {
    /// For a value in a query (RFC 3986 section 2.3).
    fileprivate var percentEncoded: String {
        var text = ""
        for byte in utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                text += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return text
    }
}
