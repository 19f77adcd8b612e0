// Connections that wait for a slot, looked at without consuming anything: who asks for /health or
// /ready is answered here, so that monitoring works when every slot is taken. One verdict each.

internal import CSystem
internal import EventLoop
internal import Glibc
internal import HTTP
internal import Shared
internal import Translation

/// What the first bytes of a waiting connection say.
enum PeekedRequest: Equatable {
    case undecided
    case other
    case probe(Endpoint, length: Int)

    /// - Parameter bytes: what has come so far.
    static func judge(_ bytes: [UInt8]) -> (PeekedRequest, RequestHead?) {
        var parser = RequestHeadParser(limits: HeadLimits(bytes: ServingLimits.peekedBytes))
        guard couldBeProbe(bytes) else { return (.other, nil) }
        do throws(FramingFailure) {
            guard let head = try parser.parse(bytes) else {
                return (bytes.count < ServingLimits.peekedBytes ? .undecided : .other, nil)
            }
            let decision = Routes.decide(head.method, path: head.path, anthropicVersion: false)
            guard head.framing == .none, case .endpoint(let endpoint) = decision else { return (.other, nil) }
            guard endpoint == .health || endpoint == .ready else { return (.other, nil) }
            return (.probe(endpoint, length: head.length), head)
        } catch {
            return (.other, nil)
        }
    }

    /// Whether the bytes so far could be the beginning of a probe: POST is recognised by its first byte.
    private static func couldBeProbe(_ bytes: [UInt8]) -> Bool {
        ["GET ", "HEAD "].contains { method in zip(bytes, method.utf8).allSatisfy { $0 == $1 } }
    }
}

@Loop
final class ProbeResponder {
    private final class Guest {
        let descriptor: Descriptor
        let scope: ListenerScope
        var watch: Watch?

        init(_ descriptor: consuming Descriptor, _ scope: ListenerScope) {
            self.descriptor = descriptor
            self.scope = scope
        }
    }

    private var guests: [UInt64: Guest] = [:]
    private let verdict: @Loop (UInt64, PeekResult) -> Void
    private let answer: @Loop (Endpoint, RequestHead, ListenerScope, () -> Int?) -> [UInt8]

    /// - Parameter answer: the whole answer to a probe, head included; it may ask for the listener's port.
    init(
        verdict: @escaping @Loop (UInt64, PeekResult) -> Void,
        answer: @escaping @Loop (Endpoint, RequestHead, ListenerScope, () -> Int?) -> [UInt8]
    ) {
        self.verdict = verdict
        self.answer = answer
    }

    func admit(_ id: UInt64, _ scope: ListenerScope, _ descriptor: consuming Descriptor) {
        guard guests.count < ServingLimits.peekedConnections else { return verdict(id, .other) }
        let guest = Guest(descriptor, scope)
        guests[id] = guest
        look(id, hungUp: false)
        guard guests[id] != nil else { return }
        do throws(LoopError) {
            guest.watch = try Watch(guest.descriptor.raw) { [unowned self] ready in
                if !ready.isDisjoint(with: [.readable, .peerClosed, .hangup, .error]) {
                    self.look(id, hungUp: ready.isDisconnect)
                }
            }
        } catch {
            dismiss(id, .other)
        }
    }

    /// A slot is free for this one.
    func release(_ id: UInt64) { dismiss(id, .other) }

    func releaseAll() {
        for id in guests.keys.sorted() { dismiss(id, .other) }
    }

    private func look(_ id: UInt64, hungUp: Bool) {
        guard let guest = guests[id] else { return }
        var bytes = [UInt8](repeating: 0, count: ServingLimits.peekedBytes)
        let count = recv(
            guest.descriptor.raw, &bytes, bytes.count, Int32(MSG_PEEK | MSG_DONTWAIT))
        guard count > 0 else {
            if count == 0 || errno != EAGAIN && errno != EINTR { dismiss(id, .gone) }
            return
        }
        bytes.removeLast(bytes.count - count)
        switch PeekedRequest.judge(bytes) {
        case (.probe(let endpoint, let length), let head?):
            // Consumed now: closing with unread bytes would reset the answer away.
            _ = recv(guest.descriptor.raw, &bytes, min(length, bytes.count), Int32(MSG_DONTWAIT))
            let reply = answer(endpoint, head, guest.scope) { guest.descriptor.localPort }
            _ = cs_send(guest.descriptor.raw, reply, reply.count)
            _ = shutdown(guest.descriptor.raw, Int32(SHUT_WR))
            dismiss(id, .served)
        case (.undecided, _): if hungUp { dismiss(id, .gone) }
        default: dismiss(id, .other)
        }
    }

    private func dismiss(_ id: UInt64, _ result: PeekResult) {
        guard let guest = guests.removeValue(forKey: id) else { return }
        guest.watch?.cancel()
        verdict(id, result)
    }
}
