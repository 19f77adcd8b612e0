// An entry as bytes: a line for people and files, or a datagram for the journal. Pure. Nothing that a value
// holds can begin a new line, a new field or a terminal sequence.

struct LogEntry {
    /// Longest value of a field, in bytes; more is cut and marked.
    static let maximumValueBytes = 2048
    /// Longest line, in bytes: what one write to a pipe does without mixing with other writers (PIPE_BUF).
    static let maximumLineBytes = 4096

    let level: LogLevel
    let event: LogEvent
    let fields: LogFields
    /// Fields that every entry of this process has; after the others.
    let constants: LogFields

    /// Microseconds since 1970 (UTC), for lines that carry a time.
    struct Clock {
        var microseconds: Int64
    }

    enum Style {
        /// `2026-01-02T03:04:05.678Z info message key=value`
        case plain
        /// `<6>message key=value`: the journal reads our stderr and knows the time (sd-daemon(3)).
        case prefixed
        case colour
    }

    /// One line with its end.
    func line(_ style: Style, at clock: Clock) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(512)
        switch style {
        case .plain:
            clock.appendDate(to: &out)
            out.append(space)
            out += level.name.utf8
            out.append(space)
        case .prefixed:
            out += [UInt8(ascii: "<"), UInt8(ascii: "0") + UInt8(truncatingIfNeeded: level.rawValue)]
            out.append(UInt8(ascii: ">"))
        case .colour:
            out += "\u{1b}[2m".utf8
            clock.appendTime(to: &out)
            out += "\u{1b}[0m \(colour)\(level.name)\u{1b}[0m ".utf8
        }
        text(&out, style == .colour ? (before: "\u{1b}[2m", after: "\u{1b}[0m") : nil)
        if out.count >= Self.maximumLineBytes {
            out.removeSubrange((Self.maximumLineBytes - 8)...)
            Self.cutBack(&out)
            out += "…".utf8
            if style == .colour { out += "\u{1b}[0m".utf8 }
        }
        out.append(newline)
        return out
    }

    /// The datagram of the native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).
    func datagram(identifier: StaticString, file: StaticString, line: UInt) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(1024)
        out += "PRIORITY=\(level.rawValue)\nSYSLOG_IDENTIFIER=".utf8
        append(identifier, &out)
        out += "\nCODE_FILE=".utf8
        append(file, &out)
        out += "\nCODE_LINE=\(line)\n".utf8
        if let id = event.id {
            out += "MESSAGE_ID=".utf8
            append(id, &out)
            out.append(newline)
        }
        // People read only MESSAGE by default, so the fields are in it as well.
        out += "MESSAGE=".utf8
        text(&out, nil)
        out.append(newline)
        for (name, value) in fields.entries + constants.entries { field(name, value, &out) }
        return out
    }

    private func field(_ name: StaticString, _ value: LogValue, _ out: inout [UInt8]) {
        let own = name.withUTF8Buffer { $0.elementsEqual("object_pid".utf8) }
        if !own { out += "DRAGOMAN_".utf8 }
        name.withUTF8Buffer { bytes in
            for byte in bytes { out.append((0x61...0x7a).contains(byte) ? byte & ~0x20 : byte) }
        }
        switch value {
        case .number(let number):
            out.append(UInt8(ascii: "="))
            out += String(number).utf8
        case .text(let text):
            var bytes = Array(text.utf8.prefix(Self.maximumValueBytes))
            if text.utf8.count > Self.maximumValueBytes { Self.cutBack(&bytes) }
            if bytes.contains(newline) {
                // Length first, then any bytes.
                out.append(newline)
                withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { out += $0 }
            } else {
                out.append(UInt8(ascii: "="))
            }
            out += bytes
        }
        out.append(newline)
    }

    /// `message key=value …`
    private func text(_ out: inout [UInt8], _ dim: (before: String, after: String)?) {
        append(event.message, &out)
        // One after the other: a list of both would be made for every entry.
        for (name, value) in fields.entries { pair(name, value, &out, dim) }
        for (name, value) in constants.entries { pair(name, value, &out, dim) }
    }

    private func pair(
        _ name: StaticString, _ value: LogValue, _ out: inout [UInt8], _ dim: (before: String, after: String)?
    ) {
        out.append(space)
        if let dim { out += dim.before.utf8 }
        append(name, &out)
        out.append(UInt8(ascii: "="))
        if let dim { out += dim.after.utf8 }
        switch value {
        case .number(let number): out += String(number).utf8
        case .text(let text): LogText.append(text, to: &out, limit: Self.maximumValueBytes)
        }
    }

    private func append(_ text: StaticString, _ out: inout [UInt8]) {
        text.withUTF8Buffer { out += $0 }
    }

    /// Takes off a character that was cut in the middle.
    static func cutBack(_ bytes: inout [UInt8]) {
        while let last = bytes.last, last & 0xc0 == 0x80 { bytes.removeLast() }
        if let last = bytes.last, last >= 0xc0 { bytes.removeLast() }
    }

    private var colour: String {
        switch level {
        case .error: "\u{1b}[1;31m"
        case .warning: "\u{1b}[33m"
        case .notice: "\u{1b}[36m"
        case .info: "\u{1b}[32m"
        case .debug: "\u{1b}[2m"
        }
    }

    private var space: UInt8 { 0x20 }
    private var newline: UInt8 { 0x0a }
}

