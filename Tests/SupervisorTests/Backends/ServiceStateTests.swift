// What is true of the whole service: who is told what, and when.

import Scheduling
import Shared
import Testing

@testable import Supervisor

private let key = ModelKey(backend: "b", model: "m")
private let lacksTools = ModelObservation(key, .lacks("tools"), learntAt: 5)
private let counts = ModelObservation(key, .tokens(perThousand: 1200), learntAt: 6)

/// `a` takes one request at a time, `b` three, `c` any number.
func service(_ workers: WorkerID..., slots: UInt32 = 8, backends: [String] = ["a", "b", "c"]) -> ServiceState
{
    let limits = ["a": 1, "b": 3]
    let backends = backends.map { name in
        var backend = Configuration.Backend(name: name, url: "http://\(name)")
        backend.maxConcurrent = limits[name]
        return backend
    }
    var state = ServiceState(ServiceState.Settings(slots: slots, backends: backends))
    for worker in workers {
        _ = state.joined(worker, at: 0)
        state.opened(worker)
    }
    _ = state.tick(at: 0)
    return state
}

func listing(_ backend: BackendNumber, _ models: String..., isFirst: Bool = true, isLast: Bool = true)
    -> ListingPart
{
    ListingPart(
        backend, type: "vllm", dialect: "", isFirst: isFirst, isLast: isLast,
        models: models.map { ModelFacts(id: $0) })
}

extension [ServiceState.Action] {
    /// What workers are told.
    var messages: [(worker: WorkerID, message: SupervisorMessage)] {
        compactMap { if case .send(let worker, let message) = $0 { (worker, message) } else { nil } }
    }

    func told(_ message: SupervisorMessage) -> [WorkerID] {
        messages.filter { $0.message == message }.map(\.worker)
    }

    /// What the journal is told.
    var news: [ServiceNews.What] { compactMap { if case .tell(let news) = $0 { news.what } else { nil } } }
}

