// What a request says of itself beside what it asks: what for a request it is, and which conversation it belongs
// to. Claude Code's marks, where its headers do not tell. Pure.

import JSON

public struct RequestTraits: Sendable, Equatable {
    /// The line of the client about itself says that an agent of the conversation asks.
    public var isSubagent = false
    /// It asks for a summary of the conversation, which will stand in its place.
    public var isCompaction = false
    /// It asks for a title or the like, beside the conversation.
    public var isBackground = false

    public init() {}

    /// Longest metadata that is looked into, and longest part of a text, in bytes.
    private static let longestMetadata = 4096
    private static let looked = 600
    private static let subagentMark = Array("cc_is_subagent=true".utf8)
    /// In all versions that are known one of them stands at the start of the last text.
    private static let compactionMarks = [
        "TEXT ONLY", "create a detailed summary of the conversation",
    ].map { Array($0.utf8) }

    init(_ request: CanonicalRequest) {
        if let first = request.system.first {
            let line = TextSlice(first).bytes.prefix(Self.looked)
            isSubagent = Attribution.isMarked(line) && line.contains(Self.subagentMark)
        }
        if let last = request.messages.last, last.role == .user, case .text(let node)? = last.blocks.last {
            let text = TextSlice(node).bytes.prefix(Self.looked)
            isCompaction = Self.compactionMarks.contains { text.contains($0) }
        }
        isBackground = request.tools.isEmpty && request.outputSchema != nil
    }

    /// The id of the conversation. `metadata.user_id` of Claude Code is a JSON text with the conversation's id, in older versions words with
    /// it behind `_session_`.
    static func session(_ node: JSONNode) -> String? {
        guard node.stringRange.count <= longestMetadata, let text = node.string else { return nil }
        if let root = (try? JSONDocument(parsing: Array(text.utf8)))?.root {
            return root["session_id"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let end = text.end(of: "_session_") else { return nil }
        let id = text[end...]
        return id.isEmpty ? nil : String(id)
    }
}

extension ArraySlice<UInt8> {
    /// Whether these bytes stand somewhere in it.
    fileprivate func contains(_ word: [UInt8]) -> Bool {
        guard let first = word.first, count >= word.count else { return false }
        for at in startIndex...(endIndex - word.count) where self[at] == first {
            if self[at...].starts(with: word) { return true }
        }
        return false
    }
}
