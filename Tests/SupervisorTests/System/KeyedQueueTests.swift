// A queue that can be left from anywhere.

import Shared
import TestSupport
import Testing

@testable import Supervisor

private struct Member: Identifiable, Equatable {
    let id: Int
    var value = 0
}

@Suite("KeyedQueue") struct KeyedQueueTests {
    @Test("elements stand in the order they came, whoever leaves between them")
    func order() {
        var queue = KeyedQueue<Member>()
        for id in 1...5 { queue.append(Member(id: id)) }
        queue.append(Member(id: 3, value: 9))
        #expect(queue.remove(2) == Member(id: 2))
        #expect(queue.remove(2) == nil)
        #expect(queue.map(\.id) == [1, 3, 4, 5] && queue[3]?.value == 0 && queue[2] == nil)
        queue.remove(1)
        #expect(queue.first?.id == 3 && queue.count == 3)
        queue.update(4) { $0.value = 7 }
        queue.update(2) { $0.value = 7 }
        #expect(queue.map(\.value) == [0, 7, 0])
        queue.prepend([Member(id: 8), Member(id: 9)])
        #expect(queue.map(\.id) == [8, 9, 3, 4, 5] && queue[4]?.value == 7)
        for id in [8, 9, 3, 4, 5] { queue.remove(id) }
        #expect(queue.isEmpty && queue.first == nil && Array(queue).isEmpty)
        queue.append(Member(id: 1))
        #expect(queue.first?.id == 1 && queue.map(\.id) == [1])
    }

    @Test("over any history it is what an array would be", arguments: 1...6)
    func history(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = KeyedQueue<Member>()
        var model: [Member] = []
        var next = 0
        for step in 0..<6000 {
            // It grows, then shrinks, again and again.
            let grows = step / 500 % 2 == 0
            switch random.next() % 8 {
            case 0..<(grows ? 5 : 2):
                queue.append(Member(id: next))
                model.append(Member(id: next))
                next += 1
            case 6 where step % 50 == 0:
                let back = [Member(id: next), Member(id: next + 1)]
                queue.prepend(back)
                model = back + model
                next += 2
            case 7:
                guard let one = model.randomElement(using: &random), step % 3 == 0 else { continue }
                queue.update(one.id) { $0.value += 1 }
                if let place = model.firstIndex(where: { $0.id == one.id }) { model[place].value += 1 }
            default:
                let one = step % 2 == 0 ? model.first : model.randomElement(using: &random)
                guard let one else { continue }
                #expect(queue.remove(one.id) == one)
                model.removeAll { $0.id == one.id }
            }
            #expect(queue.count == model.count && queue.first == model.first)
            if step % 20 == 0 { #expect(Array(queue) == model) }
        }
        #expect(Array(queue) == model)
    }

    @Test("leaving takes no longer the more wait")
    func leaving() {
        let count = 200_000
        var queue = KeyedQueue<Member>()
        for id in 0..<count { queue.append(Member(id: id)) }
        let before = MonotonicInstant.now()
        // From the middle outwards: an array would move half of what is there each time.
        for id in 0..<count { queue.remove((id % 2 == 0 ? count + id : count - id - 1) / 2) }
        #expect(queue.isEmpty)
        #expect(MonotonicInstant.now().since(before) < .seconds(5))
    }
}
