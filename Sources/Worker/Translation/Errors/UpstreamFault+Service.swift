// What the rest of the service has to know of a fault: whether the backend should be left alone, and for how long.

extension UpstreamFault {
    /// It is loading the model, or itself: that ends by itself, and is no failure.
    public var isLoading: Bool {
        guard case .overloaded = cause else { return false }
        return said.lowercased().contains("loading")
    }

    /// Seconds for which it wants to be left alone, as far as it said so; nil = it did not.
    public var rest: Int? {
        switch cause {
        case .rateLimited(let seconds): seconds ?? advice?.after
        // Where it says nothing, clients are told to wait for this long.
        case .overloaded(let seconds) where seconds == Self.busyDelay: advice?.after
        case .overloaded(let seconds): seconds ?? advice?.after
        default: nil
        }
    }
}

extension UpstreamFault.AnswerFlaw {
    /// What its model wrote is at fault, and not the server.
    public var isModels: Bool {
        switch self {
        case .arguments, .toolCallsTooLarge, .tooLarge: true
        case .compressed, .document, .event, .noChoices: false
        }
    }
}
