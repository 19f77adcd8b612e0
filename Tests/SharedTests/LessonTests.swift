// What is remembered of lessons, and what is not.

import Testing

@testable import Shared

/// As `#expect`, for calls that change what they are made on.
private func expect(_ holds: Bool, at location: SourceLocation = #_sourceLocation) {
    #expect(holds, sourceLocation: location)
}

@Suite("Lessons") struct LessonTests {
    static func lesson(_ fact: ModelObservation.Fact, _ time: UInt64, model: String = "m") -> ModelObservation
    {
        ModelObservation(.init(backend: "b", model: model), fact, learntAt: time)
    }

    @Test("of one subject the newest counts; subjects stand beside each other")
    func newest() {
        var book = ObservationStore()
        let first = Self.lesson(.tokens(perThousand: 1100), 5)
        expect(book.take(first))
        expect(!book.take(first))
        expect(!book.take(Self.lesson(.tokens(perThousand: 900), 4)))
        let second = Self.lesson(.tokens(perThousand: 1300), 6)
        expect(book.take(second))
        let tools = Self.lesson(.lacks("tools"), 7)
        let images = Self.lesson(.lacks("images"), 8)
        let elsewhere = Self.lesson(.lacks("tools"), 9, model: "n")
        let window = Self.lesson(.window(tokens: 65_536), 10)
        for lesson in [tools, images, elsewhere, Self.lesson(.window(tokens: 9), 7), window] {
            expect(book.take(lesson))
        }
        #expect(book.lessons(of: second.place) == [second, tools, images, window])
        #expect(book.all == [second, tools, images, elsewhere, window] && book.count == 5)
    }

    @Test("a book that is full forgets the oldest")
    func capacity() {
        var book = ObservationStore()
        for number in 0...UInt64(ObservationStore.capacity) {
            expect(book.take(Self.lesson(.lacks("tools"), number + 1, model: "m\(number)")))
        }
        #expect(book.count == ObservationStore.capacity && book.all.count == ObservationStore.capacity)
        #expect(book.all.first?.learntAt == 2)
    }

    @Test("what a backend refused before it was away is forgotten, how its models count is not")
    func forgetting() {
        var book = ObservationStore()
        let counts = Self.lesson(.tokens(perThousand: 1100), 1)
        let window = Self.lesson(.window(tokens: 65_536), 1, model: "n")
        let later = Self.lesson(.lacks("images"), 10)
        let other = ModelObservation(.init(backend: "c", model: "m"), .lacks("tools"), learntAt: 2)
        for lesson in [counts, window, later, other, Self.lesson(.lacks("tools"), 9)] { book.take(lesson) }
        expect(book.forgetVerdicts(of: "b", before: 10))
        #expect(book.all == [counts, window, other, later] && book.count == 4)
        expect(!book.forgetVerdicts(of: "b", before: 10))
    }

    @Test("names beyond their limits are not remembered")
    func limits() {
        var book = ObservationStore()
        let long = String(repeating: "x", count: ModelObservation.longestName + 1)
        expect(!book.take(Self.lesson(.lacks("tools"), 1, model: long)))
        expect(!book.take(Self.lesson(.lacks(long), 1)))
        #expect(book.count == 0)
    }
}
