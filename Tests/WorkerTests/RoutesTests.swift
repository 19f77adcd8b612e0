// The table of paths: what people type, what they get.

import HTTP
import Testing
import Translation

@testable import Worker

struct RoutesTests {
    @Test(
        "paths and aliases of the message endpoints",
        arguments: [
            "/v1/messages", "/v1/v1/messages", "/messages", "/anthropic/v1/messages", "/anthropic/messages",
            "/olla/anthropic/v1/messages", "/olla/openai/v1/messages", "/olla/anthropic/v1/v1/messages",
            "//v1/messages", "/v1/messages/",
        ])
    func messages(path: String) {
        #expect(Routes.decide(.post, path: path, anthropicVersion: false) == .endpoint(.exchange(.messages)))
        #expect(Routes.decide(.get, path: path, anthropicVersion: false) == .wrongMethod(allow: "POST"))
        let counting = (path.hasSuffix("/") ? String(path.dropLast()) : path) + "/count_tokens"
        #expect(Routes.decide(.post, path: counting, anthropicVersion: false) == .endpoint(.countTokens))
    }

    @Test(
        "paths and aliases of chat completions",
        arguments: [
            "/v1/chat/completions", "/chat/completions", "/v1/v1/chat/completions", "/v1/chat/completions/",
            "/olla/openai/v1/chat/completions", "/olla/openai/chat/completions",
            "/anthropic/v1/chat/completions",
        ])
    func chat(path: String) {
        for version in [true, false] {
            #expect(
                Routes.decide(.post, path: path, anthropicVersion: version) == .endpoint(.exchange(.chat)))
            #expect(Routes.clientAPI(path, anthropicVersion: version) == .chat)
        }
        #expect(Routes.decide(.get, path: path, anthropicVersion: false) == .wrongMethod(allow: "POST"))
    }

    @Test(
        "whose errors a client reads",
        arguments: [
            ("/v1/messages", false, ClientAPI.messages), ("/olla/openai/v1/messages", false, .messages),
            ("/v1/messages/count_tokens", false, .messages), ("/v1/messages/batches", false, .messages),
            ("/v1/models", true, .messages), ("/v1/models", false, .chat), ("/models/a%2Fb", false, .chat),
            ("/anthropic/v1/models", false, .messages), ("/olla/openai/v1/models", true, .chat),
            ("/v1/embeddings", false, .chat), ("/v1/responses/x", true, .chat),
            ("/v1/completions", false, .chat),
            ("/olla/openai/v1/nothing", false, .chat), ("/v1/nothing", false, .messages),
            ("/", false, .messages), ("*", false, .messages), ("/health", false, .messages),
        ])
    func doors(path: String, version: Bool, api: ClientAPI) {
        #expect(Routes.clientAPI(path, anthropicVersion: version) == api)
    }

    @Test(
        "the model list's shape follows the prefix, else the version field",
        arguments: [
            ("/v1/models", false, ModelsShape.openAI), ("/v1/models", true, .anthropic),
            ("/anthropic/v1/models", false, .anthropic), ("/olla/anthropic/v1/models", false, .anthropic),
            ("/olla/openai/v1/models", true, .openAI), ("/v1/v1/models", false, .openAI),
        ])
    func shapes(path: String, version: Bool, shape: ModelsShape) {
        #expect(Routes.decide(.get, path: path, anthropicVersion: version) == .endpoint(.models(shape)))
        #expect(Routes.decide(.head, path: path, anthropicVersion: version) == .endpoint(.models(shape)))
        #expect(
            Routes.decide(.delete, path: path, anthropicVersion: version) == .wrongMethod(allow: "GET, HEAD"))
    }

    @Test(
        "a model's id is decoded after the path was split",
        arguments: [
            ("/v1/models/a%2Fb:c", "a/b:c"), ("/v1/models/a/b:c", "a/b:c"),
            ("/anthropic/v1/models/q%20w", "q w"),
            ("/v1/models/qwen3:8b", "qwen3:8b"),
        ])
    func modelIDs(path: String, id: String) {
        let shape: ModelsShape = path.hasPrefix("/anthropic") ? .anthropic : .openAI
        #expect(Routes.decide(.get, path: path, anthropicVersion: false) == .endpoint(.model(id: id, shape)))
    }

    @Test(
        "probes",
        arguments: [
            (Method.head, "/", Endpoint.hello), (.head, "/anthropic", .hello),
            (.head, "/olla/anthropic/", .hello),
            (.head, "/v1", .hello), (.get, "/api/hello", .hello), (.head, "/anthropic/api/hello", .hello),
            (.get, "/health", .health), (.head, "/ready", .ready), (.get, "/", .greeting),
            (.get, "/v1/", .greeting),
            (.post, "/api/event_logging/batch", .telemetry),
        ])
    func probes(method: Method, path: String, endpoint: Endpoint) {
        #expect(Routes.decide(method, path: path, anthropicVersion: false) == .endpoint(endpoint))
    }

    @Test(
        "everything else is named for what it is",
        arguments: [
            (Method.get, "/v1/foo", RouteDecision.notFound),
            (.post, "/v1/complete", .notFound),
            (.get, "*", .notFound), (.get, "/v1/models/%zz", .notFound),
            (.get, "/anthropicx/v1/messages", .notFound),
            (.post, "/v1/messages/batches", .notFound), (.get, "/v1/messagesx", .notFound),
            (.get, "/metrics", .notInThisVersion("GET /metrics")),
            (.get, "/status", .endpoint(.status)), (.post, "/status", .wrongMethod(allow: "GET, HEAD")),
            (.post, "/", .wrongMethod(allow: "GET, HEAD")),
            (.post, "/health", .wrongMethod(allow: "GET, HEAD")),
        ])
    func others(method: Method, path: String, decision: RouteDecision) {
        #expect(Routes.decide(method, path: path, anthropicVersion: false) == decision)
    }
}
