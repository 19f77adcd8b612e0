// Where an attempt goes, in the words of the exchange: what is told to the client of it, and the request
// that carries the call there. The client's own credentials never go along.

internal import HTTP
internal import Shared
internal import Translation
internal import Upstream

enum Destination: Sendable {
    case backend(BackendAccess)
    /// Answers from the client's own words: nothing is converted for it.
    case demo(DemoRequest)

    var name: String {
        switch self {
        case .backend(let access): access.name
        case .demo: Demo.model
        }
    }

    var model: String {
        switch self {
        case .backend(let access): access.target.model
        case .demo: Demo.model
        }
    }

    var target: UpstreamTarget {
        switch self {
        case .backend(let access): access.target
        case .demo: UpstreamTarget(model: Demo.model, profile: .openaiCompatible)
        }
    }

    /// The request in the words of this destination.
    func call(_ message: ClientRequest, _ target: UpstreamTarget) throws(Failure) -> UpstreamCall {
        switch self {
        case .backend: return try message.converted(for: target)
        case .demo(let request):
            // The demo thinks when the prompt asks for it.
            var plan = ReplyPlan()
            plan.toolNames = request.tools.map(\.name)
            plan.showsThinking = true
            plan.streamRequested = message.stream
            var call = UpstreamCall(path: "", body: [], omissions: [], plan: plan)
            call.estimate = message.estimate(for: target)
            return call
        }
    }

    /// Whether a request of this API passes there as it is.
    func passesThrough(_ api: ClientAPI) -> Bool {
        switch self {
        case .backend(let access): access.target.profile.dialect == api.passthrough
        case .demo: false
        }
    }

    /// The backend's own, if it has one.
    var holdStatus: Duration? {
        switch self {
        case .backend(let access): access.settings.holdStatus
        case .demo: nil
        }
    }

    /// Longest `x-dragoman-dropped` value, in bytes.
    static let longestDropped = 1024

    /// What the client is told of where its request went.
    func fields(omissions: [String], isPassthrough: Bool = false) -> [ResponseHead.Field] {
        var fields: [ResponseHead.Field] = [
            .init("x-dragoman-backend", name), .init("x-dragoman-model", model),
            .init("x-dragoman-mode", isPassthrough ? "passthrough" : "translated"),
        ]
        guard !omissions.isEmpty else { return fields }
        var seen = Set<String>()
        var text = ""
        for path in omissions where seen.insert(path).inserted {
            if text.utf8.count + path.utf8.count > Self.longestDropped {
                text += ",..."
                break
            }
            text += text.isEmpty ? path : ",\(path)"
        }
        fields.append(.init("x-dragoman-dropped", text))
        return fields
    }
}

extension BackendAccess {
    /// The request that carries the call to this backend.
    func request(for call: UpstreamCall, _ timeouts: Configuration.Timeouts) -> UpstreamRequest {
        UpstreamRequest(
            url: url + call.path, method: .post(body: call.body),
            headers: headers + call.headers.map { .init($0.name, $0.value) } + [
                .init("content-type", "application/json"), .init("user-agent", "dragoman/\(dragomanVersion)"),
            ],
            limits: TransferLimits(
                connect: timeouts.connect, firstByte: timeouts.firstByte, idle: timeouts.idle))
    }
}
