// Checks a streamed answer while it arrives: the order of events, the text byte for byte, the usage at
// the end. One checker for the Messages dialect, one for chat completions, behind one type.

enum Dialect: String { case anthropic, openai }

struct StreamCheck {
    enum Verdict: Equatable {
        case fine
        /// This many characters of text came with the event.
        case text
        case complete
        case wrong(String)
    }

    private enum Phase: Equatable {
        case start
        case between
        case inside
        case delivered
        case complete
    }

    private let dialect: Dialect
    private let expected: [UInt8]
    private let tokens: Int
    private var phase = Phase.start
    private var position = 0
    private var blocks = 0
    private(set) var events = 0
    /// Bytes of an event whose end has not come yet.
    private var partial: [UInt8] = []

    init(dialect: Dialect, expected: [UInt8], tokens: Int) {
        self.dialect = dialect
        self.expected = expected
        self.tokens = tokens
    }

    var isComplete: Bool { phase == .complete }

    mutating func restart() {
        phase = .start
        position = 0
        blocks = 0
        events = 0
        partial.removeAll(keepingCapacity: true)
    }

    /// Takes body bytes; tells whether text came with them, or what is wrong.
    mutating func take(_ bytes: Span<UInt8>) -> Verdict {
        if partial.isEmpty {
            var used = 0
            let verdict = events(in: bytes, &used)
            for index in used..<bytes.count { partial.append(bytes[index]) }
            return verdict
        }
        for index in 0..<bytes.count { partial.append(bytes[index]) }
        let whole = partial
        var used = 0
        let verdict = events(in: whole.span, &used)
        partial.removeFirst(used)
        return verdict
    }

    /// All complete events; `used` is moved behind the last of them.
    private mutating func events(in bytes: Span<UInt8>, _ used: inout Int) -> Verdict {
        var verdict = Verdict.fine
        var name = 0..<0
        var data = 0..<0
        var line = 0
        while let end = Bytes.firstByte(0x0A, in: bytes, from: line) {
            let stop = end > line && bytes[end - 1] == 0x0D ? end - 1 : end
            if stop == line {
                if !data.isEmpty {
                    let one = event(name: name, data: data, bytes)
                    if case .wrong = one { return one }
                    if one != .fine { verdict = one }
                } else if !name.isEmpty {
                    return .wrong("an event without data")
                }
                name = 0..<0
                data = 0..<0
                used = end + 1
            } else if Bytes.hasPrefix(bytes, at: line, "data: ") {
                guard data.isEmpty else { return .wrong("two data lines") }
                data = line + 6..<stop
            } else if Bytes.hasPrefix(bytes, at: line, "event: ") {
                name = line + 7..<stop
            } else if bytes[line] != UInt8(ascii: ":") {
                return .wrong("a line that is no event field")
            }
            line = end + 1
        }
        return verdict
    }

    private mutating func event(name: Range<Int>, data: Range<Int>, _ bytes: Span<UInt8>) -> Verdict {
        events += 1
        if phase == .complete { return .wrong("an event after the last") }
        let json = bytes.extracting(data)
        return switch dialect {
        case .anthropic: message(event: bytes.extracting(name), json)
        case .openai: chunk(json)
        }
    }

    // MARK: Messages

    private mutating func message(event name: Span<UInt8>, _ json: Span<UInt8>) -> Verdict {
        guard let type = JSONScan.member("type", of: 0, in: json), let end = JSONScan.endOfString(json, type),
            Self.same(name, json.extracting(type + 1..<end - 1))
        else { return .wrong("event name and type differ") }
        if Bytes.hasPrefix(name, at: 0, "content_block_delta") { return delta(json) }
        if Bytes.hasPrefix(name, at: 0, "ping") {
            return phase == .start ? .wrong("ping before the start") : .fine
        }
        if Bytes.hasPrefix(name, at: 0, "error") { return .wrong("error event") }
        switch phase {
        case .start:
            guard Bytes.hasPrefix(name, at: 0, "message_start"),
                JSONScan.member("message", of: 0, in: json) != nil
            else { return .wrong("no message_start first") }
            phase = .between
        case .between:
            if Bytes.hasPrefix(name, at: 0, "content_block_start") {
                guard JSONScan.number(at: JSONScan.member("index", of: 0, in: json), in: json) == blocks,
                    let block = JSONScan.member("content_block", of: 0, in: json),
                    JSONScan.isString("text", at: JSONScan.member("type", of: block, in: json), in: json)
                else { return .wrong("content_block_start") }
                phase = .inside
            } else if Bytes.hasPrefix(name, at: 0, "message_delta") {
                return messageDelta(json)
            } else {
                return .wrong("between blocks")
            }
        case .inside:
            guard Bytes.hasPrefix(name, at: 0, "content_block_stop"),
                JSONScan.number(at: JSONScan.member("index", of: 0, in: json), in: json) == blocks
            else { return .wrong("inside a block") }
            blocks += 1
            phase = .between
        case .delivered:
            guard Bytes.hasPrefix(name, at: 0, "message_stop") else { return .wrong("no message_stop") }
            phase = .complete
            return .complete
        case .complete: return .wrong("an event after the last")
        }
        return .fine
    }

