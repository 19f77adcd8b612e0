// Bytes to RequestHead, strictly (RFC 9112). Wants the whole head in the buffer: with a limit of some
// 64 KiB that is simpler and faster than a state per byte. A head that arrives in pieces is searched for
// its end only in the new bytes, so a dripping client costs no more than a fast one.

/// Limits of one request head, all in bytes but `fields`.
public struct HeadLimits: Sendable {
    public var bytes: Int
    public var requestLine: Int
    public var fields: Int

    public init(bytes: Int = 64 << 10, requestLine: Int = 8 << 10, fields: Int = 128) {
        self.bytes = bytes
        self.requestLine = min(requestLine, bytes)
        self.fields = fields
    }
}

/// Parses one head; make a new one for the next request of the connection.
public struct RequestHeadParser: Sendable {
    /// Empty lines tolerated before the request line (RFC 9112 section 2.2 asks for at least one).
    static let maximumLeadingLines = 2

    private let limits: HeadLimits
    /// Bytes after `start` that surely hold no end of a head; nil before the first attempt.
    private var searched: Int?

    public init(limits: HeadLimits = HeadLimits()) { self.limits = limits }

    /// The head that begins at `start`, or nil when more bytes are needed. `buffer` must only grow between
    /// calls.
    public mutating func parse(_ buffer: [UInt8], from start: Int = 0) throws(FramingFailure) -> RequestHead?
    {
        guard start >= 0, start < buffer.count else { return nil }
        let span = buffer.span
        if let searched {
            guard endsHead(span, from: start &+ searched) else {
                self.searched = max(0, buffer.count &- start &- 3)
                try checkSize(buffer.count &- start)
                return nil
            }
        }
        var pass = HeadPass(start: start, limits: limits)
        if let head = try pass.run(span) { return try head.finished(buffer, from: start) }
        searched = max(0, buffer.count &- start &- 3)
        try checkSize(buffer.count &- start)
        return nil
    }

    private func checkSize(_ count: Int) throws(FramingFailure) {
        if count > limits.bytes { throw .headTooLarge }
    }

    /// Whether an empty line, or an LF without CR (which ends in a refusal), lies in the bytes from `start`.
    private func endsHead(_ span: Span<UInt8>, from start: Int) -> Bool {
        var index = max(start, 0)
        while index < span.count {
            if span[index] == 0x0a {
                if index >= 1 && span[index &- 1] != 0x0d { return true }
                if index >= 3 && span[index &- 2] == 0x0a && span[index &- 3] == 0x0d { return true }
            }
            index &+= 1
        }
        return false
    }
}

/// One pass over a buffer that may hold a whole head.
struct HeadPass {
    private let start: Int
    private let limits: HeadLimits
    private var index: Int
    private var draft = HeadDraft()

    init(start: Int, limits: HeadLimits) {
        self.start = start
        self.limits = limits
        index = start
    }

    /// The parts of the head, or nil when the buffer ends before it does.
    mutating func run(_ span: Span<UInt8>) throws(FramingFailure) -> HeadDraft? {
        guard try skipLeadingLines(span), try readRequestLine(span) else { return nil }
        draft.fields.reserveCapacity(32)
        while true {
            guard index < span.count else { return nil }
            if span[index] == 0x0d {
                guard index &+ 1 < span.count else { return nil }
                guard span[index &+ 1] == 0x0a else { throw .bareCarriageReturn }
                draft.length = index &+ 2 &- start
                if draft.length > limits.bytes { throw .headTooLarge }
                return draft
            }
            guard try readField(span) else { return nil }
        }
    }

    private mutating func skipLeadingLines(_ span: Span<UInt8>) throws(FramingFailure) -> Bool {
        var lines = 0
        while index < span.count, span[index] == 0x0d, lines < RequestHeadParser.maximumLeadingLines {
            guard index &+ 1 < span.count else { return false }
            guard span[index &+ 1] == 0x0a else { throw .bareCarriageReturn }
            index &+= 2
            lines &+= 1
        }
        return index < span.count
    }

    /// `METHOD SP TARGET SP VERSION CRLF`; false when it is not complete yet.
    private mutating func readRequestLine(_ span: Span<UInt8>) throws(FramingFailure) -> Bool {
        // What cannot begin a request (a TLS hello, say) is refused at once instead of waited for.
        guard ByteClass.isToken(span[index]) else {
            throw span[index] == 0x0a ? .bareLineFeed : .requestLine
        }
        let line = index
        let end = span.endOfText(from: line)
        if end &- line > limits.requestLine { throw .requestLineTooLong }
        guard try closesLine(span, at: end, otherwise: .requestLine) else { return false }

        var cursor = line
        while cursor < end, ByteClass.isToken(span[cursor]) { cursor &+= 1 }
        guard cursor < end, span[cursor] == 0x20 else { throw .requestLine }
        draft.method = method(span, from: line, to: cursor)
        let target = cursor &+ 1
        cursor = target
        while cursor < end, span[cursor] > 0x20, span[cursor] < 0x7f { cursor &+= 1 }
        guard cursor > target, cursor < end, span[cursor] == 0x20 else { throw .requestLine }
        try readVersion(span, from: cursor &+ 1, to: end)
        try readTarget(span, from: target, to: cursor)
        index = end &+ 2
        return true
    }

