// The fleet's time: sessions begin one after the other as places for developers get free, ask, wait and pause.

struct Outcome {
    var makespan = 0.0
    var prompts = 0
    var cached = 0
    var firstTokens: [Double] = []
    /// Of the time, how long the machines were reading; the mean over all.
    var busy = 0.0

    var hitRate: Double { Double(cached) / Double(max(prompts, 1)) }

    func firstToken(_ share: Double) -> Double {
        let sorted = firstTokens.sorted()
        return sorted.isEmpty ? 0 : sorted[min(Int(Double(sorted.count) * share), sorted.count - 1)]
    }
}

struct Simulation<P: Policy> {
    private enum Event {
        case ask(agent: Int, turn: Int)
        case end(Request, backend: Int, Service, began: Double)
        case tick
    }

    private struct Running {
        let agent: Agent
        /// Which conversation waits for it.
        let parent: (running: Int, turn: Int)?
    }

    private var policy: P
    private var backends: [SimulatedBackend]
    private var events = TimeQueue<Event>()
    private var coming: [Agent]
    private var running: [Running] = []
    private var owners: [Int: (running: Int, turn: Int)] = [:]
    private var nextRequest = 0
    private var ticked = -1.0
    private var outcome = Outcome()

    init(_ policy: P, machines: [Machine], sessions: [Agent]) {
        self.policy = policy
        backends = machines.map(SimulatedBackend.init)
        coming = sessions.reversed()
    }

    mutating func run(developers: Int) -> Outcome {
        // Not all in the same moment.
        for place in 0..<developers { beginSession(at: Double(place) * 0.5) }
        while let (now, event) = events.next() {
            switch event {
            case .ask(let agent, let turn): ask(agent, turn, at: now)
            case .end(let request, let backend, let service, let began):
                end(request, backend, service, began, at: now)
            case .tick: place(policy.tick(at: now), at: now)
            }
            if let deadline = policy.deadline, deadline > ticked || ticked <= now {
                ticked = max(deadline, now + 0.001)
                events.add(.tick, at: ticked)
            }
            if case .tick = event { continue }
            outcome.makespan = now
        }
        outcome.busy = backends.map(\.busy).reduce(0, +) / Double(backends.count) / outcome.makespan
        return outcome
    }

    private mutating func beginSession(at now: Double) {
        guard let agent = coming.popLast() else { return }
        begin(agent, parent: nil, at: now)
    }

    private mutating func begin(_ agent: Agent, parent: (Int, Int)?, at now: Double) {
        running.append(Running(agent: agent, parent: parent.map { (running: $0.0, turn: $0.1) }))
        let pause = parent == nil ? 0 : agent.turns[0].pause
        events.add(.ask(agent: running.count - 1, turn: 0), at: now + pause)
    }

    private mutating func ask(_ place: Int, _ turn: Int, at now: Double) {
        let agent = running[place].agent
        let request = Request(
            id: nextRequest, session: agent.session, agent: agent.agent, turn: turn,
            prompt: agent.turns[turn].prompt, output: agent.turns[turn].output, asked: now)
        nextRequest += 1
        owners[request.id] = (place, turn)
        self.place(policy.arrives(request, at: now), at: now)
    }

    private mutating func place(_ placements: [Placement], at now: Double) {
        for placement in placements {
            if backends[placement.backend].hasPlace {
                begin(placement.request, on: placement.backend, at: now)
            } else {
                backends[placement.backend].queue.append(placement.request)
            }
        }
    }

    private mutating func begin(_ request: Request, on backend: Int, at now: Double) {
        let service = backends[backend].begin(request, at: now)
        outcome.prompts += request.prompt
        outcome.cached += service.cached
        outcome.firstTokens.append(service.firstByte - request.asked)
        events.add(.end(request, backend: backend, service, began: now), at: service.end)
    }

    private mutating func end(
        _ request: Request, _ backend: Int, _ service: Service, _ began: Double, at now: Double
    ) {
        backends[backend].end()
        if !backends[backend].queue.isEmpty {
            begin(backends[backend].queue.removeFirst(), on: backend, at: now)
        }
        place(policy.ended(request, on: backend, service, began: began, at: now), at: now)
        guard let (place, turn) = owners.removeValue(forKey: request.id) else { return }
        if let subagent = running[place].agent.turns[turn].subagent {
            begin(subagent, parent: (place, turn), at: now)
        } else {
            next(place, after: turn, at: now)
        }
    }

    private mutating func next(_ place: Int, after turn: Int, at now: Double) {
        let turns = running[place].agent.turns
        if turn + 1 < turns.count {
            events.add(.ask(agent: place, turn: turn + 1), at: now + turns[turn + 1].pause)
        } else if let parent = running[place].parent {
            next(parent.running, after: parent.turn, at: now)
        } else {
            beginSession(at: now)
        }
    }
}

/// A binary heap by time; of the same time the earlier added comes first.
struct TimeQueue<Event> {
    private var heap: [(time: Double, number: Int, event: Event)] = []
    private var added = 0

    mutating func add(_ event: Event, at time: Double) {
        added += 1
        heap.append((time, added, event))
        var child = heap.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> (Double, Event)? {
        guard !heap.isEmpty else { return nil }
        heap.swapAt(0, heap.count - 1)
        let first = heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isBefore(child, least) {
                least = child
            }
            guard least != parent else { break }
            heap.swapAt(parent, least)
            parent = least
        }
        return (first.time, first.event)
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].number) < (heap[right].time, heap[right].number)
    }
}
