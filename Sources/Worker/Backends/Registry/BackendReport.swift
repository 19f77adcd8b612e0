// Entries that the registry writes, and the report for `dragoman status`.

internal import EventLoop
internal import JSON
internal import Routing
internal import Shared
internal import Translation

extension LogEvent {
    static let backendFound = LogEvent(
        "backend found", id: "aae10b91bd3d481e8edf821b5cca882b")
    static let backendLost = LogEvent(
        "backend does not answer", id: "fc8733f5f57e49189a89de2eabab433f")
    static let backendChanged = LogEvent(
        "backend changed its models", id: "e7ee17fd02cf4cea8b689f6a8934db2a")
    static let demoServes = LogEvent(
        "no backend found, using the demo", id: "450cca48126f43ae91d36eb5866539df")
    static let ollamaCuts = LogEvent(
        "Ollama's /v1 silently truncates long prompts; leave `dialect` out or set OLLAMA_CONTEXT_LENGTH",
        id: "651472bcd5604c8ab6bf53b67fd10031")
}

enum BackendReport {
    /// Models shown of one backend.
    static let models = 100

    /// A JSON array with one object per backend in the order of preference, at most `maximumReportBytes`:
    /// what does not fit is left out from the end, models first.
    static func json(
        _ entries: [BackendEntry], _ observations: ObservationCache, _ picture: BackendSnapshot
    ) -> String {
        // By priority alone: a backend that is away keeps its place.
        for limit in [models, 10, 1, 0] {
            let bytes = written(entries, observations, picture, models: limit)
            if bytes.count <= maximumReportBytes { return String(decoding: bytes, as: UTF8.self) }
        }
        return "[]"
    }

    private static func written(
        _ entries: [BackendEntry], _ observations: ObservationCache, _ picture: BackendSnapshot,
        models limit: Int
    ) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginArray()
        if picture.isDemo { demo(&writer) }
        for index in picture.order {
            one(entries[index], observations, limit, picture.automaticModel(at: index), &writer)
        }
        writer.endArray()
        return writer.bytes
    }

    private static func one(
        _ entry: BackendEntry, _ observations: ObservationCache, _ limit: Int, _ automatic: ModelFacts?,
        _ writer: inout JSONWriter
    ) {
        writer.beginObject()
        text("name", entry.name, &writer)
        text("url", entry.url, &writer)
        text("type", entry.type.rawValue, &writer)
        text("state", entry.condition.state.rawValue, &writer)
        writer.name("models")
        writer.beginArray()
        for model in (entry.models?.all ?? []).prefix(limit) {
            writer.beginObject()
            text("id", model.id, &writer)
            if let window = model.contextWindow {
                writer.name("context")
                writer.value(window)
            }
            writer.endObject()
        }
        writer.endArray()
        if let model = automatic {
            text("default_model", model.id, &writer)
            if let window = model.contextWindow {
                writer.name("default_context")
                writer.value(window)
            }
        }
        if entry.isDown { text("error", entry.condition.reason, &writer) }
        learnt(observations, of: BackendID(entry.name), limit, .now(), &writer)
        writer.endObject()
    }

    /// What exchanges have found out of this backend's models; nothing when nothing was.
    private static func learnt(
        _ observations: ObservationCache, of backend: BackendID, _ limit: Int, _ now: WallTime,
        _ writer: inout JSONWriter
    ) {
        let places = observations.places(of: backend, at: now).prefix(limit)
        guard !places.isEmpty else { return }
        writer.name("learnt")
        writer.beginArray()
        for place in places {
            writer.beginObject()
            text("model", place.model, &writer)
            let lacking = observations.lacking(place, at: now).map(\.rawValue).sorted()
            if !lacking.isEmpty {
                writer.name("lacks")
                writer.beginArray()
                for feature in lacking { writer.value(feature) }
                writer.endArray()
            }
            if let limit = observations.outputLimit(place, at: now) {
                writer.name("output_limit")
                writer.value(limit)
            }
            if let ratio = observations.told(place) {
                writer.name("tokens_per_thousand")
                writer.value(ratio.perThousand)
            }
            writer.endObject()
        }
        writer.endArray()
    }

    private static func demo(_ writer: inout JSONWriter) {
        writer.beginObject()
        for (name, value) in [
            ("name", "demo"), ("type", "demo"), ("state", BackendState.demo.rawValue),
            ("default_model", "demo"),
        ] {
            writer.name(name)
            writer.value(value)
        }
        writer.name("models")
        writer.beginArray()
        writer.beginObject()
        text("id", "demo", &writer)
        writer.endObject()
        writer.endArray()
        writer.endObject()
    }

    private static func text(_ name: StaticString, _ value: String, _ writer: inout JSONWriter) {
        writer.name(name)
        writer.value(value)
    }
}
