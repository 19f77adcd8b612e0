// What an error says, in two readings: to the client, and to the journal, which keeps only words of our own.
// Whatever a client or a backend wrote is put in by `Excerpt` and stands as `…` in the journal. Pure.

/// A sentence of ours that may quote others: `"Tool '\(Excerpt.shown(name))' is not available."`.
public struct ErrorWords: ExpressibleByStringInterpolation, Sendable, Equatable {
    /// For the client.
    public private(set) var told: String
    /// For the journal.
    public private(set) var noted: String

    public init(stringLiteral words: String) {
        told = words
        noted = words
    }

    init(told: String, noted: String) {
        self.told = told
        self.noted = noted
    }

    public init(stringInterpolation parts: Parts) {
        told = parts.told
        noted = parts.noted
    }

    public static func + (left: ErrorWords, right: ErrorWords) -> ErrorWords {
        var both = left
        both.told += right.told
        both.noted += right.noted
        return both
    }

    public struct Parts: StringInterpolationProtocol {
        fileprivate var told = ""
        fileprivate var noted = ""

        public init(literalCapacity: Int, interpolationCount: Int) {
            told.reserveCapacity(literalCapacity + interpolationCount * 16)
        }

        public mutating func appendLiteral(_ literal: String) {
            told += literal
            noted += literal
        }

        /// Numbers, names of fields and of models, words of ours.
        public mutating func appendInterpolation(_ ours: some CustomStringConvertible) {
            appendLiteral(ours.description)
        }

        public mutating func appendInterpolation(_ words: ErrorWords) {
            told += words.told
            noted += words.noted
        }

        public mutating func appendInterpolation(_ quoted: Excerpt) {
            told += quoted.description
            noted += "…"
        }
    }
}

/// Words of others inside words of ours.
public struct Excerpt: CustomStringConvertible, Sendable {
    public let description: String

    private static let limit = 60

    /// At most 60 characters, none of them a control character; `""` for nothing.
    public static func shown(_ text: String) -> Excerpt {
        guard !text.isEmpty else { return Excerpt(description: "\"\"") }
        var shown = ""
        for scalar in text.unicodeScalars.prefix(limit) {
            let category = scalar.properties.generalCategory
            shown.unicodeScalars.append(category == .control || category == .format ? "?" : scalar)
        }
        return Excerpt(description: text.unicodeScalars.count > limit ? shown + "…" : shown)
    }

    /// As it is, for words on which clients act.
    public static func whole(_ text: String) -> Excerpt { Excerpt(description: text) }

    /// What a backend, libcurl or the system said, for the end of a sentence: without its full stop.
    public static func said(_ text: String) -> Excerpt {
        var text = text[...]
        while let last = text.last, last == "." || last.isWhitespace { text.removeLast() }
        return Excerpt(description: String(text))
    }
}
