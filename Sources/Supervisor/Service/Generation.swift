// One generation: a configuration in force, and what its workers are started with. Holds: nothing in it ever
// changes; another configuration is another generation.

import Shared

struct Generation: Sendable {
    let configuration: Configuration
    /// Workers at once.
    let workers: Int
    /// Names the generation to its workers.
    let plan: WorkerPlan
    /// Nil = built-in defaults.
    let configurationFile: String?
    let loadedAt: WallTime

    var id: GenerationID { plan.generation }
}

extension Pool.Settings {
    init(_ generation: Generation) {
        let supervision = generation.configuration.supervision
        self.init(
            workers: generation.workers, heartbeat: supervision.heartbeat, hungAfter: supervision.hungAfter,
            restartDelayMaximum: supervision.restartDelayMax)
    }
}

extension ServiceState.Settings {
    init(_ generation: Generation) {
        self.init(
            slots: UInt32(clamping: generation.plan.slots), backends: generation.configuration.backends,
            service: generation.configuration.service)
    }
}
