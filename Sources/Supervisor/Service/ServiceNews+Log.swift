// The journal's lines about backends. Names and reasons are others' words: the log escapes them.

import Shared

extension LogEvent {
    static let backendFound = LogEvent("backend found", id: "aae10b91bd3d481e8edf821b5cca882b")
    static let backendLost = LogEvent("backend does not answer", id: "fc8733f5f57e49189a89de2eabab433f")
    static let backendChanged = LogEvent(
        "backend changed its models", id: "e7ee17fd02cf4cea8b689f6a8934db2a")
    static let demoServes = LogEvent(
        "no backend found, using the demo", id: "450cca48126f43ae91d36eb5866539df")
    static let breakerOpened = LogEvent(
        "backend is left alone after failures", id: "86d7900153ac47cba5e0f48665fd45b2")
    static let breakerHalfOpened = LogEvent(
        "backend is tried again with one request", id: "b1c09af749c44663a88ebba118bde4d7")
    static let breakerClosed = LogEvent("backend works again", id: "8c229f26740742f9a5056f5abe48f156")
    static let backendFlaps = LogEvent(
        "backend changes too often; only counted for a while", id: "5700e3406d844590a7f8bede0eb137d8")
    static let modelsCut = LogEvent(
        "backend lists more models than there is room for", id: "a809794d37664347ab43d04d146df1bd")
}

extension ServiceNews {
    func write(to log: Log) {
        var fields: LogFields = [:]
        if !backend.isEmpty {
            fields.append("backend", backend)
            fields.append("url", url)
        }
        if let model { fields.append("model", model) }
        switch what {
        case .found(let type, let dialect, let models, let model, let context):
            fields.append("type", type)
            if dialect != .openai { fields.append("dialect", dialect.rawValue) }
            fields.append("models", models)
            if let model { fields.append("default_model", model) }
            if let context { fields.append("context", context) }
            log.notice(.backendFound, fields)
        case .lost(let reason):
            fields.append("reason", reason)
            log.warning(.backendLost, fields)
        case .changedModels(let count):
            fields.append("models", count)
            log.notice(.backendChanged, fields)
        case .cutModels(let count):
            fields.append("models", count)
            log.warning(.modelsCut, fields)
        case .opened(let failures, let rest):
            fields.append("failures", failures)
            fields.append("rest_seconds", rest.wholeSeconds)
            log.warning(.breakerOpened, fields)
        case .halfOpened: log.info(.breakerHalfOpened, fields)
        case .closed: log.notice(.breakerClosed, fields)
        case .flapping(let changes):
            fields.append("changes", changes)
            log.warning(.backendFlaps, fields)
        case .flappingModels(let changes):
            fields.append("changes", changes)
            fields.append("of", "models")
            log.warning(.backendFlaps, fields)
        case .demo: log.notice(.demoServes)
        }
    }
}
