// Where an attempt goes, in the words of the exchange: what is told to the client of it, and the request
// that carries the call there. The client's own credentials never go along.

internal import HTTP
internal import Shared
internal import Translation
internal import Upstream

enum Destination: Sendable {
    case backend(BackendAccess)
    case demo

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

    /// The demo reads a Messages request, which for other clients is what one would be made of theirs.
    func target(for door: ClientAPI) -> UpstreamTarget {
        switch self {
        case .backend(let access): access.target
        case .demo:
            UpstreamTarget(model: Demo.model, profile: door == .chat ? .anthropic : .openaiCompatible)
        }
    }

    /// Whether a request of this door passes there as it is.
    func relays(_ door: ClientAPI) -> Bool {
        switch self {
        case .backend(let access): access.target.profile.dialect == (door == .chat ? .openAI : .anthropic)
        case .demo: false
        }
    }

    /// The backend's own, if it has one.
    var holdStatus: Duration? {
        switch self {
        case .backend(let access): access.holdStatus
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
