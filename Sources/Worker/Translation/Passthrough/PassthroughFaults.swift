// Errors of a backend that speaks the client's own API: its status and words pass, but for what concerns the
// gateway's key and the words on which clients compact. What is not in that API's shape is told as in
// translation. Pure.

import JSON

/// - Parameter Client: the API that client and backend speak.
enum PassthroughFaults<Client: ClientDialect> {
    /// An answer with an error status, or an answer of 200 that is no answer.
    /// - Parameter model: as the client named it.
    static func answer(head: UpstreamHead, body: [UInt8], model: String) -> UpstreamFault {
        if (400...599).contains(head.status), let root = (try? JSONDocument(parsing: body))?.root,
            var fault = passed(root, status: head.status)
        {
            let seconds = RetryAfter.seconds(
                header: head.retryAfter, reset: head.rateLimitReset, message: "", now: head.receivedAt)
            fault.advice = RetryAdvice(after: seconds, again: head.shouldRetry, prevails: true)
            return fault
        }
        var fault = UpstreamFault.answer(head: head, body: body, model: model, path: Client.path)
        fault.advice = head.shouldRetry.map { RetryAdvice(after: nil, again: $0, prevails: false) }
        return fault
    }

    /// The error in a frame or body that came with status 200; nil if there is none in it.
    static func inside(_ root: JSONNode) -> UpstreamFault? {
        let isError = root["error"] != nil || root["type"]?.stringEquals("error") == true
        guard isError || root["type"] == nil else { return nil }
        return passed(root, status: nil) ?? UpstreamFault.inside(root)
    }

    /// An event that is an error by its name.
    static func named(data: ArraySlice<UInt8>) -> UpstreamFault {
        let root = (try? JSONDocument(parsing: Array(data)))?.root
        return root.flatMap { passed($0, status: nil) } ?? UpstreamFault.named(data: data)
    }

    /// An error in the shape of the client's API; nil for others, and for those that are not the client's.
    /// - Parameter status: nil = what the error's type stands for.
    private static func passed(_ root: JSONNode, status: Int?) -> UpstreamFault? {
        guard let node = root["error"], node.isObject, let message = node["message"]?.string,
            !message.isEmpty,
            var fault = Client.error(node, in: root, message: message, status: status),
            let passed = fault.passed, passed.status != 401, passed.status != 403
        else { return nil }
        if passed.status >= 500, let said = FailureText(json: root), said.refusesPictures { return nil }
        if let overflow = Client.hiddenOverflow(node, message: message, status: passed.status) {
            return UpstreamFault(.promptTooLong(overflow), status: passed.status, said: message)
        }
        guard Client.isWhole(node) else { return fault }
        var object: [UInt8] = []
        object.append(raw: node)
        // It may stand on one line of an event.
        var line: [UInt8] = []
        line.append(oneLine: object)
        fault.passed?.object = line
        return fault
    }
}
