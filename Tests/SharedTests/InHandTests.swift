// What a worker has in hand, as the supervisor finds it: bounded, and believed in nothing.

import CSystem
import Glibc
import Testing

@testable import Shared

@Suite("In hand") struct InHandTests {
    private func file(places: Int) throws -> Descriptor {
        let raw = cs_shared_file("test", InHand.bytes(places: places))
        guard let file = Descriptor(adopting: raw) else { throw SystemFailure("memfd_create", errno) }
        return file
    }

    private func table(_ file: borrowing Descriptor) throws -> InHandTable {
        try #require(InHandTable(mapping: HeldDescriptor(try file.duplicate())))
    }

    @Test("the counters as they stood at the end are found")
    func counters() throws {
        let file = try file(places: 2)
        #expect(InHand.figures(of: file) == WorkerFigures())
        let table = try table(file)
        var figures = WorkerFigures()
        figures.served = 7
        figures.failed = .max
        figures.inputTokens = 1 << 40
        figures.outputTokens = 5
        table.note(figures)
        _ = table.begin("req_1", peer: "p", at: 1)
        #expect(InHand.figures(of: file) == figures)
        #expect(InHand.entries(of: file).map(\.requestID) == ["req_1"])
    }

    @Test("what was begun and not ended is found, with what was noted of it")
    func found() throws {
        let file = try file(places: 3)
        let table = try table(file)
        let first = try #require(table.begin("req_1", peer: "127.0.0.1:1", at: 7))
        let second = try #require(table.begin("req_2", peer: "", at: .max))
        table.note(requestedModel: String(repeating: "ü", count: 100), at: second)
        table.note(backend: "gpu1", at: second)
        table.note(client: "anna", at: second)
        table.end(first)
        let third = try #require(table.begin("req_3", peer: "p", at: 9))
        #expect(third == first)
        let entries = InHand.entries(of: file)
        #expect(entries.map(\.requestID) == ["req_3", "req_2"])
        #expect(
            entries[0]
                == .init(requestID: "req_3", peer: "p", client: "", requestedModel: "", backend: "", begun: 9)
        )
        #expect(entries[1].backend == "gpu1" && entries[1].client == "anna" && entries[1].begun == .max)
        #expect(entries[1].requestedModel == String(repeating: "ü", count: 47) + "\u{fffd}")
    }

    @Test("beyond the last place nothing is noted, and a place given back is used again")
    func full() throws {
        let file = try file(places: 70)
        let table = try table(file)
        let places = (0..<70).compactMap { table.begin("req_\($0)", peer: "", at: 0) }
        #expect(places == Array(0..<70) && table.begin("req_x", peer: "", at: 0) == nil)
        #expect(InHand.entries(of: file).count == 70)
        table.end(65)
        #expect(table.begin("req_y", peer: "", at: 0) == 65)
        for place in places { table.end(place) }
        #expect(InHand.entries(of: file).isEmpty)
        #expect(InHand.bytes(places: .max) == InHand.headBytes + InHand.maximumPlaces * InHand.placeBytes)
    }

    @Test("the file keeps its size, whatever a worker does")
    func sealed() throws {
        let file = try file(places: 2)
        #expect(ftruncate(file.raw, 0) != 0 && ftruncate(file.raw, 1 << 20) != 0)
    }

    @Test("whatever bytes a broken worker has left, the names are names and the texts are bounded")
    func garbage() {
        var state: UInt64 = 42
        for round in 0..<2000 {
            var place = (0..<InHand.placeBytes).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56)
            }
            place.replaceSubrange(0..<4, with: [1, 0, 0, 0])
            if round.isMultiple(of: 2) { place.replaceSubrange(16..<20, with: [3] + "req".utf8) }
            guard let entry = InHand.entry(place[...]) else { continue }
            #expect(entry.requestID.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } && entry.requestID.count < 32)
            for text in [entry.peer, entry.client, entry.requestedModel, entry.backend] {
                #expect(text.unicodeScalars.count < 96)
            }
        }
        #expect(InHand.entry([1, 0, 0, 0]) == nil)
        #expect(InHand.entry([UInt8](repeating: 0, count: InHand.placeBytes)[...]) == nil)
    }
}
