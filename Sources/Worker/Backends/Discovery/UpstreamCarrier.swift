// Carries the registry's questions over the worker's HTTP client: bounded in time and size, credentials
// in headers only.

internal import EventLoop
internal import Shared
internal import Translation
internal import Upstream

extension UpstreamClient {
    func ask(_ probe: Probe) async -> ProbeAnswer {
        await ask(
            probe.request, until: Loop.now.advanced(by: probe.time), atMost: ProbeLimits.answerBytes)
    }

    /// The whole answer to one request: by the deadline, and no larger than `limit`.
    func ask(
        _ request: UpstreamRequest, until deadline: Instant, atMost limit: Int
    ) async -> ProbeAnswer {
        let wakeup = Wakeup()
        let begun = Loop.now
        let transfer = start(request, wakeup: wakeup)
        var body: [UInt8] = []
        while true {
            body += transfer.takeBytes()
            guard body.count <= limit else {
                transfer.cancel()
                return .failed("its answer is larger than \(limit >> 20) MiB")
            }
            if let end = transfer.end { return Self.answer(end, transfer.head?.status, body) }
            if await wakeup.wait(until: deadline) {
                transfer.cancel()
                return .failed("no answer within \(begun.duration(to: deadline))")
            }
        }
    }

    private static func answer(_ end: TransferEnd, _ status: Int?, _ body: [UInt8]) -> ProbeAnswer {
        switch end {
        case .complete: status.map { .answered(status: $0, body: body) } ?? .failed("no HTTP answer")
        case .broken(let detail), .unreachable(let detail), .misconfigured(let detail): .failed(detail)
        case .timedOut(let limit): .failed("timed out (\(limit.rawValue))")
        case .cancelled: .failed("stopped")
        }
    }
}

extension Probe {
    fileprivate var request: UpstreamRequest {
        var headers = [
            UpstreamRequest.Header("accept", "application/json"),
            UpstreamRequest.Header("user-agent", "dragoman/\(dragomanVersion)"),
        ]
        if body != nil { headers.append(.init("content-type", "application/json")) }
        if isAnthropic { headers.append(.init("anthropic-version", MessagesHead.defaultVersion)) }
        if let key { headers.append(.init(key: key, in: keyField)) }
        return UpstreamRequest(
            url: url, method: body.map { .post(body: $0) } ?? .get, headers: headers,
            limits: TransferLimits(connect: time, firstByte: time, idle: time))
    }
}