    private mutating func delta(_ json: Span<UInt8>) -> Verdict {
        guard phase == .inside else { return .wrong("delta outside a block") }
        guard JSONScan.number(at: JSONScan.member("index", of: 0, in: json), in: json) == blocks,
            let delta = JSONScan.member("delta", of: 0, in: json),
            JSONScan.isString("text_delta", at: JSONScan.member("type", of: delta, in: json), in: json),
            let text = JSONScan.member("text", of: delta, in: json)
        else { return .wrong("content_block_delta") }
        return matches(text, json) ? .text : .wrong("text differs")
    }

    private mutating func matches(_ text: Int, _ json: Span<UInt8>) -> Bool {
        var place = position
        defer { position = place }
        return JSONScan.matches(text, in: json, expected.span, &place)
    }

    private mutating func messageDelta(_ json: Span<UInt8>) -> Verdict {
        guard let delta = JSONScan.member("delta", of: 0, in: json),
            JSONScan.isString("end_turn", at: JSONScan.member("stop_reason", of: delta, in: json), in: json)
        else { return .wrong("stop reason") }
        guard let usage = JSONScan.member("usage", of: 0, in: json),
            JSONScan.number(at: JSONScan.member("output_tokens", of: usage, in: json), in: json) == tokens
        else { return .wrong("usage") }
        guard position == expected.count else { return .wrong("text incomplete") }
        phase = .delivered
        return .fine
    }

    // MARK: chat completions

    private mutating func chunk(_ json: Span<UInt8>) -> Verdict {
        if Bytes.hasPrefix(json, at: 0, "[DONE]") {
            guard phase == .delivered, position == expected.count else { return .wrong("text incomplete") }
            phase = .complete
            return .complete
        }
        guard let choices = JSONScan.member("choices", of: 0, in: json) else { return .wrong("no choices") }
        guard let choice = JSONScan.firstElement(of: choices, in: json) else { return .fine }
        if let reason = JSONScan.member("finish_reason", of: choice, in: json),
            JSONScan.isString("stop", at: reason, in: json)
        {
            phase = .delivered
            return .fine
        }
        guard let delta = JSONScan.member("delta", of: choice, in: json) else { return .wrong("no delta") }
        guard let text = JSONScan.member("content", of: delta, in: json) else { return .fine }
        let before = position
        guard matches(text, json) else { return .wrong("text differs") }
        return position > before ? .text : .fine
    }

    private static func same(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count where left[index] != right[index] { return false }
        return true
    }
}

/// Checks an answer that came in one piece.
enum WholeCheck {
    /// Nil when everything is right, else what is not.
    static func mistake(in body: [UInt8], dialect: Dialect, expected: [UInt8], tokens: Int) -> String? {
        let json = body.span
        let text: Int?
        let usage: Int?
        switch dialect {
        case .anthropic:
            let block = JSONScan.member("content", of: 0, in: json)
                .flatMap { JSONScan.firstElement(of: $0, in: json) }
            text = block.flatMap { JSONScan.member("text", of: $0, in: json) }
            usage = JSONScan.member("usage", of: 0, in: json)
                .flatMap { JSONScan.member("output_tokens", of: $0, in: json) }
        case .openai:
            let choice = JSONScan.member("choices", of: 0, in: json)
                .flatMap { JSONScan.firstElement(of: $0, in: json) }
            let message = choice.flatMap { JSONScan.member("message", of: $0, in: json) }
            text = message.flatMap { JSONScan.member("content", of: $0, in: json) }
            usage = JSONScan.member("usage", of: 0, in: json)
                .flatMap { JSONScan.member("completion_tokens", of: $0, in: json) }
        }
        var position = 0
        guard let text, JSONScan.matches(text, in: json, expected.span, &position), position == expected.count
        else { return "text differs" }
        return JSONScan.number(at: usage, in: json) == tokens ? nil : "usage"
    }
}
