// The lines for somebody who has started the daemon by hand: where it listens, which backends there are,
// and what to type next. A service says nothing here. Holds: never waits; what finds no room is dropped.

import Glibc
import JSON
import Shared

final class Progress {
    let isOn: Bool
    private let access: Configuration.Access
    private let write: (String) -> Void
    private var isReady = false
    private var base: String?
    private var latest: [BackendSummary]?
    private var saidBackends: [String]?
    private var hasHinted = false
    private var saidContext: Int?

    init(
        isOn: Bool, access: Configuration.Access, write: @escaping (String) -> Void = Progress.toTerminal
    ) {
        self.isOn = isOn
        self.access = access
        self.write = write
    }

    func starting(configuration name: String, workers: Int) {
        let source = name.isEmpty ? "built-in defaults" : name
        put([
            "dragoman \(dragomanVersion): \(workers) worker\(workers == 1 ? "" : "s"), configuration: \(source)"
        ])
    }

    func ready(_ doors: Doors) {
        ready(doors.clients.map(\.address), base: doors.clients.lazy.compactMap(Self.url).first)
    }

    /// - Parameter base: the URL that leads here; nil when there are Unix sockets only.
    func ready(_ addresses: [String], base: String?) {
        put(addresses.map { "listening on \($0)" })
        self.base = base
        isReady = true
        show()
    }

    /// A worker's report of its backends.
    func backends(_ json: String) {
        guard isOn, let document = try? JSONDocument(parsing: Array(json.utf8)) else { return }
        latest = JSONNode?.some(document.root).items.map(BackendSummary.init)
        show()
    }

    func stopping() { put(["stopping; streams may finish (once more to end at once)"]) }

    /// Once ready and once the backends have been asked, and again what has changed since.
    private func show() {
        guard isReady, let latest, !latest.contains(where: \.isUnknown) else { return }
        let lines = latest.map { "backend \($0.line)" }
        if lines != saidBackends {
            put(lines.isEmpty ? ["no backend answers"] : lines.filter { saidBackends?.contains($0) != true })
            saidBackends = lines
        }
        guard let base else { return }
        let best = latest.first { $0.isUsable }
        let context = best?.defaultContext
        if !hasHinted {
            put(["", Self.hints(base: base, access: access, context: context).joined(separator: "\n"), ""])
        } else if let best, let context, context != saidContext {
            put([Self.contextHint(context) + "   # \(best.name) answers now"])
        }
        hasHinted = true
        saidContext = context ?? saidContext
    }

    private static func contextHint(_ tokens: Int) -> String {
        "  export CLAUDE_CODE_MAX_CONTEXT_TOKENS=\(tokens)"
    }

    /// What to type to use it. Pure.
    static func hints(base: String, access: Configuration.Access, context: Int?) -> [String] {
        let keyed: Bool
        if case .keys = access { keyed = true } else { keyed = false }
        var lines = [
            "Claude Code, in another terminal:", "  export ANTHROPIC_BASE_URL=\(base)",
            "  export ANTHROPIC_AUTH_TOKEN=\(keyed ? "'one of your keys'" : "dragoman")",
        ]
        if let context { lines.append(contextHint(context)) }
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
        guard isOn, !lines.isEmpty else { return }
        write(lines.map { $0 + "\n" }.joined())
    }

    private static func toTerminal(_ text: String) {
        // At most a page at once: a pipe that polls as writable takes that without waiting.
        let bytes = Array(text.utf8.prefix(4096))
        var question = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&question, 1, 0) == 1, question.revents & Int16(POLLOUT) != 0 else { return }
        _ = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}