/// Values in lines: bare words as they are, everything else quoted and escaped.
enum LogText {
    static func append(_ text: String, to out: inout [UInt8], limit: Int) {
        var text = text
        let isBare = text.withUTF8 { bytes in
            guard !bytes.isEmpty, bytes.count <= limit else { return false }
            for byte in bytes
            where byte <= 0x20 || byte >= 0x7f || byte == 0x22 || byte == 0x3d || byte == 0x5c {
                return false
            }
            out.append(contentsOf: bytes)
            return true
        }
        if isBare { return }
        out.append(UInt8(ascii: "\""))
        var left = limit
        for scalar in text.unicodeScalars {
            guard left > 0 else {
                out += "…".utf8
                break
            }
            left -= UTF8.width(scalar)
            append(scalar, to: &out)
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func append(_ scalar: Unicode.Scalar, to out: inout [UInt8]) {
        switch scalar.value {
        case 0x0a: out += "\\n".utf8
        case 0x0d: out += "\\r".utf8
        case 0x09: out += "\\t".utf8
        case 0x22: out += "\\\"".utf8
        case 0x5c: out += "\\\\".utf8
        case 0x20...0x7e: out.append(UInt8(truncatingIfNeeded: scalar.value))
        // Controls, line separators and what turns the direction of writing (C1, U+2028…202E, U+2066…2069).
        case 0..<0x20, 0x7f...0x9f, 0x200b...0x200f, 0x2028...0x202e, 0x2066...0x2069, 0xfeff:
            out += "\\u{\(String(scalar.value, radix: 16))}".utf8
        default: out += String(scalar).utf8
        }
    }
}

extension LogEntry.Clock {
    /// `2026-01-02T03:04:05.678Z`
    func appendDate(to out: inout [UInt8]) {
        var days = microseconds / 86_400_000_000
        if microseconds % 86_400_000_000 < 0 { days -= 1 }
        // Civil date from days, with years that begin in March.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let day = shifted - era * 146_097
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let inYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * inYear + 2) / 153
        let date = inYear - (153 * month + 2) / 5 + 1
        let civil = month < 10 ? month + 3 : month - 9
        digits(year + era * 400 + (civil <= 2 ? 1 : 0), 4, &out)
        out.append(UInt8(ascii: "-"))
        digits(civil, 2, &out)
        out.append(UInt8(ascii: "-"))
        digits(date, 2, &out)
        out.append(UInt8(ascii: "T"))
        appendTime(to: &out)
        out.append(UInt8(ascii: "Z"))
    }

    /// `03:04:05.678`
    func appendTime(to out: inout [UInt8]) {
        var time = microseconds % 86_400_000_000
        if time < 0 { time += 86_400_000_000 }
        digits(time / 3_600_000_000, 2, &out)
        out.append(UInt8(ascii: ":"))
        digits(time / 60_000_000 % 60, 2, &out)
        out.append(UInt8(ascii: ":"))
        digits(time / 1_000_000 % 60, 2, &out)
        out.append(UInt8(ascii: "."))
        digits(time / 1000 % 1000, 3, &out)
    }

    private func digits(_ value: Int64, _ width: Int, _ out: inout [UInt8]) {
        var unit: Int64 = 1
        for _ in 1..<width { unit *= 10 }
        while unit > 0 {
            out.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / unit % 10))
            unit /= 10
        }
    }
}
