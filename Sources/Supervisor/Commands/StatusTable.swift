// `dragoman status` for people: first what is wrong, then how much is going on, then each worker, backend, model
// and client. Made of the daemon's JSON, which may be another version's: what is missing is shown as such. Pure.
// Holds: no line is wider than `width`, and nothing in one moves the terminal's cursor.

import JSON

struct StatusTable {
    /// Columns.
    static let width = 100
    /// Models and clients shown; the rest is only counted.
    static let shownModels = 30
    static let shownClients = 20
    /// Learned facts of one backend.
    private static let shownFacts = 10
    private static let unknown = "–"

    let root: JSONNode

    var text: String {
        let blocks = [head, workers, backends, models, clients].filter { !$0.isEmpty }
        return blocks.map { $0.map(Self.fitted).joined(separator: "\n") }.joined(separator: "\n\n")
    }

    // MARK: In front

    private var head: [String] {
        var lines = [
            "dragoman \(root["version"]?.string ?? "?"), pid \(number(root["pid"])), "
                + "\(root["state"]?.string ?? "?") for \(age(root["uptime_s"]))"
        ]
        lines += problems.flatMap { wrapped("problem     " + $0) }
        lines += root["listeners"].items.map { "listening   \($0["address"]?.string ?? "?")" }
        lines += wrapped(
            "now         \(count("connections", "connection")), \(count("in_flight", "request")) in flight, "
                + "\(number(root["queued"])) waiting for a backend, "
                + "\(number(root["waiting_connections"])) for a slot")
        lines.append(
            "since start \(count("requests", "request")), \(number(root["failed"])) failed, "
                + "\(count("restarts", "worker restart"))")
        if let affinity = root["affinity"] {
            lines.append(
                "affinity    \(Wording.count(affinity["sessions"]?.int ?? 0, "conversation")) remembered, "
                    + "\(Wording.count(affinity["hits"]?.int ?? 0, "request")) stayed, "
                    + "\(number(affinity["moves"])) moved")
        }
        if let configuration = root["configuration"] {
            let file = configuration["file"]?.string ?? "built-in defaults"
            lines += wrapped(
                "configured  by \(file), loaded \(configuration["loaded_at"]?.string ?? "at an unknown time")"
            )
        }
        return lines
    }

    /// What somebody should look at.
    private var problems: [String] {
        var problems: [String] = []
        if let refused = root["configuration"]?["refused"], !refused.isNull {
            let first = refused["mistakes"].items.first?.string
            problems.append("the configuration on disk is refused" + (first.map { ": \($0)" } ?? ""))
        }
        let workers = root["workers"].items
        let serving = workers.count { $0["state"]?.string == "serving" }
        if root["state"]?.string == "running", serving < workers.count {
            problems.append("\(serving) of \(Wording.count(workers.count, "worker")) serve")
        }
        let backends = root["backends"].items
        for backend in backends { problems += Self.problems(of: backend) }
        if !backends.isEmpty, !backends.contains(where: Self.canAnswer) {
            problems.append("no backend can answer")
        }
        return problems
    }

    private static func canAnswer(_ backend: JSONNode) -> Bool {
        ["up", "probing", "demo"].contains(backend["state"]?.string ?? "")
    }

    private static func problems(of backend: JSONNode) -> [String] {
        let name = backend["name"]?.string ?? "?"
        var problems: [String] = []
        switch backend["state"]?.string {
        case "down": problems.append("\(name) is down: \(backend["error"]?.string ?? "no reason known")")
        case "ejected": problems.append("\(name) is left alone after failures")
        case "probing": problems.append("\(name) is tried again after failures, one request at a time")
        default: break
        }
        for model in backend["models"].items where model["breaker"] != nil {
            problems.append("\(name) is left alone for \(model["name"]?.string ?? "?") after failures")
        }
        return problems
    }

    // MARK: Tables

    private var workers: [String] {
        let figures: [StaticString] = ["connections", "in_flight", "requests", "failed", "restarts"]
        let rows = root["workers"].items.map { worker in
            [
                number(worker["number"]), worker["state"]?.string ?? "?", number(worker["pid"]),
                age(worker["age_s"]),
            ] + figures.map { number(worker[$0]) } + [memory(worker["memory_kib"])]
        }
        let heads = ["pid", "for", "connections", "in flight", "requests", "failed", "restarts", "memory"]
        return table(["worker", "state"] + heads, rows, left: 2)
    }

    private var backends: [String] {
        let all = root["backends"].items
        guard !all.isEmpty else { return ["backend     none known yet"] }
        let rows = all.map { backend in
            [
                cut(backend["name"]?.string ?? "?", 24), backend["state"]?.string ?? "?",
                backend["breaker"]?.string ?? Self.unknown, flight(backend), number(backend["queued"]),
                number(backend["requests"]), number(backend["failures"]), models(of: backend),
            ]
        }
        let heads = ["backend", "state", "breaker", "in flight", "queued", "requests", "failed", "models"]
        return table(heads, rows, left: 3) + all.flatMap(details)
    }

