// What libcurl's result means for an exchange. Pure; the table of the transport's faults.

internal import CCurl

/// What is known of a transfer when libcurl ends it.
struct TransferCircumstances: Equatable {
    /// The answer's head was complete.
    var hasHead = false
    /// A byte of an answer had come.
    var answered = false
    /// The request had begun to go out.
    var connected = false
    /// The answer's head was larger than what is read of one.
    var headTooLarge = false
    /// The proxy, as errors name it; "" = none.
    var proxy = ""
    /// What the proxy answered to CONNECT; 0 = nothing.
    var connectStatus = 0
}

extension TransferEnd {
    init(code: CURLcode, detail: String, _ seen: TransferCircumstances) {
        switch code {
        case CURLE_OK where seen.hasHead:
            self = .complete
        case CURLE_OK:
            // libcurl takes an answer that ends inside its head for an empty one.
            self = .broken(detail: "the answer ended inside its head")
        case _ where seen.headTooLarge, CURLE_OUT_OF_MEMORY where seen.answered && !seen.hasHead,
            _ where code.rawValue == Self.tooLarge && !seen.hasHead:
            self = .misconfigured(
                detail: "the head of its answer is larger than \(HeadReader.sizeLimit >> 10) KiB")
        case CURLE_OPERATION_TIMEDOUT where !seen.connected:
            // The only limit that is libcurl's; the others are the transfer's own.
            self = .timedOut(.connect)
        case _ where seen.answered:
            self = .broken(detail: detail)
        case _ where Self.isRefusal(seen.connectStatus):
            self.init(refusedBy: seen.proxy, status: seen.connectStatus)
        case CURLE_UNSUPPORTED_PROTOCOL where seen.connected, CURLE_WEIRD_SERVER_REPLY:
            // Something else listens there.
            self = .misconfigured(detail: "its answer is not HTTP: \(detail)")
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_NOT_BUILT_IN,
            CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_BAD_FUNCTION_ARGUMENT,
            CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CRL_BADFILE,
            CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_USE_SSL_FAILED:
            self = .misconfigured(detail: detail)
        case _ where !seen.connected && !seen.proxy.isEmpty:
            self = .unreachable(detail: "by way of the proxy \(seen.proxy): \(detail)")
        default:
            self = .unreachable(detail: detail)
        }
    }

    /// A proxy that answers, but not with a tunnel: it forbids this, or could not reach the backend itself.
    private init(refusedBy proxy: String, status: Int) {
        let detail = "the proxy \(proxy) answered CONNECT with status \(status)"
        self = (500...599).contains(status) ? .unreachable(detail: detail) : .misconfigured(detail: detail)
    }

    private static func isRefusal(_ connectStatus: Int) -> Bool {
        connectStatus != 0 && !(200...299).contains(connectStatus)
    }

    /// CURLE_TOO_LARGE, which older headers do not have.
    private static let tooLarge: UInt32 = 100
}

/// A URL without the user and password in it.
func withoutUser(_ url: String) -> String {
    guard let scheme = url.firstRange(of: "://") else {
        return url.lastIndex(of: "@").map { String(url[url.index(after: $0)...]) } ?? url
    }
    let rest = url[scheme.upperBound...]
    let authority = rest.prefix { $0 != "/" }
    guard let at = authority.lastIndex(of: "@") else { return url }
    return String(url[..<scheme.upperBound] + rest[rest.index(after: at)...])
}

/// libcurl's words without the time it took, as in `port 80 after 3 ms: refused`: with it the same fault
/// would look like a new one each time.
func withoutElapsedTime(_ text: String) -> String {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    for index in words.indices.dropLast(2) where words[index] == "after" && UInt(words[index + 1]) != nil {
        let unit = words[index + 2]
        guard unit.hasPrefix("ms") else { continue }
        let before = words[..<index].joined(separator: " ") + unit.dropFirst(2)
        return ([before[...]] + words[(index + 3)...]).joined(separator: " ")
    }
    return text
}
