// Lines for people: numbers with their nouns, columns, and nothing wider than a terminal. Pure.

enum Wording {
    /// Columns of the narrowest terminal in use.
    static let width = 80

    /// `1 connection`, `2 connections`.
    static func count(_ number: Int, _ noun: String) -> String {
        "\(number) \(noun)\(number == 1 ? "" : "s")"
    }

    /// Outside text made fit for a terminal: what would move its cursor or change its colours is replaced.
    static func shown(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = ""
        for scalar in text.unicodeScalars { result.unicodeScalars.append(isControl(scalar) ? "?" : scalar) }
        return result
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    /// The line in parts of at most `width`, broken at spaces; all but the first are indented.
    static func wrapped(_ line: String, indent: Int, width: Int = width) -> [String] {
        var lines: [String] = []
        var current: String?
        for word in line.split(separator: " ", omittingEmptySubsequences: false) {
            let longer = current.map { $0 + " " + word } ?? String(word)
            if let full = current, longer.count > width, full.contains(where: { $0 != " " }) {
                lines.append(full)
                current = String(repeating: " ", count: indent) + word
            } else {
                current = longer
            }
        }
        return lines + [current ?? ""]
    }

    /// At most so many characters; what is cut off is marked.
    static func cut(_ text: String, _ limit: Int) -> String {
        text.count > limit ? text.prefix(max(limit - 1, 0)) + "…" : text
    }

    /// Columns as wide as they need to be, two spaces between them; the first ones to the left, the others to
    /// the right.
    static func columns(_ rows: [[String]], left: Int = 1) -> [String] {
        let widths = (rows.first ?? []).indices.map { column in
            rows.map { $0.dropFirst(column).first?.count ?? 0 }.max() ?? 0
        }
        return rows.map { row in
            zip(row, widths).enumerated().map { index, cell in
                let room = String(repeating: " ", count: max(0, cell.1 - cell.0.count))
                return index < left ? cell.0 + room : room + cell.0
            }.joined(separator: "  ")
        }
    }

    /// A word for a shell, quoted where it has to be.
    static func shellWord(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
                    || "-_./:@+,".utf8.contains(byte)
            }
        guard !isPlain else { return text }
        return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
            + "'"
    }
}