    private func flight(_ backend: JSONNode) -> String {
        number(backend["in_flight"]) + (backend["limit"]?.int.map { "/\($0)" } ?? "")
    }

    private func models(of backend: JSONNode) -> String {
        "\(backend["models"].items.count + (backend["models_more"]?.int ?? 0))"
    }

    /// Where it is, what a Claude name means there, and what was found out about its models.
    private func details(_ backend: JSONNode) -> [String] {
        let name = backend["name"]?.string ?? "?"
        guard backend["state"]?.string != "demo" else {
            return ["  \(name) is built in; it answers in a model's place and says so"]
        }
        var line = "  \(name) is \(backend["type"]?.string ?? "?") at \(backend["url"]?.string ?? "?")"
        if let model = backend["default_model"]?.string {
            let window = backend["default_context"]?.int.map { " (\($0) tokens)" } ?? ""
            line += "; a Claude name means \(model)\(window)"
        }
        let learned = backend["learned"].items.compactMap(Self.learned)
        let more = learned.count - Self.shownFacts
        return wrapped(line) + learned.prefix(Self.shownFacts).flatMap { wrapped("    learned: " + $0) }
            + (more > 0 ? ["    learned: \(more) more"] : [])
    }

    private static func learned(_ node: JSONNode) -> String? {
        guard let model = node["model"]?.string else { return nil }
        var facts: [String] = []
        let lacking = node["lacks"].items.compactMap { $0.string }
        if !lacking.isEmpty { facts.append("does not take \(lacking.joined(separator: ", "))") }
        if let limit = node["output_limit"]?.int { facts.append("answers with \(limit) tokens at most") }
        if let count = node["tokens_per_thousand"]?.int {
            facts.append("counts \(count) tokens for 1000 estimated")
        }
        return facts.isEmpty ? nil : "\(model) \(facts.joined(separator: "; "))"
    }

    private var models: [String] {
        let all = root["models"].items
        let rows = all.prefix(Self.shownModels).map { model in
            // The name for clients that show only Claude's follows from the model's.
            let aliases = model["aliases"].items.compactMap { $0.string }.filter {
                !$0.hasPrefix("claude-local-")
            }
            return [
                cut(model["name"]?.string ?? "?", 38),
                cut(model["backends"].items.compactMap { $0.string }.joined(separator: " "), 22),
                cut(aliases.joined(separator: " "), 16),
                model["context_window"]?.int.map(String.init) ?? Self.unknown,
                model["loaded"]?.bool.map { $0 ? "yes" : "no" } ?? Self.unknown,
            ]
        }
        return table(["model", "backends", "also", "window", "loaded"], rows, left: 3)
            + more(all.count + (root["models_more"]?.int ?? 0) - rows.count)
    }

    private var clients: [String] {
        let all = root["clients"].items
        let figures: [StaticString] = [
            "requests", "in_flight", "queued", "limited", "input_tokens", "output_tokens",
        ]
        let rows = all.prefix(Self.shownClients).map { client in
            [cut(client["name"]?.string ?? "?", 30)] + figures.map { number(client[$0]) }
        }
        let heads = ["requests", "in flight", "queued", "refused", "input tokens", "output tokens"]
        return table(["client"] + heads, rows, left: 1)
            + more(all.count + (root["clients_more"]?.int ?? 0) - rows.count)
    }

    private func more(_ count: Int) -> [String] { count > 0 ? ["and \(count) more; see --json"] : [] }

    // MARK: Cells

    private func number(_ node: JSONNode?) -> String { node?.int.map(String.init) ?? Self.unknown }

    private func count(_ name: StaticString, _ word: String) -> String {
        Wording.count(root[name]?.int ?? 0, word)
    }

    private func age(_ node: JSONNode?) -> String { Duration.seconds(node?.int ?? 0).brief }

    private func memory(_ node: JSONNode?) -> String {
        node?.int.map { $0 < 10 << 10 ? "\($0) KiB" : "\($0 >> 10) MiB" } ?? Self.unknown
    }

    /// Nothing without rows.
    private func table(_ heads: [String], _ rows: [[String]], left: Int) -> [String] {
        rows.isEmpty ? [] : Wording.columns([heads] + rows.map { $0.map(Wording.shown) }, left: left)
    }

    private func cut(_ text: String, _ limit: Int) -> String { Wording.cut(Wording.shown(text), limit) }

    private func wrapped(_ line: String) -> [String] {
        Wording.wrapped(Wording.shown(line), indent: 12, width: Self.width)
    }

    private static func fitted(_ line: String) -> String { Wording.cut(Wording.shown(line), width) }
}

extension JSONNode? {
    /// The elements of an array; none of anything else.
    var items: [JSONNode] { self.map { Array($0.elements) } ?? [] }
}
