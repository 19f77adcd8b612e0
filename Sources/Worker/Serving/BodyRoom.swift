// The room that large bodies of all clients of this worker have together. A body that does not fit waits
// unread, first come, first served. Holds: room is granted for a whole body before any of it beyond the small
// part is read, so that half-read bodies never wait for each other; what is granted is given back once.

internal import EventLoop

/// Bytes of large request bodies that the worker holds, or has promised to hold.
@Loop
final class BodyRoom {
    let limit: Int
    private(set) var used = 0
    private var waiting: [BodyShare] = []

    /// - Parameter largest: what a single body may have; there is room for one of them at least.
    init(largest: Int) { limit = max(ServingLimits.largeBodies, largest) }

    /// Room for a body, now or later: `wakeup` is signalled when it is granted.
    func share(_ bytes: Int, signalling wakeup: Wakeup) -> BodyShare {
        let share = BodyShare(bytes, self, wakeup)
        waiting.append(share)
        grant()
        return share
    }

    private func grant() {
        while let next = waiting.first, used + next.bytes <= limit {
            waiting.removeFirst()
            used += next.bytes
            next.grant()
        }
    }

    fileprivate func giveBack(_ bytes: Int) {
        used -= bytes
        grant()
    }

    fileprivate func forget(_ share: BodyShare) {
        waiting.removeAll { $0 === share }
        // Smaller ones may have stood behind it.
        grant()
    }
}

/// One body's part of the room.
@Loop
final class BodyShare {
    private enum State {
        case waiting, granted, returned
    }

    private(set) var bytes: Int
    private let room: BodyRoom
    private let wakeup: Wakeup
    private var state = State.waiting

    fileprivate init(_ bytes: Int, _ room: BodyRoom, _ wakeup: Wakeup) {
        self.bytes = bytes
        self.room = room
        self.wakeup = wakeup
    }

    var isGranted: Bool { state == .granted }

    fileprivate func grant() {
        state = .granted
        wakeup.signal()
    }

    /// The body turned out to be smaller.
    func shrink(to count: Int) {
        guard state == .granted, count < bytes else { return }
        let rest = bytes - count
        bytes = count
        room.giveBack(rest)
    }

    /// The body is not needed any more, or no longer waited for.
    func release() {
        switch state {
        case .waiting:
            state = .returned
            room.forget(self)
        case .granted:
            state = .returned
            room.giveBack(bytes)
        case .returned: break
        }
    }
}
