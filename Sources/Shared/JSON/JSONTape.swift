// The tape: one flat entry per value and per member name, in the order of the text. Containers know
// where the entry after their last descendant stands, so that a subtree is skipped in one step.
// Holds: every range of an entry lies within the parsed bytes.

struct TapeEntry: Sendable {
    /// Byte range of the value; of a string, without its quotes.
    var start: UInt32
    var end: UInt32
    /// Tape index after the subtree. While a container is open: the index of its parent.
    var next: UInt32
    var kind: JSONKind
    var flags: TapeFlags
}

struct TapeFlags: OptionSet, Sendable {
    var rawValue: UInt8
    /// A string with at least one backslash.
    static let escaped = TapeFlags(rawValue: 1)
    /// This string, or one inside this container, has an escaped surrogate without its partner.
    static let loneSurrogate = TapeFlags(rawValue: 2)
}

/// The text and its tape. Nodes share it; a parser writes into it again only when no node is left, so
/// that what a node sees never changes. That uniqueness is what makes it Sendable.
public final class JSONStorage: @unchecked Sendable {
    // Written by the parser alone, which is the only owner then: nothing to check at run time.
    @exclusivity(unchecked) var bytes: [UInt8]
    @exclusivity(unchecked) var tape: [TapeEntry]

    init(bytes: [UInt8], tape: [TapeEntry]) {
        self.bytes = bytes
        self.tape = tape
    }
}

/// A parsed text.
public struct JSONDocument: Sendable {
    let storage: JSONStorage

    /// Parses the whole of `bytes`; the array is kept, not copied.
    public init(parsing bytes: [UInt8], limits: JSONLimits = .init()) throws(JSONError) {
        var tape: [TapeEntry] = []
        tape.reserveCapacity(min(bytes.count / 32 + 16, 1 << 16))
        var scanner = TapeScanner(limits: limits)
        try scanner.scan(bytes.span, into: &tape)
        self.storage = JSONStorage(bytes: bytes, tape: tape)
    }

    public var bytes: [UInt8] { storage.bytes }
    public var root: JSONNode { JSONNode(storage: storage, index: 0) }
}

/// A parser whose memory is used again for each text: nothing is allocated once it has grown to the
/// size of what it reads, as long as no node of the text before is still held.
public struct JSONParser: Sendable {
    private var storage = JSONStorage(bytes: [], tape: [])
    private let limits: JSONLimits

    public init(limits: JSONLimits = .init()) { self.limits = limits }

    /// Parses `range` of `bytes`, copying it. Ranges of the nodes count from the start of `range`.
    public mutating func parse(_ bytes: [UInt8], range: Range<Int>) throws(JSONError) -> JSONNode {
        try parse(bytes[range.clamped(to: 0..<bytes.count)])
    }

    public mutating func parse(_ slice: ArraySlice<UInt8>) throws(JSONError) -> JSONNode {
        guard slice.count <= limits.bytes else { throw JSONError(.tooLarge, at: limits.bytes) }
        if !isKnownUniquelyReferenced(&storage) { storage = JSONStorage(bytes: [], tape: []) }
        let storage = self.storage
        storage.bytes.removeAll(keepingCapacity: true)
        storage.bytes.append(contentsOf: slice)
        var scanner = TapeScanner(limits: limits)
        try scanner.scan(storage.bytes.span, into: &storage.tape)
        return JSONNode(storage: storage, index: 0)
    }
}

extension JSONNode {
    /// A string that nobody sent, as a text of its own.
    public init(text: String) {
        var bytes: [UInt8] = []
        bytes.appendJSON(text)
        let flags: TapeFlags = bytes.contains(UInt8(ascii: "\\")) ? .escaped : []
        let entry = TapeEntry(
            start: 1, end: UInt32(clamping: bytes.count - 1), next: 1, kind: .string, flags: flags)
        self.init(storage: JSONStorage(bytes: bytes, tape: [entry]), index: 0)
    }
}
