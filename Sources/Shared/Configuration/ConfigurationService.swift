// The keys of the configuration file that make several backends one service.

extension ConfigurationReader {
    static let serviceKeys = ["balance", "affinity", "health", "breaker", "failover", "queue"]

    mutating func service(_ top: Section, _ target: inout Configuration.Service) {
        if let balance = choice("balance", in: top, of: Configuration.Balance.self) {
            target.balance = balance
        }
        affinity(top, &target.affinity)
        health(top, &target.health)
        breaker(top, &target.breaker)
        if let section = subsection("failover", in: top, keys: ["attempts", "within"]) {
            if let count = integer("attempts", in: section, 1...64) { target.failover.attempts = count }
            if let time = time("within", in: section, .zero...Self.longestTime) {
                target.failover.within = time
            }
        }
        if let section = subsection("queue", in: top, keys: ["length", "wait"]) {
            if let length = integer("length", in: section, 0...Configuration.maximumQueue) {
                target.queue.length = length
            }
            if let time = time("wait", in: section, .zero...Self.longestTime) { target.queue.wait = time }
        }
    }

    private mutating func affinity(_ top: Section, _ target: inout Configuration.Affinity?) {
        guard let node = top.values["affinity"] else { return }
        if node.text == "off" {
            target = nil
            return
        }
        guard node.isNull || node.isMapping else {
            return expected("off or {sessions: N, ttl: TIME}", at: "affinity", found: node)
        }
        guard let section = subsection("affinity", in: top, keys: ["sessions", "ttl"]) else { return }
        var affinity = Configuration.Affinity()
        if let count = integer("sessions", in: section, 1...1_000_000) { affinity.sessions = count }
        if let time = time("ttl", in: section, .seconds(1)...Self.longestTime) { affinity.ttl = time }
        target = affinity
    }

    private mutating func health(_ top: Section, _ target: inout Configuration.Health) {
        let keys = ["interval", "timeout", "fall", "rise"]
        guard let section = subsection("health", in: top, keys: keys) else { return }
        let hour = Duration.seconds(3600)
        if let time = time("interval", in: section, .milliseconds(100)...hour) { target.interval = time }
        if let time = time("timeout", in: section, .milliseconds(10)...hour) { target.timeout = time }
        if let count = integer("fall", in: section, 1...100) { target.fall = count }
        if let count = integer("rise", in: section, 1...100) { target.rise = count }
    }

    private mutating func breaker(_ top: Section, _ target: inout Configuration.Breaker) {
        let keys = ["failures", "window", "open", "open_max"]
        guard let section = subsection("breaker", in: top, keys: keys) else { return }
        let times = Duration.milliseconds(10)...Self.longestTime
        if let count = integer("failures", in: section, 1...1000) { target.failures = count }
        if let time = time("window", in: section, times) { target.window = time }
        if let time = time("open", in: section, times) { target.open = time }
        if let time = time("open_max", in: section, times) { target.openMax = time }
    }
}

extension Configuration {
    /// Longest `queue.length`.
    static let maximumQueue = 10_000
    /// Most globs in `models` of one backend.
    static let maximumModelFilters = 64

    /// The service's keys as YAML.
    func serviceText() -> String {
        let health = service.health
        let breaker = service.breaker
        func time(_ value: Duration) -> String { TimeWord.written(value) }
        let affinity =
            service.affinity.map { "{sessions: \($0.sessions), ttl: \(time($0.ttl))}" }
            ?? YAMLText.word("off")
        return """
            balance: \(service.balance.rawValue)
            affinity: \(affinity)
            health: {interval: \(time(health.interval)), timeout: \(time(health.timeout)), \
            fall: \(health.fall), rise: \(health.rise)}
            breaker: {failures: \(breaker.failures), window: \(time(breaker.window)), \
            open: \(time(breaker.open)), open_max: \(time(breaker.openMax))}
            failover: {attempts: \(service.failover.attempts), within: \(time(service.failover.within))}
            queue: {length: \(service.queue.length), wait: \(time(service.queue.wait))}

            """
    }
}
