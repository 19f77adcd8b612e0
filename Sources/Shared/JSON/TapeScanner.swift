// Text to tape in one pass, without recursion: open containers are chained through their tape entries.
// Holds: only RFC 8259 texts in valid UTF-8 pass; every byte is reached through a checked index.

struct TapeScanner {
    private let limits: JSONLimits
    private var depth = 0
    /// Tape index of the innermost open container; `none` at the top level.
    private var open = TapeScanner.none
    private static let none = UInt32.max

    init(limits: JSONLimits) { self.limits = limits }

    mutating func scan(_ text: Span<UInt8>, into tape: inout [TapeEntry]) throws(JSONError) {
        tape.removeAll(keepingCapacity: true)
        guard text.count <= min(limits.bytes, Int(Int32.max)) else {
            throw JSONError(.tooLarge, at: limits.bytes)
        }
        var at = 0
        while true {
            // A value is expected here.
            try value(text, &at, &tape)
            // After a value: close what ends here, then a comma or the end.
            while true {
                skipSpace(text, &at)
                guard open != Self.none else {
                    guard at == text.count else { throw JSONError(.trailingBytes, at: at) }
                    return
                }
                guard at < text.count else { throw JSONError(.unexpectedEnd, at: at) }
                let inObject = tape[Int(open)].kind == .object
                let byte = text[at]
                if byte == UInt8(ascii: ",") {
                    at &+= 1
                    skipSpace(text, &at)
                    if inObject { try name(text, &at, &tape) }
                    break
                }
                guard byte == (inObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw JSONError(.unexpectedByte, at: at)
                }
                at &+= 1
                close(&tape, at)
            }
        }
    }

    private mutating func value(_ text: Span<UInt8>, _ at: inout Int, _ tape: inout [TapeEntry])
        throws(JSONError)
    {
        while true {
            skipSpace(text, &at)
            guard at < text.count else { throw JSONError(.unexpectedEnd, at: at) }
            guard tape.count < limits.nodes else { throw JSONError(.tooManyValues, at: at) }
            switch text[at] {
            case UInt8(ascii: "\""):
                return try string(text, &at, &tape)
            case UInt8(ascii: "{"):
                try push(.object, &tape, at)
                at &+= 1
                skipSpace(text, &at)
                if at < text.count, text[at] == UInt8(ascii: "}") {
                    at &+= 1
                    return close(&tape, at)
                }
                try name(text, &at, &tape)
            case UInt8(ascii: "["):
                try push(.array, &tape, at)
                at &+= 1
                skipSpace(text, &at)
                if at < text.count, text[at] == UInt8(ascii: "]") {
                    at &+= 1
                    return close(&tape, at)
                }
            case UInt8(ascii: "t"):
                return try literal("true", .bool, text, &at, &tape)
            case UInt8(ascii: "f"):
                return try literal("false", .bool, text, &at, &tape)
            case UInt8(ascii: "n"):
                return try literal("null", .null, text, &at, &tape)
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                return try number(text, &at, &tape)
            default:
                throw JSONError(.unexpectedByte, at: at)
            }
        }
    }

    private mutating func push(_ kind: JSONKind, _ tape: inout [TapeEntry], _ at: Int) throws(JSONError) {
        guard depth < limits.depth else { throw JSONError(.tooDeep, at: at) }
        depth &+= 1
        let index = UInt32(truncatingIfNeeded: tape.count)
        tape.append(
            TapeEntry(start: UInt32(truncatingIfNeeded: at), end: 0, next: open, kind: kind, flags: []))
        open = index
    }

    /// Closes the innermost container; `at` is behind its bracket.
    private mutating func close(_ tape: inout [TapeEntry], _ at: Int) {
        let index = Int(open)
        let parent = tape[index].next
        tape[index].end = UInt32(truncatingIfNeeded: at)
        tape[index].next = UInt32(truncatingIfNeeded: tape.count)
        if parent != Self.none, tape[index].flags.contains(.loneSurrogate) {
            tape[Int(parent)].flags.insert(.loneSurrogate)
        }
        open = parent
        depth &-= 1
    }

    /// A member's name and its colon.
    private mutating func name(_ text: Span<UInt8>, _ at: inout Int, _ tape: inout [TapeEntry])
        throws(JSONError)
    {
        guard at < text.count else { throw JSONError(.unexpectedEnd, at: at) }
        guard text[at] == UInt8(ascii: "\"") else { throw JSONError(.unexpectedByte, at: at) }
        try string(text, &at, &tape)
        skipSpace(text, &at)
        guard at < text.count else { throw JSONError(.unexpectedEnd, at: at) }
        guard text[at] == UInt8(ascii: ":") else { throw JSONError(.unexpectedByte, at: at) }
        at &+= 1
    }

    private mutating func string(_ text: Span<UInt8>, _ at: inout Int, _ tape: inout [TapeEntry])
        throws(JSONError)
    {
        let start = at &+ 1
        var flags: TapeFlags = []
        at = try StringScan.end(of: text, from: start, flags: &flags)
        leaf(.string, start, at, flags, &tape)
        if flags.contains(.loneSurrogate), open != Self.none {
            tape[Int(open)].flags.insert(.loneSurrogate)
        }
        at &+= 1
    }

    private func leaf(
        _ kind: JSONKind, _ start: Int, _ end: Int, _ flags: TapeFlags, _ tape: inout [TapeEntry]
    ) {
        tape.append(
            TapeEntry(
                start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: end),
                next: UInt32(truncatingIfNeeded: tape.count &+ 1), kind: kind, flags: flags))
    }

    private func literal(
        _ word: StaticString, _ kind: JSONKind, _ text: Span<UInt8>, _ at: inout Int,
        _ tape: inout [TapeEntry]
    ) throws(JSONError) {
        let start = at
        let count = word.utf8CodeUnitCount
        guard count <= text.count &- at else { throw JSONError(.unexpectedEnd, at: text.count) }
        let same = word.withUTF8Buffer { expected in
            (0..<count).allSatisfy { expected[$0] == text[start &+ $0] }
        }
        guard same else { throw JSONError(.badLiteral, at: start) }
        at &+= count
        leaf(kind, start, at, [], &tape)
    }

    private func number(_ text: Span<UInt8>, _ at: inout Int, _ tape: inout [TapeEntry]) throws(JSONError) {
        let start = at
        if text[at] == UInt8(ascii: "-") { at &+= 1 }
        let whole = at
        try digits(text, &at)
        if at &- whole > 1, text[whole] == UInt8(ascii: "0") { throw JSONError(.badNumber, at: whole) }
        if at < text.count, text[at] == UInt8(ascii: ".") {
            at &+= 1
            try digits(text, &at)
        }
        if at < text.count, text[at] | 0x20 == UInt8(ascii: "e") {
            at &+= 1
            if at < text.count, text[at] == UInt8(ascii: "+") || text[at] == UInt8(ascii: "-") { at &+= 1 }
            try digits(text, &at)
        }
        leaf(.number, start, at, [], &tape)
    }

    private func digits(_ text: Span<UInt8>, _ at: inout Int) throws(JSONError) {
        let start = at
        while at < text.count, text[at] &- UInt8(ascii: "0") < 10 { at &+= 1 }
        guard at > start else { throw JSONError(at < text.count ? .badNumber : .unexpectedEnd, at: at) }
    }

    private func skipSpace(_ text: Span<UInt8>, _ at: inout Int) {
        while at < text.count {
            let byte = text[at]
            guard byte <= 0x20 else { return }
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            at &+= 1
        }
    }
}
