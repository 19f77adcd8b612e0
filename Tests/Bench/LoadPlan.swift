// What one load run does, read from its command line, and what it found out, written as JSON.

import Glibc

struct LoadTarget {
    var name: String
    var dialect: Dialect
    var port: Int

    /// `NAME=API@PORT`.
    init(_ text: String) throws {
        let parts = text.split(separator: "=", maxSplits: 1)
        let where_ = parts.last?.split(separator: "@", maxSplits: 1) ?? []
        guard parts.count == 2, where_.count == 2, let dialect = Dialect(rawValue: String(where_[0])),
            let port = Int(where_[1]), (1...65535).contains(port)
        else { throw BenchError("--target: expected NAME=anthropic@PORT or NAME=openai@PORT, found \(text)") }
        self.name = String(parts[0])
        self.dialect = dialect
        self.port = port
    }
}

struct LoadPlan {
    enum Mode: String {
        /// Every connection starts its next request when the last is done.
        case closed
        /// Every connection does one request; starts spread over the ramp.
        case once
        /// Requests start at random instants of a mean rate, whatever the answers do.
        case open
        /// One request at a time, the targets in turn.
        case alternate
    }

    var targets: [LoadTarget]
    var mode: Mode
    var connections: Int
    var seconds: Double
    var rate: Double
    var ramp: Double
    var requests: Int
    var directive: Directive
    var stream: Bool
    var size: Int
    var timeout: Double
    var output: String?

    private static let known: Set<String> = [
        "target", "mode", "connections", "seconds", "rate", "ramp", "requests", "tokens", "delay-ms",
        "first-ms", "per-write", "whole", "size", "timeout", "out", "spoil",
    ]

    init(_ options: Options) throws {
        try options.check(known: Self.known)
        targets = try options.all("target").map(LoadTarget.init)
        guard let mode = Mode(rawValue: options.text("mode") ?? "closed"), !targets.isEmpty,
            targets.count == 1 || mode == .alternate
        else {
            throw BenchError(
                "one --target (several with --mode alternate), --mode closed|once|open|alternate")
        }
        self.mode = mode
        connections = try options.number("connections", or: 32, in: 1...50_000)
        seconds = try options.decimal("seconds", or: 2)
        rate = try options.decimal("rate", or: 50)
        ramp = try options.decimal("ramp", or: 0)
        requests = try options.number("requests", or: mode == .alternate ? 100 : 1 << 40, in: 1...(1 << 40))
        stream = !options.has("whole")
        size = try options.number("size", or: 500, in: 0...(32 << 20))
        timeout = try options.decimal("timeout", or: 30)
        output = options.text("out")
        directive = Directive()
        directive.tokens = try options.number("tokens", or: 16, in: 1...100_000)
        directive.delayMilliseconds = try options.number("delay-ms", or: 0, in: 0...600_000)
        directive.firstMilliseconds = try options.number("first-ms", or: 0, in: 0...600_000)
        directive.spoil = Directive.Spoil(rawValue: try options.number("spoil", or: 0, in: 0...3)) ?? .nothing
        directive.perWrite = try options.number("per-write", or: 1, in: 1...10_000)
    }
}

/// What happened at one target.
struct LoadFigures {
    var requests = 0
    var failed = 0
    var tokens = 0
    var events = 0
    var firstToken = Histogram()
    var total = Histogram()
    var gaps = Histogram()
    /// How often each kind of failure happened.
    var errors: [String: Int] = [:]

    func json(name: String, seconds: Double) -> String {
        var object = JSONObject()
        object.set("name", name)
        object.set("requests", requests)
        object.set("failed", failed)
        object.set("tokens", tokens)
        object.set("events", events)
        object.set("requests_per_s", Double(requests - failed) / seconds)
        object.set("tokens_per_s", Double(tokens) / seconds)
        for (label, histogram) in [("ttft", firstToken), ("total", total), ("gap", gaps)] {
            object.set("\(label)_p50_ms", histogram.milliseconds(0.5))
            object.set("\(label)_p99_ms", histogram.milliseconds(0.99))
            object.set("\(label)_p999_ms", histogram.milliseconds(0.999))
            object.set("\(label)_max_ms", Double(histogram.maximum) / 1e6)
        }
        var kinds = JSONObject()
        for (kind, count) in errors.sorted(by: { $0.key < $1.key }) { kinds.set(kind, count) }
        object.set("errors", raw: kinds.text)
        return object.text
    }
}
