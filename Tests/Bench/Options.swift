// Command line of the bench tools: `--name value`, `--name=value` and `--flag`. A name that no one asked
// for is a mistake, so that a typing error cannot quietly measure something else.

struct Options {
    private var values: [(name: String, value: String?)] = []
    private static let flags: Set<String> = ["whole", "quick", "verbose"]

    init(_ words: [String]) throws {
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("--") else { throw BenchError("unexpected argument \(word)") }
            let body = word.dropFirst(2)
            if let equals = body.firstIndex(of: "=") {
                values.append((String(body[..<equals]), String(body[body.index(after: equals)...])))
            } else if Self.flags.contains(String(body)) {
                values.append((String(body), nil))
            } else if let value = rest.popFirst() {
                values.append((String(body), value))
            } else {
                throw BenchError("\(word) needs a value")
            }
        }
    }

    func check(known: Set<String>) throws {
        for (name, _) in values where !known.contains(name) { throw BenchError("unknown option --\(name)") }
    }

    func has(_ name: String) -> Bool { values.contains { $0.name == name } }

    func all(_ name: String) -> [String] { values.filter { $0.name == name }.compactMap(\.value) }

    func text(_ name: String) -> String? { all(name).last }

    func number(_ name: String, or fallback: Int, in range: ClosedRange<Int>) throws -> Int {
        guard let text = text(name) else { return fallback }
        guard let number = Int(text), range.contains(number) else {
            throw BenchError("--\(name): expected \(range.lowerBound) to \(range.upperBound), found \(text)")
        }
        return number
    }

    /// Seconds or a rate, with decimals.
    func decimal(_ name: String, or fallback: Double) throws -> Double {
        guard let text = text(name) else { return fallback }
        guard let number = Double(text), number >= 0, number < 1e6 else {
            throw BenchError("--\(name): expected a number, found \(text)")
        }
        return number
    }
}
