// The lines for somebody who has started the daemon by hand: where it listens, which backends there are,
// and what to type next. A service says nothing here. Holds: never waits; what finds no room is dropped.

import Glibc
import JSON
import Shared

final class Progress {
    private let isOn: Bool
    private let access: Configuration.Access
    private var base: String?
    private var latest: [BackendSummary]?
    private var saidBackends: [String] = []
    private var saidHints = ""

    init(isOn: Bool, access: Configuration.Access) {
        self.isOn = isOn
        self.access = access
    }

    func starting(configuration name: String, workers: Int) {
        let source = name.isEmpty ? "built-in defaults" : name
        put(["dragoman \(dragomanVersion): \(workers) workers, configuration: \(source)"])
    }

    func ready(_ doors: Doors, workers: Int) {
        guard isOn else { return }
        put(doors.clients.map { "listening on \($0.address)" })
        base = doors.clients.lazy.compactMap(Self.url).first
        show()
    }

    /// A worker's report of its backends.
    func backends(_ json: String) {
        guard isOn, let document = try? JSONDocument(parsing: Array(json.utf8)) else { return }
        latest = JSONNode?.some(document.root).items.map(BackendSummary.init)
        show()
    }

    func stopping() { put(["stopping; streams may finish (once more to end at once)"]) }

    /// Once ready and once the backends have been asked, and again whenever these lines change.
    private func show() {
        guard let base, let latest, !latest.contains(where: \.isUnknown) else { return }
        let lines = latest.map { "backend \($0.line)" }
        if lines != saidBackends {
            saidBackends = lines
            put(lines.isEmpty ? ["no backend"] : lines)
        }
        let context = latest.first { $0.isUsable }?.defaultContext
        let hints = Self.hints(base: base, access: access, context: context).joined(separator: "\n")
        guard hints != saidHints else { return }
        saidHints = hints
        put(["", hints, ""])
    }

    /// What to type to use it. Pure.
    static func hints(base: String, access: Configuration.Access, context: Int?) -> [String] {
        let keyed: Bool
        if case .keys = access { keyed = true } else { keyed = false }
        var lines = [
            "Claude Code, in another terminal:", "  export ANTHROPIC_BASE_URL=\(base)",
            "  export ANTHROPIC_AUTH_TOKEN=\(keyed ? "'one of your keys'" : "dragoman")",
        ]
        if let context { lines.append("  export CLAUDE_CODE_MAX_CONTEXT_TOKENS=\(context)") }
        lines += ["  claude", "or try it:"]
        let key = keyed ? " -H 'x-api-key: one of your keys'" : ""
        lines.append(
            "  curl \(base)/v1/messages -H 'content-type: application/json'\(key) -d "
                + #"'{"model":"claude","max_tokens":200,"messages":[{"role":"user","content":"Hello"}]}'"#)
        return lines
    }

    /// The URL that leads to a listener from this machine; nil for Unix sockets.
    private static func url(_ listener: Listener) -> String? {
        guard listener.door != .unix, let colon = listener.address.lastIndex(of: ":") else { return nil }
        let port = listener.address[colon...]
        switch listener.address[..<colon] {
        case "0.0.0.0": return "http://127.0.0.1\(port)"
        case "[::]": return "http://[::1]\(port)"
        default: return "http://\(listener.address)"
        }
    }

    private func put(_ lines: [String]) {
        guard isOn else { return }
        // At most a page at once: a pipe that polls as writable takes that without waiting.
        let text = Array(lines.map { $0 + "\n" }.joined().utf8.prefix(4096))
        var question = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&question, 1, 0) == 1, question.revents & Int16(POLLOUT) != 0 else { return }
        _ = text.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}
