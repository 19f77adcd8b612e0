// When a backend is avoided, and for how long.

import Shared
import Testing

@testable import Routing

@Suite struct BackendHealthTests {
    static let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    @Test("failures are avoided for a doubling, bounded time; one success forgets them")
    func passive() {
        var health = BackendHealth()
        #expect(health.isHealthy(at: Self.start))
        for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
            health.failed(at: Self.start)
            #expect(!health.isHealthy(at: Self.start + .milliseconds(seconds * 1000 - 1)))
            #expect(health.isHealthy(at: Self.start + .seconds(seconds)))
        }
        health.succeeded()
        #expect(health.isHealthy(at: Self.start))
        #expect(health.failures == 0)
        health.failed(at: Self.start)
        #expect(health.isHealthy(at: Self.start + .seconds(1)))
    }

    @Test func persistent() {
        var health = BackendHealth()
        for _ in 0..<4 { health.failed(at: Self.start) }
        #expect(!health.isPersistent)
        health.failed(at: Self.start)
        #expect(health.isPersistent)
        health.succeeded()
        #expect(!health.isPersistent)
    }

    @Test("no number of failures overflows")
    func many() {
        var health = BackendHealth()
        for _ in 0..<5000 { health.failed(at: MonotonicInstant(nanoseconds: .max - 1)) }
        #expect(!health.isHealthy(at: MonotonicInstant(nanoseconds: .max - 1)))
    }

    @Test func probes() {
        var health = BackendHealth()
        health.probed(.down(error: "refused"))
        #expect(!health.isHealthy(at: Self.start))
        health.probed(.up)
        #expect(health.isHealthy(at: Self.start))
        health.failed(at: Self.start)
        health.probed(.up)
        #expect(health.isHealthy(at: Self.start))
        health.probed(.down(error: "refused"))
        health.succeeded()
        #expect(health.isHealthy(at: Self.start) && health.probe == .up)
    }
}
