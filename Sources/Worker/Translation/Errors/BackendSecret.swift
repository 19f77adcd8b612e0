// The gateway's own key for a backend, kept out of what clients and the journal get to see of that backend's
// errors: some servers echo the header that they refuse. Pure.

import JSON

/// A key's bytes, for comparing only. Whatever prints it shows nothing of them.
public struct BackendSecret: Sendable, CustomStringConvertible, CustomReflectable {
    /// Shorter ones are no secrets, and would be found everywhere.
    private static let least = 4
    private static let mask = "***"

    private let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes.count >= Self.least ? bytes : [] }

    public var description: String { "hidden" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Replaces the key wherever others may have written it.
    func hide(in fault: inout UpstreamFault) {
        guard !bytes.isEmpty else { return }
        fault.said = hidden(in: fault.said)
        fault.cause = fault.cause.map(hidden)
        guard let object = fault.passed?.object else { return }
        let masked = masked(object) ?? object
        // With escapes the same text has many spellings: then the error is told in our own shape.
        fault.passed?.object = says(masked) ? nil : masked
    }

    /// The text with the key replaced.
    public func hidden(in text: String) -> String {
        guard !bytes.isEmpty, let masked = masked(Array(text.utf8)) else { return text }
        return String(decoding: masked, as: UTF8.self)
    }

    /// Nil when the key is not in it.
    private func masked(_ text: [UInt8]) -> [UInt8]? {
        guard let first = bytes.first, text.count >= bytes.count else { return nil }
        var out: [UInt8] = []
        var copied = 0
        var at = 0
        while at <= text.count - bytes.count {
            guard text[at] == first, text[at..<at + bytes.count].elementsEqual(bytes) else {
                at += 1
                continue
            }
            out += text[copied..<at]
            out += Self.mask.utf8
            at += bytes.count
            copied = at
        }
        return copied == 0 ? nil : out + text[copied...]
    }

    /// Whether a JSON text has the key in a name or string, however it is escaped.
    private func says(_ json: [UInt8]) -> Bool {
        guard json.contains(UInt8(ascii: "\\")), let root = (try? JSONDocument(parsing: json))?.root else {
            return false
        }
        return says(root)
    }

    private func says(_ node: JSONNode) -> Bool {
        switch node.kind {
        case .string: isIn(node.string)
        case .array: node.elements.contains(where: says)
        case .object: node.members.contains { isIn($0.name.string) || says($0.value) }
        case .null, .bool, .number: false
        }
    }

    private func isIn(_ text: String?) -> Bool { text.map { masked(Array($0.utf8)) != nil } ?? false }
}

extension UpstreamFault.Cause {
    /// The same with every text of others changed.
    fileprivate func map(_ change: (String) -> String) -> Self {
        switch self {
        case .unreachable(let detail, let isPersistent):
            .unreachable(detail: change(detail), isPersistent: isPersistent)
        case .misconfigured(let detail): .misconfigured(detail: change(detail))
        case .brokenConnection(let detail): .brokenConnection(detail: change(detail))
        case .notAnAPI(let answer):
            .notAnAPI(.init(isPage: answer.isPage, line: change(answer.line), place: answer.place))
        case .unusable(.compressed(let encoding)): .unusable(.compressed(change(encoding)))
        case .unusable(.arguments(let tool)): .unusable(.arguments(tool: change(tool)))
        case .generationFailed(let reason): .generationFailed(reason: change(reason))
        case .modelMissing(let model): .modelMissing(model.map(change))
        case .closedEarly, .timedOut, .redirects, .unusable, .unloaded, .unparsedOutput,
            .refusedCredentials, .notSignedIn, .billing, .rateLimited, .overloaded, .endpointMissing,
            .refusedForm, .promptTooLong, .imagesUnsupported, .requestRejected, .requestTooLarge,
            .conflict, .deadlineExceeded, .outOfMemory, .failed:
            self
        }
    }
}

/// What errors say of a backend, and what they must not.
public struct BackendIdentity: Sendable {
    /// As configured or found; "" = unknown.
    public var name: String
    /// Host and port of its URL.
    public var place: String
    public var secret: BackendSecret

    public init(name: String = "", place: String = "", secret: BackendSecret = BackendSecret([])) {
        self.name = name
        self.place = place
        self.secret = secret
    }
}
