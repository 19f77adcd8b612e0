// Addresses of backends and of a proxy. A base URL is kept without a trailing slash and without the
// `/v1` that many documents tell people to add, so that both spellings mean the same.

enum URLWord {
    static let longest = 2048

    enum Refusal: Error, Equatable {
        case expected(String)
        /// User and password in the URL: not to be shown again.
        case carriesSecret
    }

    /// A backend's base URL, as `Configuration.Backend.url` holds it.
    static func base(_ text: String) throws(Refusal) -> String {
        let (root, path) = try split(text, schemes: ["http://", "https://"])
        var parts = path.split(separator: "/", omittingEmptySubsequences: true)
        let calls = ["completions", "messages", "models", "responses", "embeddings"]
        if let last = parts.last, calls.contains(String(last)), parts.count > 1,
            ["v1", "chat"].contains(parts[parts.count - 2])
        {
            throw .expected("the base URL alone, without the path of one call")
        }
        if parts.last == "v1" { parts.removeLast() }
        guard parts.last != "v1" else { throw .expected("/v1 once at most") }
        return parts.reduce(into: root) { $0 += "/" + $1 }
    }

    /// An upstream proxy's URL.
    static func proxy(_ text: String) throws(Refusal) -> String {
        let (root, path) = try split(
            text, schemes: ["http://", "https://", "socks5://", "socks5h://", "socks4://", "socks4a://"])
        guard path.isEmpty || path == "/" else { throw .expected("no path after the proxy's host and port") }
        return root
    }

    /// `scheme://host[:port]` (scheme and host checked) and the rest.
    private static func split(
        _ text: String, schemes: [String]
    ) throws(Refusal) -> (root: String, path: String) {
        let kinds = schemes.count == 2 ? "http or https" : "http, https or socks5"
        guard text.utf8.count <= longest else { throw .expected("at most \(longest) bytes") }
        let start = text.prefix(10).lowercased()
        guard let scheme = schemes.first(where: { start.hasPrefix($0) }) else {
            throw .expected("a URL with \(kinds)")
        }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else { throw .carriesSecret }
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x5c && $0 != 0x22 }) else {
            throw .expected("a URL without spaces or unusual characters")
        }
        guard !rest.contains("?"), !rest.contains("#") else {
            throw .expected("a URL without ? and #")
        }
        guard isHost(authority) else { throw .expected("a host name or address, with or without :port") }
        return (scheme + authority, String(rest.dropFirst(authority.count)))
    }

    private static func isHost(_ authority: Substring) -> Bool {
        var host = authority
        if host.hasPrefix("[") {
            guard let close = host.firstIndex(of: "]") else { return false }
            let port = host[host.index(after: close)...]
            host = host[host.index(after: host.startIndex)..<close]
            return IPAddress.isV6(String(host)) && (port.isEmpty || isPort(port))
        }
        if let colon = host.firstIndex(of: ":") {
            guard isPort(host[colon...]) else { return false }
            host = host[..<colon]
        }
        return isHostName(host)
    }

    /// Letters, digits, `-`, `_` and dots between them; also an IPv4 address.
    static func isHostName(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.count <= 253 && !text.hasPrefix(".") && !text.contains("..")
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            }
    }

    private static func isPort(_ text: Substring) -> Bool {
        guard text.hasPrefix(":"), let port = Digits.parse(text.dropFirst()) else { return false }
        return (1...65535).contains(port)
    }
}
