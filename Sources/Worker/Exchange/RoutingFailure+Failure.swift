// Routing knows nothing of failures and of clients; here its own becomes one.

internal import Routing
internal import Translation

extension Failure {
    init(_ failure: RoutingFailure) {
        switch failure {
        case .unknownModel(let name, .nearest(let nearest)):
            self = .routing(.unknownModel(name, .nearest(nearest)))
        case .unknownModel(let name, .some(let names, let more)):
            self = .routing(.unknownModel(name, .some(names, more: more)))
        case .nothingToServe(let isConfigured):
            self = .routing(.nothingToServe(isConfigured: isConfigured))
        case .noModels(let backends): self = .routing(.noModels(backends))
        case .lost(let backends): self = .routing(.lost(backends))
        }
    }
}
