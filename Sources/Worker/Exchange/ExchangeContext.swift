// What exchanges need of the worker they run in: its backends, the way to them, where they ask for one, and where
// it counts.

internal import CSystem
internal import EventLoop
internal import Shared
internal import Upstream

@Loop
final class ExchangeContext {
    let configuration: Configuration
    let log: Log
    let registry: BackendRegistry
    let upstream: UpstreamClient
    let documents: DocumentReader
    /// Where the service is asked for a backend.
    let admissions: AdmissionDesk
    var counters = WorkerFigures()
    /// What is left of the exchanges ends with an error, at once.
    private(set) var isCut = false
    private var quiet: Timer?

    init(
        _ configuration: Configuration, _ log: Log, _ registry: BackendRegistry, _ upstream: UpstreamClient,
        _ documents: DocumentReader, _ admissions: AdmissionDesk
    ) {
        self.configuration = configuration
        self.log = log
        self.registry = registry
        self.upstream = upstream
        self.documents = documents
        self.admissions = admissions
    }

    func cut() { isCut = true }

    func exchangeBegan() { counters.exchanges &+= 1 }

    /// After a burst, what the allocator keeps is given back once the worker is quiet.
    func exchangeEnded() {
        counters.exchanges &-= 1
        guard counters.exchanges == 0 else { return }
        let timer =
            quiet
            ?? Timer { [unowned self] in
                if counters.exchanges == 0 { cs_trim_memory() }
            }
        quiet = timer
        timer.arm(at: Loop.now.advanced(by: ServingLimits.quietTime))
    }
}
