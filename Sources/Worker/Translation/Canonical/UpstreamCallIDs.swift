// The ids under which a backend gets the calls of one turn and their results: as it gave them, and each once.

/// Ids of the calls between one assistant turn and the next.
struct UpstreamCallIDs {
    private let rule: ToolIDRule
    /// By the backend's id: the client's. Empty for turns with one call, where nothing can meet.
    private var taken: [String: String] = [:]
    private var hasSeveral = false

    init(_ rule: ToolIDRule) { self.rule = rule }

    mutating func begin(_ calls: [ToolUse]) {
        hasSeveral = calls.count > 1
        if !taken.isEmpty { taken.removeAll(keepingCapacity: true) }
    }

    /// The backend's id for the client's. Turns that came together in one may carry the same id of a backend
    /// that counts its calls anew each time; the later one then goes by the client's.
    mutating func upstream(_ client: String) -> String {
        let own = fitted(ToolIdentifier.forUpstream(client))
        guard hasSeveral else { return own }
        if let other = taken[own], other != client { return fitted(client) }
        taken[own] = client
        return own
    }

    private func fitted(_ id: String) -> String {
        switch rule {
        case .any: return id
        case .nineAlphanumeric:
            let isFit =
                id.utf8.count == 9
                && id.utf8.allSatisfy { UpstreamToolNames.isAllowed($0) && $0 != 45 && $0 != 95 }
            return isFit ? id : String(SHA256.hex(Array(id.utf8)).prefix(9))
        }
    }
}
