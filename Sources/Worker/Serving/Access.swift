// Who may come in: Host names on loopback doors (a page in a browser must not reach us by rebinding its
// name), keys where the configuration asks for them. Pure. There are no CORS answers anywhere.

internal import HTTP
internal import Shared
internal import Translation

struct AccessRules: Sendable {
    let hosts: Set<String>
    /// Nil = no key is asked for.
    let keys: AccessKeys?
    /// Of each key, in their order.
    private let names: [String]

    init(hosts: [String], keys: AccessKeys?) {
        names = keys?.words { "key-\(SHA256.hex($0).prefix(8))" } ?? []
        self.hosts = Set(["localhost", "127.0.0.1", "::1"] + hosts.map(Self.hostName))
        self.keys = keys
    }

    /// Why this request may not even name a path here, or nil.
    func refusesHost(_ head: RequestHead, door: Door) -> ClientError? {
        guard door == .loopback, let authority = head.authority else { return nil }
        guard !hosts.contains(Self.hostName(authority)) else { return nil }
        return ClientError(
            403, .permission,
            "This host name is not accepted here; add it to `hosts` in the configuration.")
    }

    /// Why this request lacks a valid key, or nil. Either header will do, and one good one is enough.
    func refusesKey(_ head: RequestHead) -> ClientError? {
        guard let keys else { return nil }
        var good = false
        if let key = head.field("x-api-key"), keys.contain(key) { good = true }
        if let key = Self.bearer(head.field("authorization")), keys.contain(key) { good = true }
        return good ? nil : .invalidKey
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

    private static func lowered(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
