// Values that stand between tags, as Qwen3-Coder, GLM, MiniMax and DeepSeek write them: texts as they are,
// also when they are code that holds such tags. Pure. Holds: a value ends with the closer that has another
// value or the end of the call behind it, the end of what stands around the call included; calls inside of a
// value are part of it.

/// The tags of a family.
struct TextCallTags {
    /// Ends a value.
    let closer: [UInt8]
    /// Begins the next value.
    let next: [UInt8]
    /// Begins and ends a call.
    let callOpener: [UInt8]
    let callCloser: [UInt8]

    static let glm = TextCallTags("</arg_value>", "<arg_key>", "<tool_call>", "</tool_call>")
    static let function = TextCallTags("</parameter>", "<parameter=", "<function=", "</function>")

    init(invokes prefix: String) {
        self.init(
            "</\(prefix)parameter>", "<\(prefix)parameter ", "<\(prefix)invoke name=", "</\(prefix)invoke>")
    }

    private init(_ closer: String, _ next: String, _ callOpener: String, _ callCloser: String) {
        self.closer = Array(closer.utf8)
        self.next = Array(next.utf8)
        self.callOpener = Array(callOpener.utf8)
        self.callCloser = Array(callCloser.utf8)
    }
}

extension TextCallReader {
    /// A value up to its closer, which is taken too.
    mutating func value(_ tags: TextCallTags) -> ArraySlice<UInt8>? {
        let start = at
        // Calls that are shown in the value.
        var depth = 0
        var angle = at
        while let found = ByteSearch.first([UInt8(ascii: "<")], in: text, from: angle) {
            angle = found + 1
            if depth == 0, ByteSearch.starts(text, found, with: tags.closer) {
                at = found + tags.closer.count
                skipSpace()
                if endsValue(tags) { return text[start..<found] }
            } else if ByteSearch.starts(text, found, with: tags.callOpener) {
                if found > start, [Ascii.lineFeed, UInt8(ascii: ">")].contains(text[found - 1]) {
                    depth += 1
                }
            } else if depth > 0, ByteSearch.starts(text, found, with: tags.callCloser) {
                depth -= 1
            }
        }
        return nil
    }

    private func endsValue(_ tags: TextCallTags) -> Bool {
        if at == text.endIndex || ByteSearch.starts(text, at, with: tags.next) || isAtOuterCloser {
            return true
        }
        guard ByteSearch.starts(text, at, with: tags.callCloser) else { return false }
        guard outerCloser != nil else { return true }
        // Only the end of what stands around it, or another call, tells it from code in the value.
        var reader = self
        reader.at += tags.callCloser.count
        reader.skipSpace()
        return reader.at == text.endIndex || reader.isAtOuterCloser
            || TextCallMarkers.calls.isCall(text, reader.at)
    }

    var isAtOuterCloser: Bool { outerCloser.map { ByteSearch.starts(text, at, with: $0) } ?? false }

    /// Without one line end at either end; indentation stays.
    static func withoutOuterLines(_ value: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var value = value
        if value.starts(with: "\r\n".utf8) {
            value = value.dropFirst(2)
        } else if value.first == Ascii.lineFeed {
            value = value.dropFirst()
        }
        if value.last == Ascii.lineFeed { value = value.dropLast() }
        if value.last == Ascii.carriageReturn { value = value.dropLast() }
        return value
    }
}
