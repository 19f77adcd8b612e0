// What is remembered of observations, and what is not; and what becomes of stamps that a clock cannot vouch for.

import Testing

@testable import Shared

/// As `#expect`, for calls that change what they are made on.
private func expect(_ holds: Bool, at location: SourceLocation = #_sourceLocation) {
    #expect(holds, sourceLocation: location)
}

@Suite("Observations") struct ModelObservationTests {
    static let now = WallTime(nanoseconds: 1_000_000_000_000)

    static func observation(_ fact: ModelObservation.Fact, _ time: UInt64, model: String = "m")
        -> ModelObservation
    {
        ModelObservation(.init(backend: "b", model: model), fact, learntAt: WallTime(nanoseconds: time))
    }

    @Test("of one subject the newest counts; subjects stand beside each other")
    func newest() {
        var store = ObservationStore()
        let first = Self.observation(.tokens(perThousand: 1100), 5)
        expect(store.take(first, at: Self.now))
        expect(!store.take(first, at: Self.now))
        expect(!store.take(Self.observation(.tokens(perThousand: 900), 4), at: Self.now))
        let second = Self.observation(.tokens(perThousand: 1300), 6)
        expect(store.take(second, at: Self.now))
        let tools = Self.observation(.lacks("tools"), 7)
        let images = Self.observation(.lacks("images"), 8)
        let elsewhere = Self.observation(.lacks("tools"), 9, model: "n")
        let newest = Self.observation(.output(tokens: 65_536), 10)
        for observation in [tools, images, elsewhere, Self.observation(.output(tokens: 9), 7), newest] {
            expect(store.take(observation, at: Self.now))
        }
        #expect(store.observations(of: second.key) == [second, tools, images, newest])
        #expect(store.all == [second, tools, images, elsewhere, newest] && store.count == 5)
    }

    @Test("a store that is full forgets the oldest")
    func capacity() {
        var store = ObservationStore()
        for number in 0...UInt64(ObservationStore.capacity) {
            expect(
                store.take(Self.observation(.lacks("tools"), number + 1, model: "m\(number)"), at: Self.now))
        }
        #expect(store.count == ObservationStore.capacity && store.all.count == ObservationStore.capacity)
        #expect(store.all.first?.learntAt == WallTime(nanoseconds: 2))
    }

    @Test("what a backend refused before it was away is forgotten, how its models count is not")
    func forgetting() {
        var store = ObservationStore()
        let counts = Self.observation(.tokens(perThousand: 1100), 1)
        let given = Self.observation(.automatic, 1, model: "n")
        let later = Self.observation(.lacks("images"), 10)
        let other = ModelObservation(
            .init(backend: "c", model: "m"), .lacks("tools"), learntAt: WallTime(nanoseconds: 2))
        for observation in [counts, given, later, other, Self.observation(.lacks("tools"), 9)] {
            store.take(observation, at: Self.now)
        }
        expect(store.forgetRefusals(of: "b", before: WallTime(nanoseconds: 10), at: Self.now))
        #expect(store.all == [counts, given, other, later] && store.count == 4)
        expect(!store.forgetRefusals(of: "b", before: WallTime(nanoseconds: 10), at: Self.now))
    }

    @Test("names beyond their limits are not remembered")
    func limits() {
        var store = ObservationStore()
        let long = String(repeating: "x", count: ModelObservation.longestName + 1)
        expect(!store.take(Self.observation(.lacks("tools"), 1, model: long), at: Self.now))
        expect(!store.take(Self.observation(.lacks(long), 1), at: Self.now))
        #expect(store.count == 0)
    }

    @Test("a clock set back: what was learnt before counts as older than what is learnt now")
    func setBack() {
        var store = ObservationStore()
        let hour: UInt64 = 3_600_000_000_000
        let before = WallTime(nanoseconds: Self.now.nanoseconds + hour)
        let old = ModelObservation(
            .init(backend: "b", model: "m"), .tokens(perThousand: 900), learntAt: before)
        let refusal = ModelObservation(old.key, .lacks("tools"), learntAt: before)
        expect(store.take(old, at: before) && store.take(refusal, at: before))
        let new = ModelObservation(old.key, .tokens(perThousand: 1100), learntAt: Self.now)
        expect(store.take(new, at: Self.now))
        expect(!store.take(old, at: Self.now))
        // Of another host, whose clock is wrong: better than nothing, and no more.
        let other = ModelObservation(
            .init(backend: "c", model: "m"), .tokens(perThousand: 900), learntAt: before)
        expect(store.take(other, at: Self.now))
        // The backend was away a minute ago, by the new clock.
        let moment = WallTime(nanoseconds: Self.now.nanoseconds - 60_000_000_000)
        expect(store.forgetRefusals(of: "b", before: moment, at: Self.now))
        #expect(store.observations(of: old.key) == [new])
        expect(store.take(refusal, at: Self.now) && refusal.learntAt.age(at: Self.now) == nil)
    }

    @Test("clocks that differ by less than the tolerance are believed")
    func tolerance() {
        let later = Self.now.advanced(nanoseconds: WallTime.tolerance)
        #expect(later.age(at: Self.now) == 0 && !later.isAhead(of: Self.now))
        #expect(later.advanced(nanoseconds: 1).age(at: Self.now) == nil)
        #expect(Self.now.age(at: later) == WallTime.tolerance)
        let last = WallTime(nanoseconds: .max)
        #expect(last.advanced(nanoseconds: 1) == last && last.age(at: last) == 0)
        var store = ObservationStore()
        expect(store.take(Self.observation(.chosen, later.nanoseconds), at: Self.now))
        expect(!store.take(Self.observation(.chosen, Self.now.nanoseconds), at: Self.now))
    }

    @Test("a store full of stamps from nowhere makes room by dropping these first")
    func fullOfFuture() {
        var store = ObservationStore()
        for number in 0..<ObservationStore.capacity {
            expect(store.take(Self.observation(.chosen, .max, model: "m\(number)"), at: Self.now))
        }
        let sound = Self.observation(.chosen, 5, model: "sound")
        expect(store.take(sound, at: Self.now))
        #expect(store.count == ObservationStore.capacity && store.observations(of: sound.key) == [sound])
    }
}
