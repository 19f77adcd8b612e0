// Text out: numbers with fixed decimals, a small JSON writer, whole files. No Foundation here either.

import CSystem
import Glibc

func writeError(_ text: String) {
    var text = text
    text.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
}

func writeOutput(_ text: String) {
    var text = text
    text.withUTF8 { _ = write(1, $0.baseAddress, $0.count) }
}

extension Double {
    /// Rounded to `places` decimals; "–" for what is not a number.
    func fixed(_ places: Int) -> String {
        guard isFinite, magnitude < 1e15 else { return "–" }
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let rounded = Int((magnitude * scale).rounded())
        let sign = self < 0 && rounded != 0 ? "-" : ""
        if places == 0 { return sign + String(rounded) }
        let whole = rounded / Int(scale)
        let part = String(rounded % Int(scale))
        return "\(sign)\(whole)." + String(repeating: "0", count: places - part.count) + part
    }

    /// Three significant figures or so, for table cells.
    var short: String {
        switch magnitude {
        case 100...: fixed(0)
        case 10...: fixed(1)
        default: fixed(2)
        }
    }
}

/// Builds one JSON object, keys in the order they are set.
struct JSONObject {
    private(set) var members: [String] = []

    mutating func set(_ key: String, _ value: Int) { set(key, raw: String(value)) }
    mutating func set(_ key: String, _ value: Double) {
        set(key, raw: value.isFinite ? value.fixed(4) : "null")
    }
    mutating func set(_ key: String, _ value: String) { set(key, raw: Self.quoted(value)) }
    mutating func set(_ key: String, raw: String) { members.append("\(Self.quoted(key)):\(raw)") }

    var text: String { "{" + members.joined(separator: ",") + "}" }

    static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case let other where other.value < 0x20:
                let digits = String(other.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}

enum Files {
    /// Reads at most `limit` bytes; works for /proc, whose files have no size.
    static func read(_ path: String, limit: Int = 16 << 20) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16384)
        while bytes.count < limit {
            let count = Glibc.read(fd, &part, part.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            bytes += part[..<count]
        }
        return bytes
    }

    static func readText(_ path: String) -> String? { read(path).map { String(decoding: $0, as: UTF8.self) } }

    static func write(_ text: String, to path: String) throws {
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard fd >= 0 else { throw BenchError.system(path) }
        defer { close(fd) }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            guard count > 0 else { throw BenchError.system(path) }
            bytes = bytes.dropFirst(count)
        }
    }
}
