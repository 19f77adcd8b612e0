// The channel over a real socket pair: descriptors arrive once and open, order holds when the socket is
// full, a closed peer is told from silence, and what breaks the contract is refused and not leaked.

import CSystem
import Glibc
import Testing

@testable import Shared

private struct Ends {
    let supervisor: SupervisorChannel
    let worker: WorkerChannel
}

private func ends() throws -> Ends {
    var made: Ends?
    try ControlPair.make().give { supervisorEnd, workerEnd in
        made = Ends(
            supervisor: SupervisorChannel(adopting: supervisorEnd),
            worker: WorkerChannel(adopting: workerEnd))
    }
    return try #require(made)
}

private struct Pipe: ~Copyable {
    let read: Descriptor
    let write: Descriptor

    init() throws {
        var both: [Int32] = [-1, -1]
        guard pipe(&both) == 0, let read = Descriptor(adopting: both[0]),
            let write = Descriptor(adopting: both[1])
        else { throw SystemFailure("pipe", errno) }
        self.read = read
        self.write = write
    }
}

/// Whether no write end of the pipe is open any more anywhere.
private func isHungUp(_ read: Int32) -> Bool {
    var poller = pollfd(fd: read, events: Int16(POLLIN), revents: 0)
    return poll(&poller, 1, 0) == 1 && poller.revents & Int16(POLLHUP) != 0
}

@Test("a connection's descriptor arrives and is the only copy once the sender closed its own")
func passesDescriptor() throws {
    let channel = try ends()
    let pipe = try Pipe()
    let read = pipe.read.raw
    let message = SupervisorMessage.connection(id: 4, scope: .loopback, peer: "127.0.0.1:1")
    do {
        let mine = try pipe.write.duplicate()
        try channel.supervisor.send(message, passing: mine.raw)
    }
    // One in `pipe`, one in flight; the first is closed here by overwriting it with the other end.
    #expect(dup2(read, pipe.write.raw) >= 0)
    #expect(!isHungUp(read))
    switch try channel.worker.receive() {
    case .passing(let received, let descriptor):
        #expect(received == message)
        #expect(fcntl(descriptor.raw, F_GETFD) & FD_CLOEXEC != 0)
        #expect(!isHungUp(read))
        _ = consume descriptor
    default: Issue.record("no descriptor arrived")
    }
    #expect(isHungUp(read))
}

@Test("messages keep their order when the socket is full, descriptors included, and none is lost")
func orderUnderPressure() throws {
    let channel = try ends()
    let pipe = try Pipe()
    var next: UInt64 = 0
    while channel.supervisor.waitingMessages < 600 {
        if next % 5 == 0 {
            try channel.supervisor.send(
                .connection(id: next, scope: .unix, peer: ""), passing: pipe.write.raw)
        } else {
            try channel.supervisor.send(.unpeek(id: next))
        }
        next += 1
    }
    var expected: UInt64 = 0
    while expected < next {
        switch try channel.worker.receive() {
        case .message(.unpeek(let id)):
            #expect(id == expected && id % 5 != 0)
            expected += 1
        case .passing(.connection(let id, _, _), _):
            #expect(id == expected && id % 5 == 0)
            expected += 1
        case .nothing:
            #expect(channel.supervisor.wantsToWrite)
            try channel.supervisor.flush()
        default:
            Issue.record("unexpected message")
            return
        }
    }
    #expect(!channel.supervisor.wantsToWrite)
    guard case .nothing = try channel.worker.receive() else {
        Issue.record("more than was sent")
        return
    }
}

@Test("a peer that never reads makes the channel congested, after the named number of messages")
func congestion() throws {
    let channel = try ends()
    #expect(throws: ControlFailure.congested) {
        while true { try channel.supervisor.send(.ping(sequence: 1)) }
    }
    #expect(channel.supervisor.waitingMessages == ControlChannelLimits.queuedMessages)
}

