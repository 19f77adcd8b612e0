// Who asks, in which conversation, and how urgent it is: what the service goes by when it places a request. From
// the head where Claude Code says it there, else from the body. Pure. Holds: what a client says of itself leaves
// here as a digest or as one of our own words.

internal import EventLoop
internal import Glibc
internal import HTTP
internal import Shared
internal import Translation

struct RequestOrigin: Equatable {
    var lane = Lane.main
    /// Digest of the conversation's id; 0 = it has none.
    var session: UInt64 = 0
    /// Digest of the agent's id; 0 = the conversation itself.
    var agent: UInt64 = 0
    /// The client says that it sends this once more.
    var isRetry = false

    /// - Parameters:
    ///   - session: asked for only where the head does not name it.
    ///   - traits: asked for only where the head does not say how urgent it is; nil = that does not matter.
    init(_ head: RequestHead, model: String, session: () -> String?, traits: (() -> RequestTraits)?) {
        let agentID = Self.value(head, "x-claude-code-agent-id")
        if let id = Self.value(head, "x-claude-code-session-id") {
            self.session = FastDigest.of(id)
        } else if let id = session() {
            self.session = FastDigest.of(id.utf8)
        }
        if self.session != 0, let agentID { agent = FastDigest.of(agentID) }
        isRetry = head.fieldText("x-stainless-retry-count").flatMap { Int($0) } ?? 0 >= 1
        guard let traits else { return }
        let word =
            Self.value(head, "x-claude-code-request-class") ?? Self.value(head, "x-claude-1p-request-class")
        lane =
            word.flatMap(Self.lane) ?? Self.guessedLane(traits(), model: model, isAgent: agentID != nil)
    }

    /// Nil where the field is missing, or empty.
    private static func value(_ head: RequestHead, _ name: StaticString) -> ArraySlice<UInt8>? {
        head.field(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func lane(_ word: ArraySlice<UInt8>) -> Lane? {
        switch String(decoding: word.prefix(16), as: UTF8.self).lowercased() {
        case "main": .main
        case "subagent", "workflow": .subagent
        case "compaction": .compaction
        case "auxiliary": .auxiliary
        default: nil
        }
    }

    private static func guessedLane(_ traits: RequestTraits, model: String, isAgent: Bool) -> Lane {
        if traits.isCompaction { return .compaction }
        if isAgent || traits.isSubagent { return .subagent }
        return traits.isBackground || isHaiku(model) ? .auxiliary : .main
    }

    /// Names of Anthropic's smallest models, which clients ask in the background.
    private static func isHaiku(_ model: String) -> Bool {
        let name = model.lowercased()
        return name.contains("claude") && name.contains("haiku")
    }
}

extension AdmissionQuestion {
    /// The request as the service has to know it, but for its candidates.
    @Loop
    init(_ request: Request, _ message: ClientRequest, client: String, _ detail: Placement.Detail) {
        let origin = RequestOrigin(
            request.head, model: message.model, session: { message.session },
            traits: detail == .identity ? nil : { message.traits })
        self.init(client: client, candidates: [])
        lane = origin.lane
        session = origin.session
        agent = origin.agent
        isRetry = origin.isRetry
        promptTokens = UInt32(clamping: message.estimatedInputTokens)
        if session != 0 { fingerprint = FastDigest.of(request.body) }
        guard detail == .prompt else { return }
        prefix = message.promptMarks.map {
            PrefixMark(digest: $0.digest, tokens: UInt32(clamping: $0.tokens))
        }
    }
}

extension AdmissionQuestion {
    /// A name of a client, no longer than the service takes one.
    static func bounded(_ name: String) -> String {
        guard name.utf8.count > longestClient else { return name }
        var text = name[...]
        while text.utf8.count > longestClient { text.removeLast() }
        return String(text)
    }
}

/// Where a client is, as one is told from another.
enum ClientAddress {
    /// - Parameter peer: `address:port` (`[address]:port` for IPv6); of a Unix socket the process and the user.
    static func account(_ peer: String, _ scope: ListenerScope) -> String {
        guard scope != .unix, let colon = peer.utf8.lastIndex(of: UInt8(ascii: ":")) else { return "unix" }
        let address = peer[..<colon]
        guard address.utf8.first == UInt8(ascii: "["), address.utf8.last == UInt8(ascii: "]") else {
            return String(address)
        }
        return network(String(address.dropFirst().dropLast()))
    }

    /// Of IPv6 the network: one client has all addresses of its /64. IPv4 in IPv6 is IPv4, and this machine is
    /// itself.
    private static func network(_ text: String) -> String {
        let bare = text.prefix { $0 != "%" }
        var address = in6_addr()
        guard inet_pton(AF_INET6, String(bare), &address) == 1 else { return String(bare) }
        let bytes = withUnsafeBytes(of: address) { Array($0) }
        if bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 0xff, bytes[11] == 0xff {
            return bytes[12...].map(String.init).joined(separator: ".")
        }
        if bytes.dropLast().allSatisfy({ $0 == 0 }), bytes[15] == 1 { return "::1" }
        let groups = stride(from: 0, to: 8, by: 2).map { at in
            String(UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]), radix: 16)
        }
        return groups.joined(separator: ":") + "::/64"
    }
}
