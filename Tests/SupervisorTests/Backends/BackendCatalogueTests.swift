// Which backends there are and what they have: numbers that stay, lists that come in parts, and bounds.

import Shared
import Testing

@testable import Supervisor

private func configured(_ names: String...) -> BackendCatalogue {
    BackendCatalogue(names.map { Configuration.Backend(name: $0, url: "http://\($0)") })
}

private func facts(_ names: String...) -> [ModelFacts] { names.map { ModelFacts(id: $0) } }

private func part(
    _ number: BackendNumber, _ models: [ModelFacts], first: Bool = true, last: Bool = true,
    type: String = "vllm"
) -> ListingPart {
    ListingPart(number, type: type, dialect: "", isFirst: first, isLast: last, models: models)
}

private func many(_ range: Range<Int>) -> [ModelFacts] { range.map { ModelFacts(id: "m\($0)") } }

/// A list as a prober tells it.
private func parts(_ number: BackendNumber, _ models: [ModelFacts]) -> [ListingPart] {
    stride(from: 0, to: models.count, by: 100).map { start in
        part(
            number, Array(models.dropFirst(start).prefix(100)), first: start == 0,
            last: start + 100 >= models.count)
    }
}

@Suite("Backend catalogue") struct BackendCatalogueTests {
    @Test("configured backends are numbered in the order of the file, found ones behind them")
    func numbers() {
        var catalogue = configured()
        #expect(catalogue.discover(name: "ollama", url: "http://o", priority: 100)?.number == 0)
        #expect(catalogue.discover(name: "vllm", url: "http://v", priority: 98)?.number == 1)
        // Known by name or by address.
        #expect(catalogue.discover(name: "ollama", url: "http://other", priority: 1) == nil)
        #expect(catalogue.discover(name: "other", url: "http://v", priority: 1) == nil)
        #expect(catalogue.discover(name: "", url: "http://w", priority: 1) == nil)
        #expect(catalogue.byPreference.map(\.name) == ["ollama", "vllm"])
        let file = configured("b", "a")
        #expect(file.entries.map(\.name) == ["b", "a"] && file[1]?.name == "a" && file[2] == nil)
        #expect(file.entries.map(\.announcement.isDiscovered) == [false, false])
    }

    @Test("there are at most so many backends")
    func backendsBounded() {
        var catalogue = configured()
        for number in 0..<200 {
            _ = catalogue.discover(name: "b\(number)", url: "http://\(number)", priority: .max)
        }
        #expect(catalogue.entries.count == BackendCatalogue.maximumBackends)
    }

    @Test("a list counts when it is whole; what is known stays until then")
    func whole() {
        var catalogue = configured("a")
        let all = parts(0, many(0..<250))
        #expect(all.count == 3)
        #expect(catalogue.take(all[0]) == nil && catalogue[0]?.models == nil)
        #expect(catalogue.take(all[1]) == nil && catalogue.parts(of: 0) == [])
        #expect(
            catalogue.take(all[2])
                == .init(backend: 0, isFirst: true, hasOtherNames: true, wasCutNow: false))
        #expect(catalogue.parts(of: 0) == all)
        // Another list begins, and another prober goes on: what it says without a beginning is nothing.
        #expect(catalogue.take(part(0, facts("x"), last: false)) == nil)
        catalogue.forgetDrafts()
        #expect(catalogue.take(part(0, facts("y"), first: false)) == nil)
        #expect(catalogue.parts(of: 0) == all)
        // A new beginning ends what was not whole.
        #expect(catalogue.take(part(0, facts("x"), last: false)) == nil)
        #expect(catalogue.take(part(0, facts("z")))?.hasOtherNames == true)
        #expect(catalogue[0]?.models == facts("z"))
    }

    @Test("only what differs is news")
    func differences() {
        var catalogue = configured("a")
        #expect(catalogue.take(part(0, facts("x")))?.isFirst == true)
        #expect(catalogue.take(part(0, facts("x"))) == nil)
        var loaded = facts("x")
        loaded[0].isLoaded = true
        #expect(catalogue.take(part(0, loaded))?.hasOtherNames == false)
        #expect(catalogue.take(part(0, loaded, type: "sglang"))?.hasOtherNames == false)
        #expect(catalogue[0]?.type == "sglang")
        #expect(catalogue.take(part(7, loaded)) == nil)
        // Nothing at all is a list, too.
        #expect(catalogue.take(part(0, []))?.hasOtherNames == true)
        #expect(catalogue.parts(of: 0).count == 1)
    }

    @Test("the same model twice is one; beyond the limits a list is cut, which is said once")
    func modelsBounded() {
        var catalogue = configured("a", "b", "c", "d", "e")
        #expect(catalogue.take(part(0, facts("x", "y", "x")))?.wasCutNow == false)
        #expect(catalogue[0]?.models == facts("x", "y"))
        func take(_ number: BackendNumber, _ models: [ModelFacts]) -> BackendCatalogue.Change? {
            parts(number, models).compactMap { catalogue.take($0) }.last
        }
        #expect(take(0, many(0..<10_000))?.wasCutNow == true)
        #expect(catalogue[0]?.models?.count == ListingPart.maximumModels)
        #expect(take(0, many(1..<10_000))?.wasCutNow == false)
        for number in [1, 2, 3] as [BackendNumber] {
            #expect(take(number, many(0..<5000))?.wasCutNow == true)
        }
        #expect(take(4, many(0..<5))?.wasCutNow == true)
        let total = catalogue.entries.reduce(0) { $0 + ($1.models?.count ?? 0) }
        #expect(total == BackendCatalogue.maximumModels && catalogue[4]?.models == [])
    }

    @Test("type and dialect: as found, else as configured")
    func types() {
        var backend = Configuration.Backend(name: "a", url: "u")
        backend.type = .ollama
        backend.dialect = .openai
        var catalogue = BackendCatalogue([backend, Configuration.Backend(name: "b", url: "v")])
        #expect(catalogue[0]?.type == "ollama" && catalogue[0]?.dialect == .openai)
        #expect(catalogue[1]?.type == "openai-compatible" && catalogue[1]?.dialect == .openai)
        let found = ListingPart(
            1, type: "vllm", dialect: "anthropic", isFirst: true, isLast: true, models: [])
        #expect(catalogue.take(found) != nil)
        #expect(catalogue[1]?.type == "vllm" && catalogue[1]?.dialect == .anthropic)
        let ollama = ListingPart(1, type: "ollama", dialect: "", isFirst: true, isLast: true, models: [])
        #expect(catalogue.take(ollama) != nil)
        #expect(catalogue[1]?.dialect == .ollama)
    }
}
