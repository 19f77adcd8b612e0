// Which property of a tool's schema a name that the schema does not know can mean. Pure. Holds: a switch is
// meant by its own name only, and nothing whose meaning a negation or a unit in one of the names would
// change: a wrong guess would make the call do something else, or the opposite.

struct ArgumentNames {
    enum Likeness: CaseIterable { case spelling, alias, part }

    private struct Candidate {
        let property: ToolSchema.Property
        let name: String
        let words: [String]
        let isRequired: Bool
    }

    private let candidates: [Candidate]

    /// Bytes of a name that is looked at.
    private static let nameLimit = 64
    /// Bytes of a name that may be part of another.
    private static let partLength = 3

    /// - Parameter properties: those that were not given.
    init(_ properties: [ToolSchema.Property], required: Set<String>) {
        candidates = properties.compactMap { property in
            guard let words = Self.words(of: property.name) else { return nil }
            return Candidate(
                property: property, name: words.joined(), words: words,
                isRequired: required.contains(property.name))
        }
    }

    /// Properties that `name` can mean; none where one of them might mean something else.
    /// - Parameter isSwitch: its value is true or false.
    func matches(_ name: String, isSwitch: Bool, _ likeness: Likeness) -> [ToolSchema.Property] {
        guard let words = Self.words(of: name) else { return [] }
        let joined = words.joined()
        if likeness == .spelling { return candidates.filter { $0.name == joined }.map(\.property) }
        guard !isSwitch else { return [] }
        let alike = candidates.filter { candidate in
            likeness == .alias
                ? Self.aliases[candidate.name]?.contains(joined) ?? false
                : candidate.isRequired && Self.isPart(joined, candidate.name)
        }
        let isTold = alike.contains {
            $0.property.isSwitch || likeness == .part && Self.differ(words, $0.words)
        }
        return isTold ? [] : alike.map(\.property)
    }

    /// One name within the other.
    private static func isPart(_ name: String, _ other: String) -> Bool {
        min(name.utf8.count, other.utf8.count) >= partLength && (other.contains(name) || name.contains(other))
    }

    /// Whether what one of the names has more may change what the value means.
    private static func differ(_ one: [String], _ other: [String]) -> Bool {
        let (name, otherName) = (one.joined(), other.joined())
        return (one + other).contains { telling.contains($0) }
            || negations.contains { name == $0 + otherName || otherName == $0 + name }
    }

    /// Words in small letters and numbers; nil for names that have other signs, or none.
    private static func words(of name: String) -> [String]? {
        guard name.utf8.count <= nameLimit else { return nil }
        var words: [String] = []
        var word = ""
        var wasSmall = false
        for character in name {
            if character.isLetter || character.isNumber {
                if character.isUppercase, wasSmall, !word.isEmpty {
                    words.append(word)
                    word = ""
                }
                word += character.lowercased()
                wasSmall = !character.isUppercase
            } else if separators.contains(character) {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                return nil
            }
        }
        if !word.isEmpty { words.append(word) }
        return words.isEmpty ? nil : words
    }

    private static let separators: Set<Character> = ["_", "-", ".", " "]

    private static let negations = ["no", "non", "not", "un", "dis", "ex", "anti"]

    /// Words that change what a value means: negations, conditions, units, directions.
    private static let telling: Set<String> = [
        "no", "non", "not", "none", "never", "without", "disable", "disabled", "enable", "enabled", "exclude",
        "excluded", "excluding", "include", "included", "except", "skip", "ignore", "omit", "dry", "force",
        "dangerously", "unsafe", "safe", "deny", "denied", "allow", "allowed", "forbidden", "block",
        "blocked",
        "inverse", "invert", "inverted", "reverse", "opposite", "anti", "un", "max", "minimum", "maximum",
        "before", "after", "from", "to", "source", "target", "src", "dst", "dest", "destination", "old",
        "new",
        "start", "end", "begin", "first", "last", "next", "previous", "prev", "left", "right", "input",
        "output",
        "in", "out", "backup", "ns", "us", "ms", "s", "sec", "secs", "second", "seconds", "milli", "millis",
        "millisecond", "milliseconds", "microseconds", "nanoseconds", "min", "mins", "minute", "minutes", "h",
        "hr", "hrs", "hour", "hours", "day", "days", "week", "weeks", "month", "months", "year", "years", "b",
        "byte", "bytes", "bit", "bits", "k", "kb", "kib", "mb", "mib", "gb", "gib", "char", "chars",
        "character",
        "characters", "line", "lines", "word", "words", "token", "tokens", "page", "pages", "row", "rows",
        "column", "columns", "px", "pixel", "pixels", "em", "pt", "mm", "cm", "m", "km", "inch", "inches",
        "percent", "percentage", "pct", "ratio", "fraction", "degrees", "radians", "usd", "eur", "cents",
        "dollars", "euros", "count", "size", "length", "index", "offset", "id", "ids", "hash", "base64",
        "hex",
        "encoded", "decoded", "escaped", "raw", "json", "xml", "html", "glob", "regex", "regexp", "pattern",
    ]

    /// What models call the parameters of common tools; letters and numbers only. None is a switch, none has
    /// a unit.
    private static let aliases: [String: Set<String>] = [
        "filepath": ["path", "file", "filename", "absolutepath", "targetfile", "filepathname", "target"],
        "notebookpath": ["path", "file", "filename", "filepath"],
        "path": ["directory", "dir", "folder", "filepath", "file", "filename", "root"],
        "command": ["cmd", "shell", "bash", "script", "commandline", "code"],
        "oldstring": ["old", "oldstr", "oldtext", "search", "find", "original"],
        "newstring": ["new", "newstr", "newtext", "replace", "replacement", "updated"],
        "content": ["contents", "text", "body", "data", "filecontent", "filetext"],
        "pattern": ["query", "regex", "regexp", "search", "glob", "expression"],
        "query": ["q", "search", "searchterm", "text", "question"],
        "url": ["uri", "link", "href", "address"],
        "prompt": ["instructions", "instruction", "task", "message", "question"],
        "offset": ["start", "from"],
        "limit": ["count", "max"],
        "todos": ["items", "tasks", "list"],
        "description": ["desc", "summary", "title"],
    ]
}
