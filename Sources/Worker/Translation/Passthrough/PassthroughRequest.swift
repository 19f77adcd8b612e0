// A request for a backend that speaks the client's own API: the bytes as received, but for the model's name.

import JSON

extension MessagesRequest {
    /// The request as received, for a backend that speaks the Messages API.
    /// - Throws: 400 when the prompt is surely too long; nothing is lowered in bytes that only pass.
    func passthroughCall(for target: UpstreamTarget) throws(Failure) -> UpstreamCall {
        let estimate = estimate(for: target)
        _ = try estimate.fitting(target)
        var call = call(head.path("/v1/messages"), target)
        call.estimate = estimate
        call.headers = head.headers(
            accept: stream && !target.asksWhole ? "text/event-stream" : "application/json")
        return call
    }

    /// The question for the number of tokens, as received, for a backend that speaks the Messages API.
    public func relayedCount(to target: UpstreamTarget) -> UpstreamCall {
        var call = call(head.path("/v1/messages/count_tokens"), target)
        call.headers = head.headers(accept: "application/json")
        return call
    }

    private func call(_ path: String, _ target: UpstreamTarget) -> UpstreamCall {
        var plan = ReplyPlan()
        plan.isPassthrough = true
        plan.dialect = .anthropic
        plan.streamRequested = stream && !target.asksWhole
        plan.maxTokens = content.maxTokens
        plan.contextWindow = target.contextWindow
        return UpstreamCall(
            path: path,
            body: root.replacingModel(with: target.model, withoutStream: stream && target.asksWhole),
            omissions: [], plan: plan)
    }
}

extension JSONNode {
    /// The text of this root with another value for its member `model`, or with that member in front if it
    /// has none; every other byte stays, but for surrogates without partner, which the backend would refuse.
    /// - Parameters:
    ///   - withoutStream: no stream is asked for either.
    ///   - slot: of the server's caches the one to use.
    func replacingModel(with model: String, withoutStream: Bool = false, slot: Int? = nil) -> [UInt8] {
        var text = bytes
        if hasLoneSurrogate {
            text = []
            text.appendMended(bytes[...])
        }
        var out: [UInt8] = []
        out.reserveCapacity(text.count &+ model.utf8.count)
        var copied = 0
        if self["model"] == nil || slot != nil, let brace = text.firstIndex(of: UInt8(ascii: "{")) {
            copied = text.index(after: brace)
            out.append(contentsOf: text[..<copied])
            if self["model"] == nil {
                out.append(ascii: "\"model\":")
                out.appendJSON(model)
                if !isEmpty || slot != nil { out.append(UInt8(ascii: ",")) }
            }
            if let slot {
                out.append(ascii: "\"id_slot\":")
                out.appendJSON(slot)
                if !isEmpty { out.append(UInt8(ascii: ",")) }
            }
        }
        for member in members {
            let isModel = member.name.stringEquals("model")
            let isStream = withoutStream && member.name.stringEquals("stream")
            let isOption = withoutStream && member.name.stringEquals("stream_options")
            guard isModel || isStream || isOption else { continue }
            let range = member.value.rawRange
            out.append(contentsOf: text[copied..<range.lowerBound])
            if isModel { out.appendJSON(model) } else { out.append(ascii: isStream ? "false" : "null") }
            copied = range.upperBound
        }
        out.append(contentsOf: text[copied...])
        return out
    }
}
