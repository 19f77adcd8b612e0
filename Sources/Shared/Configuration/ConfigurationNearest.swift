// "Did you mean …?": the known name nearest to what was typed. Bounded work on text from outside.

/// Nearest by edits: insert, delete, replace or swap neighbours, one each.
public enum Nearest {
    /// Longer names are not compared (bytes of UTF-8).
    public static let longestName = 128

    /// The first of the names with the fewest edits, if it is near enough to be meant: at most a third
    /// of the typed length, but one edit always and four at most. Case does not count.
    public static func name(to typed: String, among names: some Sequence<String>) -> String? {
        closest(to: typed, among: names, edits: min(4, max(1, typed.utf8.count / 3)))
    }

    /// The first of the names with the fewest edits, up to `edits` of them.
    public static func closest(
        to typed: String, among names: some Sequence<String>, edits limit: Int = longestName
    ) -> String? {
        var best: (name: String, edits: Int)?
        for name in names {
            guard let edits = distance(typed, name), edits <= limit else { continue }
            if let known = best, known.edits <= edits { continue }
            best = (name, edits)
        }
        return best?.name
    }

    /// Edits between the two (optimal string alignment), ASCII case ignored; nil when one is too long.
    public static func distance(_ left: String, _ right: String) -> Int? {
        let a = left.utf8.map(lowercased)
        let b = right.utf8.map(lowercased)
        guard a.count <= longestName, b.count <= longestName else { return nil }
        if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
        var before: [Int] = []
        var last = Array(0...b.count)
        for i in 1...a.count {
            var row = [i]
            row.reserveCapacity(b.count + 1)
            for j in 1...b.count {
                let same = a[i - 1] == b[j - 1]
                var edits = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    edits = min(edits, before[j - 2] + 1)
                }
                row.append(edits)
            }
            before = last
            last = row
        }
        return last[b.count]
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
    }
}
