// The jobs that are ready to run: a ring that grows and never shrinks, touched by the loop's thread only.

/// First in, first out; no allocation once it has grown to the number of tasks that are ready together.
struct JobQueue: ~Copyable {
    private var ring: UnsafeMutableBufferPointer<UnownedJob>
    private var head = 0
    private(set) var count = 0

    init(capacity: Int = 256) {
        var size = 1
        while size < capacity { size *= 2 }
        ring = .allocate(capacity: size)
    }

    deinit { ring.deallocate() }

    var isEmpty: Bool { count == 0 }

    mutating func push(_ job: UnownedJob) {
        if count == ring.count { grow() }
        ring.initializeElement(at: (head &+ count) & (ring.count &- 1), to: job)
        count &+= 1
    }

    mutating func pop() -> UnownedJob? {
        guard count > 0 else { return nil }
        let job = ring.moveElement(from: head)
        head = (head &+ 1) & (ring.count &- 1)
        count &-= 1
        return job
    }

    private mutating func grow() {
        let larger = UnsafeMutableBufferPointer<UnownedJob>.allocate(capacity: ring.count * 2)
        for position in 0..<count {
            let from = (head &+ position) & (ring.count &- 1)
            larger.initializeElement(at: position, to: ring.moveElement(from: from))
        }
        ring.deallocate()
        ring = larger
        head = 0
    }
}
