// One connection of the mock: reads requests, plays the answer's script with its timer, notices at once
// when the other side leaves.

import CSystem
import Glibc

final class MockConnection: Source {
    private enum Phase {
        case reading
        /// Nothing sent yet: the time to the first token runs.
        case holding(Directive, stream: Bool, usage: Bool, prompt: Int)
        case streaming(Directive, next: Int, due: UInt64, usage: Bool, prompt: Int)
    }

    private let fd: Int32
    private unowned let server: MockServer
    private var phase = Phase.reading
    /// Received and not yet understood.
    private var pending: [UInt8] = []
    /// Rendered and not yet taken by the kernel.
    private var unsent: [UInt8] = []
    private var closed = false
    private static let maximumRequest = 64 << 20

    init(fd: Int32, server: MockServer) {
        self.fd = fd
        self.server = server
    }

    override func ready(_ events: UInt32) {
        if events & Readiness.output != 0 { flush() }
        guard !closed, events & (Readiness.input | Readiness.failed) != 0 else { return }
        let count = recv(fd, server.scratch.baseAddress, server.scratch.count, Int32(MSG_DONTWAIT))
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        guard count > 0 else { return leave() }
        let received = UnsafeBufferPointer(rebasing: server.scratch[..<count])
        if pending.isEmpty, case .reading = phase {
            let used = understand(received.span)
            if used < count { pending += received[used...] }
        } else {
            pending += received
            understandPending()
        }
        if pending.count > Self.maximumRequest { leave() }
    }

    private func understandPending() {
        while !closed, !pending.isEmpty, case .reading = phase {
            let bytes = pending
            let used = understand(bytes.span)
            if used == 0 { return }
            pending.removeFirst(used)
        }
    }

    /// Takes one complete request off the front and starts its answer; 0 when it is not complete yet.
    private func understand(_ bytes: Span<UInt8>) -> Int {
        guard let end = headEnd(bytes) else { return 0 }
        let head = bytes.extracting(0..<end)
        var length = 0
        if let value = Bytes.header("content-length", in: head) {
            guard let number = Bytes.number(head, at: value), number <= Self.maximumRequest else {
                leave()
                return bytes.count
            }
            length = number
        }
        guard bytes.count - end >= length else {
            if pending.capacity < end + length { pending.reserveCapacity(end + length) }
            return 0
        }
        server.requests += 1
        answer(head, body: bytes.extracting(end..<end + length))
        return end + length
    }

    private func headEnd(_ bytes: Span<UInt8>) -> Int? {
        var index = 0
        while let line = Bytes.firstByte(0x0A, in: bytes, from: index) {
            if line >= 3, bytes[line - 1] == 0x0D, bytes[line - 2] == 0x0A { return line + 1 }
            index = line + 1
        }
        return nil
    }

    private static let streamMark = [Pattern("\"stream\":true"), Pattern("\"stream\": true")]
    private static let usageMark = Pattern("\"include_usage\":")

    private func answer(_ head: Span<UInt8>, body: Span<UInt8>) {
        if Bytes.hasPrefix(head, at: 0, "POST /v1/chat/completions ") {
            let directive = Directive(lastIn: body)
            let stream = Self.streamMark.contains { $0.first(in: body) != nil }
            let usage = stream && Self.usageMark.first(in: body) != nil
            server.note(directive.id, .open)
            let prompt = body.count / 4
            guard directive.firstMilliseconds > 0 else {
                return begin(directive, stream: stream, usage: usage, prompt: prompt, now: nil)
            }
            phase = .holding(directive, stream: stream, usage: usage, prompt: prompt)
            server.poller.setTimer(self, at: cs_now() + UInt64(directive.firstMilliseconds) * 1_000_000)
        } else if Bytes.hasPrefix(head, at: 0, "GET /v1/models ") {
            send(MockWire.models)
        } else if Bytes.hasPrefix(head, at: 0, "GET /bench/stats?id=") {
            send(server.statistics(id: Bytes.number(head, at: 20) ?? 0))
        } else if Bytes.hasPrefix(head, at: 0, "GET /bench/stats ") {
            send(server.statistics(id: nil))
        } else {
            send(MockWire.notFound)
        }
    }

    private func begin(_ directive: Directive, stream: Bool, usage: Bool, prompt: Int, now: UInt64?) {
        guard stream else {
            send(server.wire.wholeAnswer(tokens: directive.tokens, promptTokens: prompt))
            return finish(directive.id)
        }
        let due = now ?? cs_now()
        phase = .streaming(directive, next: 0, due: due, usage: usage, prompt: prompt)
        send(server.wire.opening)
        step(directive, from: 0, due: due, usage: usage, prompt: prompt)
    }

    /// Writes what is due: all of it without a delay (or until the kernel takes no more), else one write.
    private func step(_ directive: Directive, from start: Int, due: UInt64, usage: Bool, prompt: Int) {
        var next = start
        var group: [UInt8] = []
        while next < directive.tokens, !closed {
            let end = min(next + directive.perWrite, directive.tokens)
            let middle = next <= directive.tokens / 2 && directive.tokens / 2 < end
            if middle, directive.spoil == .cut { return leave() }
            let slip = middle && directive.spoil == .text ? 1 : 0
            group.removeAll(keepingCapacity: true)
            server.wire.append(tokens: next + slip..<end + slip, to: &group)
            send(group)
            next = end
            if directive.delayMilliseconds > 0 {
                let later = due + UInt64(directive.delayMilliseconds) * 1_000_000
                phase = .streaming(directive, next: next, due: later, usage: usage, prompt: prompt)
                return server.poller.setTimer(self, at: later)
            }
        }
        guard !closed else { return }
        if directive.spoil == .ending {
            send(MockWire.lastChunk)
        } else {
            send(server.wire.closing(tokens: directive.tokens, promptTokens: prompt, usage: usage))
        }
        finish(directive.id)
    }

    override func timeout(now: UInt64) {
        switch phase {
        case .reading: break
        case .holding(let directive, let stream, let usage, let prompt):
            begin(directive, stream: stream, usage: usage, prompt: prompt, now: now)
        case .streaming(let directive, let next, let due, let usage, let prompt):
            step(directive, from: next, due: due, usage: usage, prompt: prompt)
        }
        understandPending()
    }

    private func finish(_ id: Int) {
        guard !closed else { return }
        server.finished += 1
        server.note(id, .finished)
        phase = .reading
    }

    private func send(_ bytes: [UInt8]) {
        guard !closed else { return }
        guard unsent.isEmpty else {
            unsent += bytes
            return
        }
        let count = bytes.withUnsafeBytes { cs_send(fd, $0.baseAddress, $0.count) }
        if count == bytes.count { return }
        guard count >= 0 || errno == EAGAIN else { return leave() }
        unsent += bytes[max(0, count)...]
        server.poller.change(fd, Readiness.both)
    }

    private func flush() {
        guard !unsent.isEmpty else { return }
        let count = unsent.withUnsafeBytes { cs_send(fd, $0.baseAddress, $0.count) }
        guard count >= 0 || errno == EAGAIN else { return leave() }
        unsent.removeFirst(max(0, count))
        if unsent.isEmpty { server.poller.change(fd, Readiness.input) }
    }

    private func leave() {
        guard !closed else { return }
        closed = true
        switch phase {
        case .reading: break
        case .holding(let directive, _, _, _), .streaming(let directive, _, _, _, _):
            server.left += 1
            server.note(directive.id, .left)
        }
        server.connections -= 1
        server.poller.clearTimer(self)
        server.poller.remove(fd)
        close(fd)
    }
}
