// Stop sequences that a backend does not heed, or leaves at the end of the text: the text ends before the
// first. Holds: the same text comes out however it was cut; no more is held back than may be the beginning of
// one; the work for each byte is bounded; without stop sequences nothing is looked at.

import JSON

struct StopWords: Sendable {
    /// Sequences that are looked for; the backend is sent all of them.
    static let countLimit = 16
    /// Bytes of one that is looked for.
    static let lengthLimit = 64

    private let words: [[UInt8]]
    /// By byte: a word begins with it.
    private let starts: [Bool]
    /// The beginning of a word, perhaps.
    private var held: [UInt8] = []

    init(_ sequences: [String]) {
        // Those of nothing but space are asked of no backend.
        let looked = sequences.lazy.map { Array($0.utf8) }.filter {
            $0.count <= Self.lengthLimit && !$0.allSatisfy(Ascii.isSpace)
        }
        words = Array(looked.prefix(Self.countLimit))
        var starts = [Bool](repeating: false, count: words.isEmpty ? 0 : 256)
        for word in words { if let first = word.first { starts[Int(first)] = true } }
        self.starts = starts
    }

    var isEmpty: Bool { words.isEmpty }
    var isHolding: Bool { !held.isEmpty }

    /// What of the text may be shown, and the word that ends it.
    /// - Parameter escaped: the inside of a JSON string.
    mutating func read(_ escaped: ArraySlice<UInt8>) -> (text: ArraySlice<UInt8>, word: String?) {
        let wasHolding = isHolding
        let text = held + JSONText(escaped: escaped).plain
        held.removeAll(keepingCapacity: true)
        if let (range, word) = firstWord(in: text) {
            return (JSONText(utf8: text[..<range.lowerBound]).bytes, String(decoding: word, as: UTF8.self))
        }
        for at in text.indices.suffix(Self.lengthLimit) where starts[Int(text[at])] {
            let rest = text[at...]
            guard words.contains(where: { $0.starts(with: rest) }) else { continue }
            held.append(contentsOf: rest)
            return (JSONText(utf8: text[..<at]).bytes, nil)
        }
        // As it came.
        return (wasHolding ? JSONText(utf8: text[...]).bytes : escaped, nil)
    }

    /// The word that is whole first, as a server would see it.
    private func firstWord(in text: [UInt8]) -> (Range<Int>, [UInt8])? {
        var found: (Range<Int>, [UInt8])?
        for at in text.indices where starts[Int(text[at])] {
            // Nothing that begins here can end before it.
            if let end = found?.0.upperBound, at >= end { break }
            for word in words where text[at...].starts(with: word) {
                guard at + word.count < found?.0.upperBound ?? .max else { continue }
                found = (at..<at + word.count, word)
            }
        }
        return found
    }

    /// What turned out to be the beginning of nothing.
    mutating func flush() -> ArraySlice<UInt8> {
        defer { held.removeAll(keepingCapacity: true) }
        return JSONText(utf8: held[...]).bytes
    }
}
