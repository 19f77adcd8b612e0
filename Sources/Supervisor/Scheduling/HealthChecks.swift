// What a backend's checks say of it. Pure. Holds: the first check ever decides at once; later ones only when so many
// in a row agree.

import Shared

struct HealthChecks: Sendable {
    enum State: Sendable { case unknown, up, down }

    /// Down for so long: it is not just starting.
    static let lostAfter = Duration.seconds(60)

    private(set) var state = State.unknown
    /// The last bad check's; "" after a good one.
    private(set) var reason = ""
    private(set) var downSince: MonotonicInstant?
    /// Checks in a row that speak against the state.
    private var against = 0

    /// True when the state is another one now.
    mutating func take(
        _ result: CheckResult, _ settings: Configuration.Health, at now: MonotonicInstant
    ) -> Bool {
        switch result {
        case .good:
            reason = ""
            guard state != .up else {
                against = 0
                return false
            }
            against &+= 1
            guard state == .unknown || against >= settings.rise else { return false }
            return answered()
        case .bad(let reason):
            self.reason = reason
            guard state != .down else {
                against = 0
                return false
            }
            against &+= 1
            guard state == .unknown || against >= settings.fall else { return false }
            state = .down
            downSince = now
            against = 0
            return true
        }
    }

    /// An exchange has had an answer, which says more than any check. True when the state is another one now.
    mutating func answered() -> Bool {
        against = 0
        guard state != .up else { return false }
        state = .up
        reason = ""
        downSince = nil
        return true
    }

    /// When it counts as lost.
    var lostAt: MonotonicInstant? { downSince.map { $0 + Self.lostAfter } }

    func isLost(at now: MonotonicInstant) -> Bool { lostAt.map { now >= $0 } ?? false }
}