@Test("a closed peer is `ended`, silence is `nothing`, and sending to it fails as ended")
func ending() throws {
    var kept: SupervisorChannel?
    do {
        let channel = try ends()
        guard case .nothing = try channel.supervisor.receive() else {
            Issue.record("expected silence")
            return
        }
        try channel.worker.send(.ready)
        kept = channel.supervisor
    }
    let supervisor = try #require(kept)
    // What was sent before the end still arrives.
    guard case .message(.ready) = try supervisor.receive() else {
        Issue.record("the last message was lost")
        return
    }
    guard case .ended = try supervisor.receive() else {
        Issue.record("expected the end")
        return
    }
    #expect(throws: ControlFailure.ended) { try supervisor.send(.drain) }
}

@Test("a descriptor with a message that carries none, none where one belongs, or two: refused, all closed")
func mismatches() throws {
    let ping = try SupervisorMessage.ping(sequence: 1).encoded()
    let connection = try SupervisorMessage.connection(id: 1, scope: .unix, peer: "").encoded()
    for (bytes, withDescriptor) in [(ping, true), (connection, false)] {
        let channel = try ends()
        let pipe = try Pipe()
        #expect(
            cs_send_packet(channel.supervisor.raw, bytes, bytes.count, withDescriptor ? pipe.write.raw : -1)
                == bytes.count)
        #expect(throws: ControlFailure.descriptorMismatch) { _ = try channel.worker.receive() }
        #expect(dup2(pipe.read.raw, pipe.write.raw) >= 0)
        #expect(isHungUp(pipe.read.raw))
    }
    let channel = try ends()
    #expect(throws: ControlFailure.descriptorMismatch) { try channel.supervisor.send(.drain, passing: 0) }
    #expect(throws: ControlFailure.descriptorMismatch) {
        try channel.supervisor.send(.connection(id: 1, scope: .unix, peer: ""))
    }
}

@Test("a descriptor for which no number is left is lost, its message and the channel are not")
func outOfDescriptors() throws {
    let channel = try ends()
    let pipe = try Pipe()
    let message = SupervisorMessage.connection(id: 7, scope: .unix, peer: "p")
    try channel.supervisor.send(message, passing: pipe.write.raw)
    try channel.supervisor.send(.drain)
    let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var before = rlimit()
    #expect(getrlimit(files, &before) == 0)
    var none = before
    none.rlim_cur = 0
    #expect(setrlimit(files, &none) == 0)
    let received = Result { try channel.worker.received() }
    #expect(setrlimit(files, &before) == 0)
    #expect(try received.get() == .bereft(message))
    #expect(try channel.worker.received() == .message(.drain))
}

private enum Outcome: Equatable {
    case message(SupervisorMessage)
    case bereft(SupervisorMessage)
    case other
}

extension WorkerChannel {
    fileprivate func received() throws -> Outcome {
        switch try receive() {
        case .message(let message): .message(message)
        case .bereft(let message): .bereft(message)
        default: .other
        }
    }
}

@Test("a datagram longer than the largest message is malformed, not cut")
func oversized() throws {
    let channel = try ends()
    let long = [UInt8](repeating: 1, count: maximumControlBytes + 1)
    #expect(cs_send_packet(channel.worker.raw, long, long.count, -1) == long.count)
    #expect(throws: ControlFailure.malformed) { _ = try channel.supervisor.receive() }
}

@Test("what a peer said before it ended is heard, though it left messages unread")
func lastWordsAfterReset() throws {
    let supervisor: SupervisorChannel
    do {
        let channel = try ends()
        supervisor = channel.supervisor
        try channel.supervisor.send(.ping(sequence: 1))
        try channel.worker.send(.accepted(id: 7))
        try channel.worker.send(.drained)
    }
    #expect(try isMessage(supervisor.receive(), .accepted(id: 7)))
    #expect(try isMessage(supervisor.receive(), .drained))
    guard case .ended = try supervisor.receive() else {
        Issue.record("the end was not seen")
        return
    }
}

private func isMessage(_ received: consuming Received<WorkerMessage>, _ expected: WorkerMessage) -> Bool {
    guard case .message(let message) = received else { return false }
    return message == expected
}