    /// Checks the CRLF at `end`; false when the buffer ends before it.
    private func closesLine(_ span: Span<UInt8>, at end: Int, otherwise failure: FramingFailure)
        throws(FramingFailure) -> Bool
    {
        guard end < span.count else { return false }
        switch span[end] {
        case 0x0d:
            guard end &+ 1 < span.count else { return false }
            guard span[end &+ 1] == 0x0a else { throw .bareCarriageReturn }
            return true
        case 0x0a: throw .bareLineFeed
        default: throw failure
        }
    }

    private func method(_ span: Span<UInt8>, from start: Int, to end: Int) -> Method {
        // Methods are case-sensitive (RFC 9110 section 9.1).
        if span.equals("POST", from: start, to: end) { return .post }
        if span.equals("GET", from: start, to: end) { return .get }
        if span.equals("HEAD", from: start, to: end) { return .head }
        if span.equals("OPTIONS", from: start, to: end) { return .options }
        if span.equals("PUT", from: start, to: end) { return .put }
        if span.equals("DELETE", from: start, to: end) { return .delete }
        if span.equals("PATCH", from: start, to: end) { return .patch }
        return .other
    }

    private mutating func readVersion(_ span: Span<UInt8>, from start: Int, to end: Int)
        throws(FramingFailure)
    {
        guard end &- start == 8, span.equals("HTTP/", from: start, to: start &+ 5),
            ByteClass.isDigit(span[start &+ 5]), span[start &+ 6] == 0x2e, ByteClass.isDigit(span[start &+ 7])
        else { throw .requestLine }
        guard span[start &+ 5] == 0x31 else { throw .version }
        draft.version = span[start &+ 7] == 0x30 ? .http10 : .http11
    }

    /// Splits the target before anything is decoded (RFC 9112 section 3.2).
    private mutating func readTarget(_ span: Span<UInt8>, from start: Int, to end: Int) throws(FramingFailure)
    {
        var path = start
        if span[start] != 0x2f {
            if end &- start == 1, span[start] == 0x2a {
                draft.path = start..<end
                return
            }
            let scheme: Int
            if end &- start > 7, span.matches("http://", from: start, to: start &+ 7) {
                scheme = 7
            } else if end &- start > 8, span.matches("https://", from: start, to: start &+ 8) {
                scheme = 8
            } else {
                throw .requestTarget
            }
            path = start &+ scheme
            while path < end, span[path] != 0x2f, span[path] != 0x3f { path &+= 1 }
            guard path > start &+ scheme else { throw .requestTarget }
            draft.authority = start &+ scheme..<path
            draft.authorityFromTarget = true
        }
        var cursor = path
        while cursor < end, span[cursor] != 0x3f, span[cursor] != 0x23 { cursor &+= 1 }
        draft.path = path..<cursor
        guard cursor < end, span[cursor] == 0x3f else { return }
        let query = cursor &+ 1
        cursor = query
        while cursor < end, span[cursor] != 0x23 { cursor &+= 1 }
        draft.query = query..<cursor
    }

    /// `name ":" OWS value OWS CRLF`; false when it is not complete yet.
    private mutating func readField(_ span: Span<UInt8>) throws(FramingFailure) -> Bool {
        let name = index
        var cursor = span.endOfToken(from: name)
        guard cursor < span.count else { return false }
        guard span[cursor] == 0x3a, cursor > name else {
            throw fieldNameFailure(span, at: cursor, name: name)
        }
        let nameEnd = cursor
        cursor &+= 1
        while cursor < span.count, ByteClass.isBlank(span[cursor]) { cursor &+= 1 }
        let value = cursor
        let lineEnd = span.endOfText(from: value)
        guard try closesLine(span, at: lineEnd, otherwise: .fieldValue) else { return false }
        var valueEnd = lineEnd
        while valueEnd > value, ByteClass.isBlank(span[valueEnd &- 1]) { valueEnd &-= 1 }
        if draft.fields.count >= limits.fields { throw .tooManyFields }
        if lineEnd &- start > limits.bytes { throw .headTooLarge }
        draft.fields.append(
            RequestHead.Field(
                name: UInt32(truncatingIfNeeded: name &- start),
                nameEnd: UInt32(truncatingIfNeeded: nameEnd &- start),
                value: UInt32(truncatingIfNeeded: value &- start),
                valueEnd: UInt32(truncatingIfNeeded: valueEnd &- start)))
        try draft.note(span, name: name..<nameEnd, value: value..<valueEnd)
        index = lineEnd &+ 2
        return true
    }

    private func fieldNameFailure(_ span: Span<UInt8>, at cursor: Int, name: Int) -> FramingFailure {
        switch span[cursor] {
        case 0x0a: .bareLineFeed
        case 0x20, 0x09: cursor == name ? .foldedField : .blankBeforeColon
        default: .fieldName
        }
    }
}
