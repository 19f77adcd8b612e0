// Who may come in: Host names and origins on loopback listeners (a page in a browser must neither reach us by
// rebinding its name nor send what it cannot read the answer of), keys where the configuration asks for them.
// Pure. There are no CORS answers anywhere.

internal import HTTP
internal import Shared
internal import Translation

struct AccessRules: Sendable {
    private static let loopbackHosts: Set<String> = ["localhost", "127.0.0.1", "::1"]

    let hosts: Set<String>
    /// Of them, those that the configuration names.
    private let named: Set<String>
    /// Nil = no key is asked for.
    let keys: AccessKeys?
    /// Of each key, in their order.
    private let names: [String]

    init(hosts: [String], keys: AccessKeys?) {
        names = keys?.words { "key-\(SHA256.hex($0).prefix(8))" } ?? []
        named = Set(hosts.map(Self.hostName))
        self.hosts = Self.loopbackHosts.union(named)
        self.keys = keys
    }

    /// Why this request may not even name a path here, or nil.
    func refusesHost(_ head: RequestHead, scope: ListenerScope) -> Failure? {
        guard scope == .loopback, let authority = head.authority else { return nil }
        guard !hosts.contains(Self.hostName(authority)) else { return nil }
        return .request(.foreignHost)
    }

    /// Why this request of a web page is not taken, or nil: it works without the user's knowledge, with all
    /// that a program on this machine may do. Programs send neither of these fields.
    /// - Parameter port: of the listener that it came by.
    func refusesPage(_ head: RequestHead, scope: ListenerScope, port: () -> Int?) -> Failure? {
        guard scope == .loopback else { return nil }
        let origins = head.fieldTexts("origin")
        guard origins.isEmpty else {
            return origins.allSatisfy { accepts(origin: $0, port: port) } ? nil : .request(.fromWebPage)
        }
        // Simple requests may come without an origin, such as those for images.
        let sites = head.fieldTexts("sec-fetch-site").map { $0.lowercased() }
        return sites.contains { $0 == "cross-site" || $0 == "same-site" } ? .request(.fromWebPage) : nil
    }

    /// A page of a host that the configuration names, or of this listener itself.
    private func accepts(origin: String, port: () -> Int?) -> Bool {
        guard let origin = WebOrigin(origin) else { return false }
        if named.contains(origin.host) { return true }
        return Self.loopbackHosts.contains(origin.host) && origin.port == port()
    }

    /// Why this request lacks a valid key, or nil. Either header will do, and one good one is enough.
    func refusesKey(_ head: RequestHead) -> Failure? {
        guard let keys else { return nil }
        var good = false
        if let key = head.field("x-api-key"), keys.contain(key) { good = true }
        if let key = Self.bearer(head.field("authorization")), keys.contain(key) { good = true }
        return good ? nil : .request(.invalidKey)
    }

    /// The name of the key that the client has shown; nil without one that is ours.
    func clientName(_ head: RequestHead) -> String? {
        guard let keys else { return nil }
        let found =
            head.field("x-api-key").flatMap(keys.index(of:))
            ?? Self.bearer(head.field("authorization")).flatMap(keys.index(of:))
        return found.flatMap { names.indices.contains($0) ? names[$0] : nil }
    }

    private static func bearer(_ value: ArraySlice<UInt8>?) -> ArraySlice<UInt8>? {
        guard let value, value.count > 7 else { return nil }
        let scheme = value.prefix(7).map { $0 | 0x20 }
        guard scheme == Array("bearer ".utf8) else { return nil }
        return value.dropFirst(7).drop { $0 == 0x20 }
    }

    /// The name or address in `host[:port]`: lower-case, without brackets, port and final dot.
    static func hostName(_ authority: String) -> String {
        var name = authority.utf8.map(lowered)[...]
        if name.first == UInt8(ascii: "[") {
            name = name.dropFirst().prefix { $0 != UInt8(ascii: "]") }
        } else if let colon = name.firstIndex(of: UInt8(ascii: ":")),
            !name[(colon + 1)...].contains(UInt8(ascii: ":"))
        {
            name = name[..<colon]
        }
        if name.last == UInt8(ascii: ".") { name = name.dropLast() }
        return String(decoding: name, as: UTF8.self)
    }

    static func namesLoopback(_ authority: String) -> Bool { loopbackHosts.contains(hostName(authority)) }

    private static func lowered(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

/// `scheme://host[:port]`, as browsers write it; `null` and everything else is none.
struct WebOrigin: Equatable {
    let host: String
    let port: Int

    init?(_ text: String) {
        let parts = text.lowercased()
        let implied: Int
        let authority: Substring
        if parts.hasPrefix("http://") {
            (authority, implied) = (parts.dropFirst(7), 80)
        } else if parts.hasPrefix("https://") {
            (authority, implied) = (parts.dropFirst(8), 443)
        } else {
            return nil
        }
        guard !authority.isEmpty, !authority.contains(where: { "/?#@, ".contains($0) }) else { return nil }
        host = AccessRules.hostName(String(authority))
        // Behind the last bracket of an IPv6 address.
        let tail = authority.lastIndex(of: "]").map { authority[$0...].dropFirst() } ?? authority
        guard let colon = tail.lastIndex(of: ":") else {
            port = implied
            return
        }
        guard let number = UInt16(tail[tail.index(after: colon)...]) else { return nil }
        port = Int(number)
    }
}
