// What each client has had of the service, for fairness and for the counts: the virtual token counter of Sheng et al.
// (OSDI 2024), in seconds that places at backends were held. Pure. Holds: who has nothing waiting and comes back is
// lifted to the least of those waiting, or when none waits to the one served last; so nobody saves up. At most
// `maximum` clients: idle ones are forgotten, the oldest first, and those beyond are counted as one.

import Shared

struct ClientLedger: Sendable {
    static let maximum = 4096
    /// Forgotten at once when there is no room, so that it is not looked for each time.
    private static let forgotten = 256
    /// Whoever comes when so many are busy.
    static let othersName = "(others)"

    struct Client: Sendable {
        var view: Scheduler.ClientView
        /// Seconds; what is expected is reserved with the grant and settled with the end.
        var service = 0.0
        /// Of it what is only expected.
        var reserved = 0.0
        var used: MonotonicInstant

        var isIdle: Bool { view.inFlight == 0 && view.queued == 0 }
    }

    private(set) var clients: [Client] = []
    private var places: [String: Int] = [:]
    private var free: [Int] = []
    /// What is reserved for all requests that hold a place now.
    private(set) var outstanding = 0.0
    /// The one served last.
    private var last: Int?

    /// Its place, which stays while it is not idle.
    mutating func place(of name: String, at now: MonotonicInstant) -> Int {
        if let place = places[name] {
            clients[place].used = now
            return place
        }
        if places.count >= Self.maximum { forgetIdle() }
        guard places.count < Self.maximum || name == Self.othersName else {
            return place(of: Self.othersName, at: now)
        }
        let client = Client(view: Scheduler.ClientView(name: name), used: now)
        let place: Int
        if let hole = free.popLast() {
            clients[hole] = client
            place = hole
        } else {
            place = clients.count
            clients.append(client)
        }
        places[name] = place
        return place
    }

    mutating func count(_ place: Int, _ change: (inout Scheduler.ClientView) -> Void) {
        change(&clients[place].view)
    }

    func service(_ place: Int) -> Double { clients[place].service }
    /// Without what is only expected: estimates that were too high are not to be a newcomer's debt.
    func settled(_ place: Int) -> Double { clients[place].service - clients[place].reserved }

    /// It asks, and nothing of it waits yet.
    /// - Parameter least: of those that wait.
    mutating func lift(_ place: Int, least: Double?) {
        clients[place].service = max(
            clients[place].service, least ?? last.map(settled) ?? 0)
    }

    mutating func reserve(_ place: Int, _ seconds: Double) {
        clients[place].service += seconds
        clients[place].reserved += seconds
        outstanding += seconds
        last = place
    }

    mutating func settle(_ place: Int, reserved: Double, used: Double) {
        clients[place].service = max(0, clients[place].service + used - reserved)
        clients[place].reserved = max(0, clients[place].reserved - reserved)
        outstanding = max(0, outstanding - reserved)
    }

    var views: [Scheduler.ClientView] {
        places.values.map { clients[$0].view }.sorted { $0.name < $1.name }
    }

    private mutating func forgetIdle() {
        let idle = places.values.filter { clients[$0].isIdle }.sorted { clients[$0].used < clients[$1].used }
        for place in idle.prefix(Self.forgotten) {
            places[clients[place].view.name] = nil
            free.append(place)
            if last == place { last = nil }
        }
    }
}
