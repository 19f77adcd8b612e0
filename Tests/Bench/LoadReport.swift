// What a load run of the suite is while it runs, and what it wrote when it is over.

struct LoadRunning {
    let child: Child
    let output: String
}

/// What a load run wrote.
struct LoadReport {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// A figure of the target at `index`; not a number when it is missing.
    func figure(_ key: StaticString, target index: Int = 0) -> Double {
        let json = bytes.span
        var place = JSONScan.member("targets", of: 0, in: json)
            .flatMap { JSONScan.firstElement(of: $0, in: json) }
        for _ in 0..<index {
            // Elements stand one per line: ",\n {".
            place = place.flatMap { JSONScan.endOfValue(json, $0) }.map { $0 + 3 }
        }
        guard let object = place, let value = JSONScan.member(key, of: object, in: json),
            let end = JSONScan.endOfValue(json, value)
        else { return .nan }
        return Double(String(decoding: bytes[value..<end], as: UTF8.self)) ?? .nan
    }

    /// The object with the kinds of failure, as it was written.
    var errors: String {
        let json = bytes.span
        guard
            let object = JSONScan.member("targets", of: 0, in: json)
                .flatMap({ JSONScan.firstElement(of: $0, in: json) }),
            let value = JSONScan.member("errors", of: object, in: json),
            let end = JSONScan.endOfValue(json, value)
        else { return "?" }
        return String(decoding: bytes[value..<end], as: UTF8.self)
    }

    /// How many failures are of a kind whose name begins with one of `kinds`.
    func failures(_ kinds: [String]) -> Int {
        errors.dropFirst().dropLast().split(separator: ",").reduce(0) { sum, entry in
            let parts = entry.split(separator: "\"")
            guard parts.count == 2, kinds.contains(where: { parts[0].hasPrefix($0) }) else { return sum }
            return sum + (Int(parts[1].dropFirst()) ?? 0)
        }
    }
}
