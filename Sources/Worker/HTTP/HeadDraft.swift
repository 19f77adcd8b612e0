// What the pass over a head gathers, and the rules that need the whole head: framing, Host,
// persistence. These are the rules whose neglect lets two servers disagree about where a request ends.

struct HeadDraft {
    var method = Method.other
    var version = HTTPVersion.http11
    /// Absolute in the buffer, like all ranges here; RequestHead counts from the head's first byte.
    var path = 0..<0
    var query: Range<Int>?
    var authority: Range<Int>?
    var authorityFromTarget = false
    var fields: [RequestHead.Field] = []
    var length = 0

    private var contentLength: Int?
    private var chunked = false
    private var expectsContinue = false
    private var hosts = 0
    private var saysClose = false
    private var saysKeepAlive = false

    /// Takes note of a field that decides about the connection. Values are trimmed already.
    mutating func note(_ span: Span<UInt8>, name: Range<Int>, value: Range<Int>) throws(FramingFailure) {
        switch name.count {
        case 4 where span.matches("host", from: name.lowerBound, to: name.upperBound):
            hosts &+= 1
            guard hosts == 1, isAuthority(span, value) else { throw .host }
            // An absolute target overrules the field (RFC 9112 section 3.2.2).
            if !authorityFromTarget { authority = value }
        case 6 where span.matches("expect", from: name.lowerBound, to: name.upperBound):
            guard span.matches("100-continue", from: value.lowerBound, to: value.upperBound) else {
                throw .expectation
            }
            expectsContinue = true
        case 10 where span.matches("connection", from: name.lowerBound, to: name.upperBound):
            noteConnection(span, value)
        case 14 where span.matches("content-length", from: name.lowerBound, to: name.upperBound):
            if contentLength != nil { throw .repeatedContentLength }
            contentLength = try number(span, value)
        case 17 where span.matches("transfer-encoding", from: name.lowerBound, to: name.upperBound):
            try noteTransferEncoding(span, value)
        default: break
        }
    }

    private mutating func noteConnection(_ span: Span<UInt8>, _ value: Range<Int>) {
        var start = value.lowerBound
        while start < value.upperBound {
            var end = start
            while end < value.upperBound, span[end] != 0x2c { end &+= 1 }
            let next = end &+ 1
            while start < end, ByteClass.isBlank(span[start]) { start &+= 1 }
            while end > start, ByteClass.isBlank(span[end &- 1]) { end &-= 1 }
            if span.matches("close", from: start, to: end) { saysClose = true }
            if span.matches("keep-alive", from: start, to: end) { saysKeepAlive = true }
            start = next
        }
    }

    /// `chunked` alone is spoken here. What ends in another coding, or has none, has no end that could be
    /// found (RFC 9112 section 6.3); `gzip, chunked` has one, only that nobody here unpacks it.
    private mutating func noteTransferEncoding(_ span: Span<UInt8>, _ value: Range<Int>)
        throws(FramingFailure)
    {
        var start = value.upperBound
        while start > value.lowerBound, span[start &- 1] != 0x2c { start &-= 1 }
        let isList = start > value.lowerBound
        while start < value.upperBound, ByteClass.isBlank(span[start]) { start &+= 1 }
        guard !chunked, span.matches("chunked", from: start, to: value.upperBound) else {
            throw .transferEncodingOpen
        }
        if isList { throw .transferEncoding }
        chunked = true
    }

    /// Digits only: no sign, no list (RFC 9110 section 8.6). Too large for Int is Int.max: over any limit.
    private func number(_ span: Span<UInt8>, _ value: Range<Int>) throws(FramingFailure) -> Int {
        guard !value.isEmpty else { throw .contentLength }
        var total = 0
        var tooLarge = false
        for index in value {
            guard ByteClass.isDigit(span[index]) else { throw .contentLength }
            let (tens, overflow) = total.multipliedReportingOverflow(by: 10)
            let (sum, overflowToo) = tens.addingReportingOverflow(Int(span[index] &- 0x30))
            tooLarge = tooLarge || overflow || overflowToo
            total = tooLarge ? 0 : sum
        }
        return tooLarge ? Int.max : total
    }

    /// Host characters: what a name, an address, brackets and a port are made of. Empty is allowed (RFC 9110
    /// 7.2).
    private func isAuthority(_ span: Span<UInt8>, _ value: Range<Int>) -> Bool {
        for index in value {
            switch span[index] {
            case 0x21, 0x24...0x2e, 0x30...0x3b, 0x3d, 0x41...0x5b, 0x5d, 0x5f, 0x61...0x7a, 0x7e: continue
            default: return false
            }
        }
        return true
    }

    /// The head with the rules that span fields applied.
    func finished(_ buffer: [UInt8], from start: Int) throws(FramingFailure) -> RequestHead {
        if chunked && contentLength != nil { throw .lengthAndChunked }
        if chunked && version == .http10 { throw .chunkedInHTTP10 }
        if version == .http11 && hosts == 0 { throw .host }
        let framing: RequestFraming =
            if chunked { .chunked } else if let contentLength { .length(contentLength) } else { .none }
        let keepAlive =
            switch version {
            case .http11: !saysClose
            case .http10: saysKeepAlive && !saysClose
            }
        let end = min(start &+ length, buffer.count)
        return RequestHead(
            method: method, version: version, framing: framing, keepAlive: keepAlive,
            expectsContinue: expectsContinue && version == .http11,
            bytes: Array(buffer[start..<end]), fields: fields,
            pathRange: moved(path, by: start), queryRange: query.map { moved($0, by: start) },
            authorityRange: authority.map { moved($0, by: start) },
            length: length)
    }

    private func moved(_ range: Range<Int>, by start: Int) -> Range<Int> {
        range.lowerBound &- start..<range.upperBound &- start
    }
}
