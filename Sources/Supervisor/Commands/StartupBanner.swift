// The lines for somebody who has started the daemon by hand: where it listens, which backends there are,
// and what to type next. A service says nothing here. Holds: never waits; what finds no room is dropped.

import Glibc
import Shared

final class StartupBanner {
    let isOn: Bool
    private let access: Configuration.Access
    private let write: (String) -> Void
    private var isReady = false
    private var base: String?
    private var latest: [BackendStatus]?
    private var saidBackends: [String] = []
    private var hasHinted = false
    private var saidModel: [String] = []

    init(
        isOn: Bool, access: Configuration.Access, write: @escaping (String) -> Void = StartupBanner.toTerminal
    ) {
        self.isOn = isOn
        self.access = access
        self.write = write
    }

    func starting(configuration name: String, workers: Int) {
        let source = name.isEmpty ? "built-in defaults" : name
        put(["dragoman \(dragomanVersion), \(Wording.count(workers, "worker")), configuration: \(source)"])
    }

    func ready(_ listeners: Listeners) {
        ready(listeners.clients.map(\.address), base: listeners.clients.lazy.compactMap(Self.url).first)
    }

    /// - Parameter base: the URL that leads here; nil when there are Unix sockets only.
    func ready(_ addresses: [String], base: String?) {
        put(addresses.map { "listening on \($0)" })
        self.base = base
        isReady = true
        show()
    }

    /// The backends as they are known now.
    func backends(_ summaries: [BackendStatus]) {
        guard isOn else { return }
        latest = summaries
        show()
    }

    func stopping() { put(["stopping; waiting for open streams (press Ctrl-C again to quit now)"]) }

    /// Once ready and once the backends have been asked, and again what has changed since.
    private func show() {
        // Between the demo and the first backend there is a moment with neither: nothing to tell.
        guard isReady, let latest, !latest.isEmpty, !latest.contains(where: \.isUnknown) else { return }
        let lines = latest.map(Self.line)
        put(lines.filter { !saidBackends.contains($0) }.flatMap { Wording.wrapped($0, indent: 2) })
        saidBackends = lines
        guard let base else { return }
        let best = latest.first { $0.isUsable }
        let model = best.map(Self.modelLines) ?? []
        if !hasHinted {
            put([""] + Self.hints(base: base, access: access, model: model) + [""])
        } else if let best, !model.isEmpty, model != saidModel {
            put(["\(best.name) answers now; for Claude Code:"] + model)
        }
        hasHinted = true
        if !model.isEmpty { saidModel = model }
    }

    private static func line(_ summary: BackendStatus) -> String {
        summary.isDemo
            ? "no model server on the usual ports; the built-in demo answers until one appears"
            : "backend \(summary.line)"
    }

    /// Claude Code takes the window only for a model that it does not know by name.
    static func modelLines(_ best: BackendStatus) -> [String] {
        guard let model = best.automatic?.id else { return [] }
        let window =
            best.automatic?.contextWindow.map { ["  export CLAUDE_CODE_MAX_CONTEXT_TOKENS=\($0)"] } ?? []
        return ["  export ANTHROPIC_MODEL=\(Wording.shellWord(model))"] + window
    }

    /// What to type to use it. Pure.
    static func hints(base: String, access: Configuration.Access, model: [String]) -> [String] {
        let keyed: Bool
        if case .keys = access { keyed = true } else { keyed = false }
        let key = keyed ? [#"    -H 'x-api-key: one of your keys' \"#] : []
        return [
            "For Claude Code, in another terminal:", "  export ANTHROPIC_BASE_URL=\(base)",
            "  export ANTHROPIC_AUTH_TOKEN=\(keyed ? "'one of your keys'" : "dragoman")",
        ] + model + [
            "  export CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY=1", "  claude", "Or try it:",
            #"  curl \#(base)/v1/messages \"#, #"    -H 'content-type: application/json' \"#,
        ] + key + [
            #"    -d '{"model":"claude","max_tokens":200,"#,
            #"         "messages":[{"role":"user","content":"Hello"}]}'; echo"#,
        ]
    }

    /// The URL that leads to a listener from this machine; nil for Unix sockets.
    private static func url(_ listener: Listener) -> String? {
        guard listener.scope != .unix, let colon = listener.address.lastIndex(of: ":") else { return nil }
        let port = listener.address[colon...]
        switch listener.address[..<colon] {
        case "0.0.0.0": return "http://127.0.0.1\(port)"
        case "[::]": return "http://[::1]\(port)"
        default: return "http://\(listener.address)"
        }
    }

    private func put(_ lines: [String]) {
        guard isOn, !lines.isEmpty else { return }
        write(lines.map { Wording.shown($0) + "\n" }.joined())
    }

    private static func toTerminal(_ text: String) {
        // At most a page at once: a pipe that polls as writable takes that without waiting.
        let bytes = Array(text.utf8.prefix(4096))
        var question = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&question, 1, 0) == 1, question.revents & Int16(POLLOUT) != 0 else { return }
        _ = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}
