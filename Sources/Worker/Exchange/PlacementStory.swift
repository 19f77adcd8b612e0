// Why a request went where it went, and what it waited for: for the answer's head and for the journal. Pure.

internal import EventLoop
internal import HTTP
internal import Shared

struct PlacementStory {
    /// Longest list of candidates in an entry, in bytes.
    private static let longestCandidates = 500

    /// As `x-dragoman-route` says it; "" = no backend was chosen.
    private(set) var route = ""
    /// For all the grants that it asked for.
    private(set) var waited = Duration.zero
    /// Requests that were granted while this one waited, and whose the last of them was.
    private(set) var ahead: UInt32 = 0
    private(set) var aheadClient = ""
    /// What each candidate would have cost, the least first: `name:milliseconds`, with commas.
    private(set) var candidates = ""

    mutating func note(reason: PlacementReason) { route = reason.word }
    mutating func note(waited time: Duration) { waited += time }

    mutating func note(_ grant: Grant, waited time: Duration, names: (BackendNumber) -> String?) {
        note(reason: grant.reason)
        note(waited: time)
        ahead = grant.ahead
        aheadClient = grant.aheadClient
        candidates = ""
        for cost in grant.costs {
            let entry = "\(names(cost.backend) ?? "?"):\(cost.milliseconds)"
            guard candidates.utf8.count + entry.utf8.count < Self.longestCandidates else { break }
            candidates += candidates.isEmpty ? entry : ",\(entry)"
        }
    }

    /// What the answer's head tells of it.
    var fields: [ResponseHead.Field] { Self.fields(route: route, waited: waited) }

    /// For a head that goes out before a backend was chosen.
    static func queued(_ waited: Duration) -> [ResponseHead.Field] { fields(route: "queued", waited: waited) }

    private static func fields(route: String, waited: Duration) -> [ResponseHead.Field] {
        [
            .init("x-dragoman-route", route),
            .init("x-dragoman-queued-ms", String(waited.wholeNanoseconds / 1_000_000)),
        ]
    }

    func append(to fields: inout LogFields) {
        guard !route.isEmpty || waited > .zero else { return }
        if !route.isEmpty { fields.append("route", route) }
        fields.append("queued_us", waited.wholeNanoseconds / 1000)
        if ahead > 0 { fields.append("ahead", "\(ahead) \(aheadClient)") }
        if !candidates.isEmpty { fields.append("candidates", candidates) }
    }
}
