// One client connection of the load generator: sends a request, checks the answer as it comes, tells the
// run how it went. Reused for the next request as long as the server keeps it open.

import CSystem
import Glibc

/// Why an exchange failed; the words are the keys of the result.
enum LoadFailure {
    case refused
    case noAnswer(reused: Bool)
    case cut
    case status(Int)
    case wrong(String)
    case timeout

    var text: String {
        switch self {
        case .refused: "refused"
        case .noAnswer(let reused): reused ? "no answer (reused connection)" : "no answer"
        case .cut: "cut"
        case .status(let status): "status \(status)"
        case .wrong(let what): "wrong: \(what)"
        case .timeout: "timeout"
        }
    }
}

final class LoadConnection: Source {
    private unowned let run: LoadRun
    /// Index of the target this connection belongs to.
    let target: Int
    private var fd: Int32 = -1
    private(set) var busy = false
    private var connecting = false
    private var reused = false
    private var sent = 0
    private var reader = ResponseReader()
    private var check: StreamCheck
    private var streaming = false
    private var status = 0
    private var body: [UInt8] = []
    /// When the request was due; latencies count from here.
    private(set) var due: UInt64 = 0
    private var lastText: UInt64 = 0

    init(run: LoadRun, target: Int) {
        self.run = run
        self.target = target
        check = StreamCheck(
            dialect: run.plan.targets[target].dialect, expected: run.expected,
            tokens: run.plan.directive.tokens)
    }

    deinit { if fd >= 0 { close(fd) } }

    func start(due: UInt64) {
        self.due = due
        busy = true
        sent = 0
        lastText = 0
        status = 0
        streaming = false
        body.removeAll(keepingCapacity: true)
        reader.restart()
        check.restart()
        reused = fd >= 0
        if fd >= 0 { return push() }
        fd = Sockets.connect(port: run.plan.targets[target].port)
        guard fd >= 0 else { return finish(.refused) }
        connecting = true
        run.poller.add(fd, self, Readiness.both)
    }

    private func push() {
        let request = run.requests[target]
        let count = request.withUnsafeBytes { cs_send(fd, $0.baseAddress.map { $0 + sent }, $0.count - sent) }
        if count < 0 && errno != EAGAIN { return finish(.noAnswer(reused: reused)) }
        sent += max(0, count)
        if sent < request.count { return run.poller.change(fd, Readiness.both) }
        if !reused { run.poller.change(fd, Readiness.input) }
    }

    override func ready(_ events: UInt32) {
        if connecting {
            guard Sockets.pendingError(fd) == 0 else { return finish(.refused) }
            connecting = false
        }
        if events & Readiness.output != 0, busy, sent < run.requests[target].count {
            push()
            if fd < 0 { return }
        }
        guard events & (Readiness.input | Readiness.failed) != 0 else { return }
        let count = recv(fd, run.scratch.baseAddress, run.scratch.count, Int32(MSG_DONTWAIT))
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        guard count > 0 else { return ended() }
        guard busy else { return drop() }
        take(UnsafeBufferPointer(rebasing: run.scratch[..<count]).span, now: cs_now())
    }

    private func ended() {
        guard busy else { return drop() }
        finish(reader.untouched ? .noAnswer(reused: reused) : .cut)
    }

    private func take(_ bytes: Span<UInt8>, now: UInt64) {
        var position = 0
        while true {
            switch reader.next(bytes, &position) {
            case .more: return
            case .bad(let what): return finish(.wrong(what))
            case .head(let status, let eventStream):
                self.status = status
                streaming = eventStream
                if status == 200, eventStream != run.plan.stream { return finish(.wrong("content type")) }
            case .body(let range):
                guard streaming else {
                    for index in range { body.append(bytes[index]) }
                    continue
                }
                switch check.take(bytes.extracting(range)) {
                case .wrong(let what): return finish(.wrong(what))
                case .fine: break
                case .text, .complete: noteText(now)
                }
            case .end:
                return complete(now)
            }
        }
    }

    private func noteText(_ now: UInt64) {
        if lastText == 0 {
            run.figures[target].firstToken.add(now - due)
        } else if !check.isComplete {
            run.figures[target].gaps.add(now - lastText)
        }
        lastText = now
    }

    private func complete(_ now: UInt64) {
        guard status == 200 else { return finish(.status(status)) }
        if streaming {
            guard check.isComplete else { return finish(.wrong("no end of the stream")) }
        } else if let mistake = WholeCheck.mistake(
            in: body, dialect: run.plan.targets[target].dialect, expected: run.expected,
            tokens: run.plan.directive.tokens)
        {
            return finish(.wrong(mistake))
        } else {
            run.figures[target].firstToken.add(now - due)
        }
        run.figures[target].total.add(now - due)
        run.figures[target].tokens += run.plan.directive.tokens
        run.figures[target].events += check.events
        if reader.closes { drop() }
        busy = false
        run.finished(self, nil)
    }

    /// Ends the exchange as failed and the connection with it.
    func finish(_ failure: LoadFailure) {
        drop()
        busy = false
        run.finished(self, failure)
    }

    private func drop() {
        guard fd >= 0 else { return }
        run.poller.remove(fd)
        close(fd)
        fd = -1
        connecting = false
    }

    override func timeout(now: UInt64) { run.due(self, now: now) }
}
