// Tool calls in the text of an answer: the same whatever the pieces, every call is to a declared tool, no text is
// lost beside them, and the work stays within its limit for each byte.

import JSON
import TestSupport

@testable import Translation

func fuzzTextCalls(_ bytes: [UInt8], _ random: inout SeededRandom) {
    // Repeated as a model in a loop would: work that grows faster than the text shows only in long ones.
    let times = Int.random(in: 0..<4, using: &random) == 0 ? Int.random(in: 2...64, using: &random) : 1
    let text = Array(String(decoding: bytes, as: UTF8.self).utf8)
    let whole = (0..<times).flatMap { _ in text }
    let plan = ReplyPlan.any(&random)
    let isCut = Bool.random(using: &random)
    let found = FoundCalls(whole, plan, cuts: [], isCut: isCut)
    // That word counts only where it comes as one piece.
    if !String(decoding: whole, as: UTF8.self).contains("assistant") {
        let cuts = random.cuts(whole.count)
        expect(
            FoundCalls(whole, plan, cuts: cuts, isCut: isCut) == found, "the same calls when cut at \(cuts)")
    }
    for case .call(let call, _) in found.pieces {
        expect(plan.toolNames.contains(call.name), "\(call.name) was declared")
        expect((try? JSONDocument(parsing: call.arguments))?.root.isObject == true, "arguments are an object")
    }
    var rest = whole[...]
    for case .text(let shown) in found.pieces {
        for byte in shown {
            guard let at = rest.firstIndex(of: byte) else { return expect(false, "text comes in its order") }
            rest = rest[(at + 1)...]
        }
    }
}

private struct FoundCalls: Equatable {
    var pieces: [TextCallRecovery.Piece] = []

    init(_ text: [UInt8], _ plan: ReplyPlan, cuts: [Int], isCut: Bool) {
        var recovery = TextCallRecovery(plan)
        var start = 0
        for cut in cuts + [text.count] {
            let piece = Array(text[start..<cut])
            start = cut
            let passes = recovery.passes(JSONText(utf8: piece[...]).bytes)
            for piece in passes ? [.text(piece)] : recovery.read(piece) { add(piece) }
        }
        for piece in recovery.finish(isCut: isCut) { add(piece) }
        expect(!recovery.isHolding, "nothing stays behind")
        expect(
            recovery.work <= TextCallBudget.limit(text.count),
            "\(recovery.work) steps for \(text.count) bytes")
    }

    /// Texts side by side are one.
    private mutating func add(_ piece: TextCallRecovery.Piece) {
        switch (pieces.last, piece) {
        case (_, .text([])), (.tokens?, .tokens): break
        case (.text(let before)?, .text(let text)): pieces[pieces.count - 1] = .text(before + text)
        case (.reasoning(let before)?, .reasoning(let text)):
            pieces[pieces.count - 1] = .reasoning(before + text)
        default: pieces.append(piece)
        }
    }
}
