// A model server: it reads one prompt after the other, writes several answers at a time, and keeps what it has read in a
// cache of bounded size, from which what was not used for longest goes first.

struct Machine: Sendable {
    /// Tokens of prompts it reads in a second when it writes nothing, and those of one answer that it writes.
    let reading: Double
    let writing: Double
    let concurrent: Int
    /// Tokens.
    let cache: Int
}

struct Service {
    let cached: Int
    let firstByte: Double
    let end: Double
}

struct SimulatedBackend {
    let machine: Machine
    private(set) var active = 0
    private(set) var busy = 0.0
    var queue: [Request] = []
    private var readUntil = 0.0
    private var cache: [ConversationName: (tokens: Int, used: Int)] = [:]
    private var held = 0
    private var uses = 0
    private var isWarm = false

    init(_ machine: Machine) { self.machine = machine }

    var hasPlace: Bool { active < machine.concurrent }

    mutating func begin(_ request: Request, at now: Double) -> Service {
        let name = ConversationName(session: request.session, agent: request.agent)
        let known = cache[name].map { $0.tokens + Workload.systemPrompt } ?? 0
        let cached = min(max(known, isWarm ? Workload.systemPrompt : 0), request.prompt - 1)
        isWarm = true
        // Writing takes its part of the machine.
        let speed = machine.reading * (1 - 0.3 * Double(active) / Double(machine.concurrent))
        let seconds = Double(request.prompt - cached) / speed
        let start = max(now, readUntil)
        readUntil = start + seconds
        busy += seconds
        active += 1
        keep(name, request.prompt + request.output - Workload.systemPrompt)
        let firstByte = readUntil + 0.03
        return Service(
            cached: cached, firstByte: firstByte, end: firstByte + Double(request.output) / machine.writing)
    }

    mutating func end() { active -= 1 }

    private mutating func keep(_ name: ConversationName, _ tokens: Int) {
        uses += 1
        held += tokens - (cache[name]?.tokens ?? 0)
        cache[name] = (tokens, uses)
        while held > machine.cache, let oldest = cache.min(by: { $0.value.used < $1.value.used }),
            oldest.key != name
        {
            // From its end, as far as is needed.
            let cut = min(held - machine.cache, oldest.value.tokens)
            held -= cut
            if cut == oldest.value.tokens {
                cache[oldest.key] = nil
            } else {
                cache[oldest.key] = (oldest.value.tokens - cut, oldest.value.used)
            }
        }
    }
}

/// The fleets: together as fast and as large as each other, in few pieces or in many.
enum Fleet {
    /// - Parameter cache: tokens of all machines together.
    static func machines(_ count: Int, cache: Int) -> [Machine] {
        let pieces = max(count / 3, 1)
        let kinds = [(4000.0, 60.0, 16), (2400, 45, 12), (1600, 30, 8)]
        return (0..<count).map { index in
            let kind = kinds[index % kinds.count]
            return Machine(
                reading: kind.0 / Double(pieces), writing: kind.1, concurrent: max(kind.2 / pieces, 2),
                cache: cache / max(count, 1))
        }
    }
}
