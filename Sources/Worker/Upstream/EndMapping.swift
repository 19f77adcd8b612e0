// What libcurl's result means for an exchange. Pure; the table of the transport's faults.

internal import CCurl

extension TransferEnd {
    /// - Parameter hasHead: the answer's head was complete.
    /// - Parameter answered: a byte of an answer had come.
    /// - Parameter connected: the request had begun to go out.
    init(code: CURLcode, detail: String, hasHead: Bool, answered: Bool, connected: Bool) {
        switch code {
        case CURLE_OK where hasHead:
            self = .complete
        case CURLE_OK:
            // libcurl takes an answer that ends inside its head for an empty one.
            self = .broken(detail: "the answer ended inside its head")
        case CURLE_OPERATION_TIMEDOUT where !connected:
            // The only limit that is libcurl's; the others are the transfer's own.
            self = .timedOut(.connect)
        case _ where answered:
            self = .broken(detail: detail)
        case CURLE_UNSUPPORTED_PROTOCOL where connected, CURLE_WEIRD_SERVER_REPLY:
            // Something else listens there.
            self = .misconfigured(detail: "its answer is not HTTP: \(detail)")
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_NOT_BUILT_IN,
            CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_BAD_FUNCTION_ARGUMENT,
            CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CRL_BADFILE,
            CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_USE_SSL_FAILED:
            self = .misconfigured(detail: detail)
        default:
            self = .unreachable(detail: detail)
        }
    }
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
