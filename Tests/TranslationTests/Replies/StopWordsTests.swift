// Stop sequences that stand in the text: what of the text is shown, whatever the pieces were.

import TestSupport
import Testing

@testable import Translation

@Suite("stop sequences in the text")
struct StopWordsTests {
    @Test("the text before the first stop sequence, however it is cut", arguments: 0..<10)
    func stopWords(_ block: Int) {
        let alphabet = ["a", "b", "ab", "ba", "\\n", "é", "STOP", "ST", " "]
        for seed in 0..<50 {
            var random = SeededRandom(seed: UInt64(block * 100 + seed))
            let words = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                (0..<Int.random(in: 1...3, using: &random)).map { _ in
                    alphabet.randomElement(using: &random) ?? "a"
                }.joined().replacing("\\n", with: "\n")
            }
            let pieces = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? "a"
            }
            let text = pieces.joined().replacing("\\n", with: "\n")
            let looked = words.filter { !$0.allSatisfy(\.isWhitespace) }
            // The one that is whole first.
            let first = looked.compactMap { text.firstRange(of: $0) }.min {
                ($0.upperBound, $0.lowerBound) < ($1.upperBound, $1.lowerBound)
            }
            let end = first?.lowerBound
            var stop = StopWords(words)
            var found: [UInt8] = []
            var word: String?
            for piece in pieces where word == nil {
                if stop.isEmpty {
                    found += Array(piece.utf8)
                } else {
                    let (text, matched) = stop.read(Array(piece.utf8)[...])
                    found += text
                    word = matched
                }
            }
            if word == nil { found += stop.flush() }
            let plain = String(decoding: JSONText(escaped: found[...]).plain, as: UTF8.self)
            #expect(plain == String(text[..<(end ?? text.endIndex)]), "\(words) in \(pieces)")
            #expect((word != nil) == (end != nil))
        }
    }
}
