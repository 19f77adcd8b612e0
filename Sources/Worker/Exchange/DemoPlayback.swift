// Plays the demo's script in its own time: pure but for the clock that is passed in.

internal import EventLoop
internal import Translation

struct DemoPlayback {
    private let steps: [Demo.Step]
    private var next = 0
    private var dueAt: Instant

    init(_ demo: Demo, begun: Instant) {
        steps = demo.steps
        dueAt = begun.advanced(by: steps.first?.pause ?? .zero)
    }

    var isOver: Bool { next >= steps.count }

    /// When the next step is due.
    var deadline: Instant { isOver ? .distantFuture : dueAt }

    /// The deltas whose time has come.
    mutating func take(at now: Instant) -> [Delta] {
        var deltas: [Delta] = []
        while !isOver, dueAt <= now {
            deltas += steps[next].deltas
            next += 1
            if !isOver { dueAt = dueAt.advanced(by: steps[next].pause) }
        }
        return deltas
    }
}
