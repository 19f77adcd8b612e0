// The small words of the configuration: sizes, times, addresses, URLs, names. Pure, both ways: what
// `written` gives, `parse` reads back to the same value.

internal import Glibc

/// Sizes such as `64KiB`, in bytes. Binary units (KiB, MiB, GiB), decimal ones (kB, MB, GB), B or none.
enum SizeWord {
    private static let units: [(name: String, bytes: Int)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
        ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000), ("KB", 1000), ("B", 1),
    ]

    static func parse(_ text: String) -> Int? {
        for (name, bytes) in units where text.hasSuffix(name) {
            guard let count = Digits.parse(text.dropLast(name.count)) else { return nil }
            let (product, overflow) = count.multipliedReportingOverflow(by: bytes)
            return overflow ? nil : product
        }
        return Digits.parse(text)
    }

    static func written(_ bytes: Int) -> String {
        for (name, unit) in units.prefix(3) where bytes >= unit && bytes % unit == 0 {
            return "\(bytes / unit)\(name)"
        }
        return "\(bytes)B"
    }
}

/// Times such as `10s`, `15m`, `500ms`, `1h30m`: whole numbers with units from large to small.
enum TimeWord {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000),
        ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000),
    ]

    static func parse(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        var rest = text[...]
        var total: Int64 = 0
        var position = 0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(letters.count)
            guard let count = Digits.parse(digits),
                let index = units[position...].firstIndex(where: { $0.name == letters })
            else { return nil }
            let part = Int64(count).multipliedReportingOverflow(by: units[index].nanoseconds)
            let sum = total.addingReportingOverflow(part.partialValue)
            guard !part.overflow, !sum.overflow else { return nil }
            total = sum.partialValue
            position = index + 1
        }
        return position == 0 ? nil : .nanoseconds(total)
    }

    static func written(_ time: Duration) -> String {
        var rest = time.inNanoseconds
        var result = ""
        for (name, unit) in units where rest >= unit {
            result += "\(rest / unit)\(name)"
            rest %= unit
        }
        return result.isEmpty ? "0s" : result
    }
}

/// Decimal digits and nothing else (no sign, no `0x`, no `_`).
enum Digits {
    static func parse(_ text: some StringProtocol) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 18, text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int(text)
    }
}

/// `host:port`, `[::1]:port`, `unix:/path`, or a port of 127.0.0.1 (`8484`, `:8484`). Hosts are addresses:
/// whoever binds them resolves no names.
enum ListenWord {
    static let expected = "host:port, a port of 127.0.0.1, [::1]:port or unix:/path"

    static func parse(_ text: String) -> Configuration.ListenAddress? {
        if text.hasPrefix("unix:") {
            let path = text.dropFirst(5)
            // sockaddr_un holds 107 bytes and a zero (unix(7)).
            guard path.hasPrefix("/"), path.utf8.count <= 107, path.utf8.allSatisfy({ $0 >= 0x20 }),
                !path.hasSuffix("/")
            else { return nil }
            return .unix(path: String(path))
        }
        if let port = Digits.parse(text.hasPrefix(":") ? text.dropFirst() : text[...]) {
            return UInt16(exactly: port).map { .tcp(host: "127.0.0.1", port: $0) }
        }
        guard let colon = text.lastIndex(of: ":"),
            let port = Digits.parse(text[text.index(after: colon)...]), let port = UInt16(exactly: port)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]"), host.utf8.count > 2 {
            host = String(host.dropFirst().dropLast())
            return IPAddress.isV6(host) ? .tcp(host: host, port: port) : nil
        }
        if host == "localhost" { host = "127.0.0.1" }
        return IPAddress.isV4(host) ? .tcp(host: host, port: port) : nil
    }

    static func written(_ address: Configuration.ListenAddress) -> String {
        switch address {
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }
}

extension Configuration.ListenAddress {
    /// Reachable from this machine only.
    public var isLoopback: Bool {
        switch self {
        case .unix: true
        case .tcp(let host, _): IPAddress.isLoopback(host)
        }
    }
}

enum IPAddress {
    static func isV4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    static func isV6(_ text: String) -> Bool { v6(text) != nil }

    static func isLoopback(_ text: String) -> Bool {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            return UInt32(bigEndian: four.s_addr) >> 24 == 127
        }
        guard let six = v6(text) else { return false }
        if six.dropLast().allSatisfy({ $0 == 0 }) { return six.last == 1 }
        // ::ffff:127.0.0.0/104, the mapped form.
        return six[..<10].allSatisfy({ $0 == 0 }) && six[10] == 0xff && six[11] == 0xff && six[12] == 127
    }

    /// The 16 bytes in network order.
    private static func v6(_ text: String) -> [UInt8]? {
        var address = in6_addr()
        guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        return withUnsafeBytes(of: &address) { Array($0) }
    }
}
