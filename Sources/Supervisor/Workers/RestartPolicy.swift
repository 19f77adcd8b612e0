// When a dead worker's successor starts. Pure. Holds: the delay depends only on how the lives before
// ended; it never exceeds the limit; there is no giving up, for a socket without a worker helps nobody.

struct RestartPolicy: Equatable, Sendable {
    /// The delay after the first life that proved nothing; doubles from there.
    static let firstDelay: Duration = .milliseconds(100)

    /// `supervision.restart_delay_max`.
    let maximum: Duration
    private(set) var failuresInARow = 0

    init(maximum: Duration) { self.maximum = maximum }

    /// A life has ended. `proven` = it had served: then the next starts at once, for whatever ended it
    /// needs a request first. Otherwise the delay doubles, so that a worker that cannot start does not
    /// take the processor from those that can.
    mutating func ended(proven: Bool) -> Duration {
        guard !proven else {
            failuresInARow = 0
            return .zero
        }
        // 100 ms << 20 is above any limit; capped before shifting far.
        let delay = Self.firstDelay * (1 << min(failuresInARow, 20))
        failuresInARow = min(failuresInARow + 1, 1_000_000)
        return min(delay, maximum)
    }
}