@Suite("Service state") struct ServiceStateTests {
    @Test("who joins is told everything, what there is before how it fares")
    func joining() throws {
        var state = service(0)
        _ = try state.listed(listing(1, "x", "y"), by: 0, at: 0)
        _ = state.observed(counts, by: 0, at: 10)
        _ = state.observed(lacksTools, by: 0, at: 10)
        let conditions = (0..<3).map { state.scheduler.condition(of: BackendNumber($0), at: 0) }
        let messages = state.joined(7, at: 0).messages
        #expect(messages.allSatisfy { $0.worker == 7 })
        #expect(
            messages.map(\.message) == [
                .welcome(slots: 8),
                .backend(.init(0, name: "a", url: "http://a", priority: 100, isDiscovered: false)),
                .backend(.init(1, name: "b", url: "http://b", priority: 100, isDiscovered: false)),
                .backend(.init(2, name: "c", url: "http://c", priority: 100, isDiscovered: false)),
                .condition(conditions[0]), .listing(listing(1, "x", "y")), .condition(conditions[1]),
                .condition(conditions[2]), .observation(lacksTools), .observation(counts),
            ])
    }

    @Test("what the prober lists is told to all, itself included, when it is whole and news")
    func listings() throws {
        var state = service(0, 1)
        #expect(try state.listed(listing(2, "x", isLast: false), by: 0, at: 0) == [])
        let whole = try state.listed(listing(2, "y", isFirst: false), by: 0, at: 0)
        #expect(whole.told(.listing(listing(2, "x", "y"))) == [0, 1] && whole.last == .backendsChanged)
        #expect(try state.listed(listing(2, "x", "y"), by: 0, at: 0) == [])
        // Only the prober is believed; a number that nobody was given is a fault.
        #expect(try state.listed(listing(2, "z"), by: 1, at: 0) == [])
        #expect(throws: ProtocolViolation.self) { try state.listed(listing(3, "z"), by: 1, at: 0) }
        #expect(throws: ProtocolViolation.self) { try state.checked(3, .good, by: 0, at: 0) }
        #expect(state.catalogue[2]?.models?.map(\.id) == ["x", "y"])
    }

    @Test("the prober dies in the middle of a list: the next one begins anew, and what was known stays")
    func proberDies() throws {
        var state = service(3, 5)
        #expect(state.prober.worker == 3)
        _ = try state.listed(listing(0, "old"), by: 3, at: 0)
        _ = try state.listed(listing(0, "half", isLast: false), by: 3, at: 0)
        _ = state.died(3, at: 0)
        #expect(state.tick(at: 0) == [.send(worker: 5, .probe(isOn: true))] && state.tick(at: 0) == [])
        #expect(try state.listed(listing(0, "rest", isFirst: false), by: 5, at: 0) == [])
        #expect(state.catalogue[0]?.models?.map(\.id) == ["old"])
        let new = try state.listed(listing(0, "new"), by: 5, at: 0)
        #expect(new.told(.listing(listing(0, "new"))) == [5])
    }

    @Test("the role moves on when its worker finishes, and stays while all do")
    func proberFinishes() {
        var state = service(3, 5)
        state.closed(3)
        #expect(
            state.tick(at: 0) == [
                .send(worker: 3, .probe(isOn: false)), .send(worker: 5, .probe(isOn: true)),
            ])
        state.closed(5)
        #expect(state.tick(at: 0) == [])
    }

    @Test("what is found on the usual ports is announced to all, once, and told to later workers")
    func discovered() throws {
        var state = service(0, 1, backends: [])
        func find(_ name: String, _ url: String, by worker: WorkerID = 0) -> [ServiceState.Action] {
            state.discovered(name: name, url: url, priority: 100, by: worker, at: 0)
        }
        let found = find("ollama", "http://127.0.0.1:11434")
        let announcement = BackendAnnouncement(
            0, name: "ollama", url: "http://127.0.0.1:11434", priority: 100, isDiscovered: true)
        #expect(found.told(.backend(announcement)) == [0, 1] && found.last == .backendsChanged)
        #expect(find("ollama", "http://x") == [] && find("x", "http://127.0.0.1:11434") == [])
        #expect(find("other", "http://x", by: 1) == [], "not the prober")
        let joined = state.joined(2, at: 0)
        #expect(joined.told(.backend(announcement)) == [2])
        for number in 0..<200 { _ = find("b\(number)", "http://b\(number)") }
        #expect(state.catalogue.entries.count == BackendCatalogue.maximumBackends)
        // Where backends are configured nothing else is looked for.
        var configured = service(0)
        #expect(configured.discovered(name: "x", url: "http://x", priority: 1, by: 0, at: 0) == [])
    }

    @Test("when the usual ports have been asked all hear it once; with nobody there the demo is told of")
    func searched() {
        var state = service(0, 1, backends: [])
        #expect(state.backendStatuses(at: 0, 0) == [])
        let searched = state.searched(by: 0)
        #expect(searched.told(.searched) == [0, 1] && searched.news == [.demo])
        #expect(state.searched(by: 1) == [] && state.backendStatuses(at: 0, 0) == [.demo])
        #expect(state.joined(2, at: 0).told(.searched) == [2])
        _ = state.discovered(name: "x", url: "http://x", priority: 1, by: 0, at: 0)
        #expect(state.backendStatuses(at: 0, 0).map(\.name) == ["x"])
    }

    @Test("an observation is told to the others once, and to every later worker after its welcome")
    func observations() {
        var state = service(0, 1)
        #expect(state.observed(lacksTools, by: 0, at: 10) == [.send(worker: 1, .observation(lacksTools))])
        #expect(state.observed(lacksTools, by: 1, at: 10) == [])
        #expect(state.observed(counts, by: 1, at: 10) == [.send(worker: 0, .observation(counts))])
        let joined = state.joined(2, at: 0)
        #expect(joined.told(.observation(lacksTools)) == [2] && joined.told(.observation(counts)) == [2])
        let chosen = ModelObservation(key, .automatic, learntAt: 7)
        #expect(state.observed(chosen, by: 2, at: 10).last == .backendsChanged)
        // A worker's death takes nothing with it; a backend that returns takes what it was found to lack.
        #expect(state.died(0, at: 0) == [])
        #expect(state.observations.all == [lacksTools, counts, chosen])
        #expect(
            state.capabilitiesInvalidated(of: "b", before: 6, by: 2, at: 10) == [
                .send(worker: 1, .capabilitiesInvalidated(backend: "b", before: 6))
            ])
        #expect(state.observations.all == [counts, chosen])
    }

    @Test("a permit that comes back goes to whoever waits, also from a dead worker")
    func permits() throws {
        var state = service(0, 1)
        let question = AdmissionQuestion(client: "k", candidates: [.init(0, ModelDigest(of: "m"))])
        func granted(_ actions: [ServiceState.Action]) -> [String] {
            actions.messages.compactMap {
                if case .granted(let ticket, let grant) = $0.message {
                    "\($0.worker.life):\(ticket) \(grant.backend.value)"
                } else {
                    nil
                }
            }
        }
        #expect(granted(try state.admit(7, question, by: 0, at: 0)) == ["0:7 0"])
        #expect(granted(try state.admit(7, question, by: 1, at: 0)) == [])
        #expect(granted(try state.admit(8, question, by: 0, at: 0)) == [])
        #expect(granted(state.noticed([.ended(ticket: 7, .init(.well))], by: 0, at: 0)) == ["1:7 0"])
        #expect(granted(state.died(1, at: 0)) == ["0:8 0"])
        #expect(throws: ProtocolViolation.self) { try state.admit(8, question, by: 0, at: 0) }
        // What is wrong in a message takes nothing back of what stood before it.
        #expect(granted(try state.admit(9, question, by: 0, at: 0)) == [])
        let mixed = state.noticed(
            [.ended(ticket: 8, .init(.well)), .ended(ticket: 99, .init(.well))], by: 0, at: 0)
        #expect(granted(mixed) == ["0:9 0"])
        guard case .condemn(worker: 0, _)? = mixed.last else {
            Issue.record("\(mixed)")
            return
        }
    }

    @Test("a backend that an exchange has found away is looked at soon, by the prober, once a second")
    func looks() throws {
        var state = service(0, 1)
        let question = AdmissionQuestion(client: "k", candidates: [.init(2, ModelDigest(of: "m"))])
        func end(_ ticket: UInt64, _ verdict: AttemptReport.Verdict, at now: MonotonicInstant) throws
            -> [WorkerID]
        {
            let notices: [ExchangeNotice] = [
                .began(ticket: ticket, question), .ended(ticket: ticket, AttemptReport(verdict)),
            ]
            return state.noticed(notices, by: 1, at: now).told(.look(backend: 2))
        }
        #expect(try end(1, .well, at: 0) == [])
        #expect(try end(2, .unreachable, at: 0) == [0])
        #expect(try end(3, .broken, at: .seconds(0.5)) == [])
        #expect(try end(4, .broken, at: .seconds(1)) == [0])
        #expect(try end(5, .failed(status: 500), at: .seconds(9)) == [])
    }

    @Test("a list that changes all the time fills no journal")
    func flappingList() throws {
        var state = service(0)
        _ = try state.listed(listing(0, "x"), by: 0, at: 0)
        _ = try state.checked(0, .good, by: 0, at: 0)
        var lines: [ServiceNews.What] = []
        for number in 0..<1000 {
            let now = MonotonicInstant.seconds(Double(number) / 20)
            lines += try state.listed(listing(0, "x\(number)"), by: 0, at: now).news
        }
        #expect(lines == Array(repeating: .changedModels(count: 1), count: LineLimit.lines))
        #expect(state.nextDeadline.map { $0 <= .seconds(60) } == true)
        #expect(state.tick(at: .seconds(60)).news == [.flappingModels(changes: 980)])
    }

    @Test("a list that is too long is cut, and that is told once")
    func cutList() throws {
        var state = service(0)
        func list(_ count: Int) throws -> [ServiceState.Action] {
            var actions: [ServiceState.Action] = []
            for start in stride(from: 0, to: count, by: 100) {
                let models = (start..<(start + 100)).map { ModelFacts(id: "m\($0)") }
                actions += try state.listed(
                    ListingPart(
                        0, type: "", dialect: "", isFirst: start == 0, isLast: start + 100 >= count,
                        models: models), by: 0, at: 0)
            }
            return actions
        }
        let first = try list(10_000)
        #expect(first.news == [.cutModels(count: 4096)] && first.messages.count == 41)
        #expect(try list(10_000) == [])
    }

    @Test("who was never welcomed, or is dead, neither counts nor is told anything")
    func strangers() throws {
        var state = service(0)
        let question = AdmissionQuestion(client: "k", candidates: [.init(0, ModelDigest(of: "m"))])
        for stranger in [1, 2] as [WorkerID] {
            state.opened(stranger)
            state.closed(stranger)
            #expect(try state.admit(1, question, by: stranger, at: 0) == [])
            #expect(state.noticed([.ended(ticket: 1, .init(.well))], by: stranger, at: 0) == [])
            #expect(try state.checked(0, .good, by: stranger, at: 0) == [])
            #expect(try state.listed(listing(0, "x"), by: stranger, at: 0) == [])
            #expect(state.discovered(name: "x", url: "x", priority: 1, by: stranger, at: 0) == [])
            #expect(state.searched(by: stranger) == [])
            #expect(state.observed(lacksTools, by: stranger, at: 10) == [])
            #expect(state.capabilitiesInvalidated(of: "b", before: 9, by: stranger, at: 10) == [])
            #expect(state.died(stranger, at: 0) == [])
        }
        #expect(state.tick(at: 0) == [] && state.observations.count == 0 && !state.hasSearched)
    }

    @Test("an answer for a dead worker is not sent")
    func dead() throws {
        var state = service(0, 1)
        let question = AdmissionQuestion(client: "k", candidates: [.init(0, ModelDigest(of: "m"))])
        _ = try state.admit(1, question, by: 0, at: 0)
        _ = try state.admit(1, question, by: 1, at: 0)
        #expect(state.died(1, at: 0).messages.allSatisfy { $0.worker == 0 })
        #expect(state.died(0, at: 0).messages.isEmpty)
    }
}
