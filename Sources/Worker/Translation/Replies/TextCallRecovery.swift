// Tool calls that stand in the text of an answer, because the server does not know the model's way to call: found
// while the text flows, and taken out of it. Leaks of the Harmony format go the same way.
// Holds: text leaves at once up to the first byte that may begin a mark; what turns out to be no call of a
// declared tool leaves as the text it is; nothing counts where it is shown rather than said (Prose); once a
// server reports calls of its own, text is text.

struct TextCallRecovery: Sendable {
    enum Piece: Equatable, Sendable {
        case text([UInt8])
        case reasoning([UInt8])
        case call(TextCall, repair: String)
        /// Something was left out that no client should see.
        case tokens
    }

    /// Bytes of one call held back, opener included.
    static let heldLimit = 8 << 20
    /// Bytes behind an opener within which it has to show that a call follows.
    private static let openingLimit = 512
    /// Closers tried for one call; code in arguments may hold closers.
    private static let attemptLimit = 32

    private enum State {
        case text
        /// Behind a mark; not enough has come to tell what follows.
        case judging(TextCallMarker, startsAnswer: Bool)
        case inside(TextCallMarker)
        /// Harmony's analysis, up to `<|end|>`.
        case reasoning
        case off
    }

    private static let callsAndHeaders = TextCallMarker.calls + TextCallMarker.harmony

    private let tools: TextCallTools
    private var state = State.text
    private var held: [UInt8] = []
    /// Bytes at the start of `held` that are text for certain.
    private var settled = 0
    /// How far the closer has been looked for.
    private var searched = 0
    private var attempts = 0
    /// Only space since the answer began.
    private var isAnswerStart = true
    private var prose = TextCallProse()
    /// Only space since a call.
    private var isBehindCall = false
    private var isHarmony = false

    init(_ plan: ReplyPlan) { tools = TextCallTools(plan) }

    var isHolding: Bool { !held.isEmpty }

    // MARK: the short way

    /// Whether `text`, the inside of a JSON string, has nothing in it to look at. If so it has been taken
    /// note of and may be shown as it is.
    @inline(__always)
    mutating func passes(_ text: ArraySlice<UInt8>) -> Bool {
        switch state {
        case .off: true
        case .text where !isAnswerStart && !isBehindCall && held.isEmpty: prose.passes(text.span)
        case .text where isAnswerStart && held.isEmpty: passesAtStart(text)
        default: false
        }
    }

    /// Most answers begin with a word that no mark begins with.
    private mutating func passesAtStart(_ text: ArraySlice<UInt8>) -> Bool {
        switch text.first {
        case nil, 0x20, UInt8(ascii: "\\"), UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "a"):
            return false
        default: break
        }
        guard prose.passes(text.span) else { return false }
        isAnswerStart = false
        if tools.isEmpty, !isHarmony { state = .off }
        return true
    }

    // MARK: the long way

    /// What the plain text `text` turned out to be, with what was held before it.
    mutating func read(_ text: [UInt8]) -> [Piece] {
        held.append(contentsOf: text)
        return process(isEnd: false, mayClose: false)
    }

    /// The end of the text. A call without its closer counts; brackets are added unless the answer was cut.
    mutating func finish(isCut: Bool) -> [Piece] {
        guard isHolding else { return [] }
        return process(isEnd: true, mayClose: !isCut)
    }

    /// Text is text from here on.
    mutating func release() -> [Piece] {
        state = .off
        return isHolding ? process(isEnd: true, mayClose: false) : []
    }

    private mutating func process(isEnd: Bool, mayClose: Bool) -> [Piece] {
        var pieces: [Piece] = []
        var needsMore = false
        while !needsMore {
            switch state {
            case .text: needsMore = find(isEnd, &pieces)
            case .judging(let marker, let startsAnswer):
                needsMore = judge(marker, startsAnswer, isEnd, &pieces)
            case .inside(let marker): needsMore = complete(marker, isEnd, mayClose, &pieces)
            case .reasoning: needsMore = reason(isEnd, &pieces)
            case .off:
                show(held.count, &pieces)
                needsMore = true
            }
        }
        if tools.isEmpty, !isHarmony, !isAnswerStart, !isHolding { state = .off }
        return pieces
    }

    /// Takes the first `count` bytes as text.
    private mutating func show(_ count: Int, _ pieces: inout [Piece]) {
        settled = 0
        guard count > 0 else { return }
        if case .text(let before)? = pieces.last {
            pieces[pieces.count - 1] = .text(before + held[..<count])
        } else {
            pieces.append(.text(Array(held[..<count])))
        }
        held.removeFirst(count)
    }

    /// Goes through text up to the next mark.
    /// - Returns: whether more text is needed.
    private mutating func find(_ isEnd: Bool, _ pieces: inout [Piece]) -> Bool {
        var at = 0
        while at < held.count {
            if at >= settled, mayBegin(held[at]) {
                switch match(held[at...], isEnd) {
                case .whole(let marker):
                    show(at, &pieces)
                    if case .crumb = marker.body {
                        held.removeFirst(marker.opener.count)
                        if pieces.last != .tokens { pieces.append(.tokens) }
                        at = 0
                        continue
                    }
                    state = .judging(marker, startsAnswer: isAnswerStart)
                    (searched, attempts) = (marker.opener.count, 0)
                    return false
                case .begun:
                    show(at, &pieces)
                    return true
                case .none: break
                }
            }
            guard prose.mayFence(held[at]) else {
                advance(held[at])
                at += 1
                continue
            }
            let run = held[at...].prefix { $0 == held[at] }.count
            if at + run == held.count, !isEnd {
                show(at, &pieces)
                return true
            }
            prose.fence(held[at], run)
            (isAnswerStart, isBehindCall) = (false, false)
            at += run
        }
        show(held.count, &pieces)
        return true
    }

    private mutating func advance(_ byte: UInt8) {
        prose.advance(byte)
        if !Ascii.isSpace(byte) { (isAnswerStart, isBehindCall) = (false, false) }
    }

    private func mayBegin(_ byte: UInt8) -> Bool {
        guard !prose.isShowing else { return false }
        switch byte {
        case UInt8(ascii: "<"), UInt8(ascii: "["): return true
        case UInt8(ascii: "`"), UInt8(ascii: "~"): return prose.isLineStart
        case UInt8(ascii: "{"), UInt8(ascii: "a"): return isAnswerStart
        default: return false
        }
    }

    private enum Match { case none, begun, whole(TextCallMarker) }

    private func match(_ text: ArraySlice<UInt8>, _ isEnd: Bool) -> Match {
        var whole: TextCallMarker?
        for markers in [
            tools.isEmpty ? TextCallMarker.harmony : Self.callsAndHeaders,
            isBehindCall ? TextCallMarker.crumbs : isHarmony ? TextCallMarker.harmonyCrumbs : [],
        ] {
            for marker in markers where isPlace(marker.place) {
                if text.starts(with: marker.opener) {
                    if whole == nil { whole = marker }
                } else if !isEnd, text.count >= marker.shortest, marker.opener.starts(with: text) {
                    return .begun
                }
            }
        }
        return whole.map(Match.whole) ?? .none
    }

    private func isPlace(_ place: TextCallMarker.Place) -> Bool {
        switch place {
        case .anywhere: true
        case .lineStart: prose.isLineStart
        case .answerStart: isAnswerStart
        }
    }

    // MARK: behind a mark

    private mutating func judge(
        _ marker: TextCallMarker, _ startsAnswer: Bool, _ isEnd: Bool, _ pieces: inout [Piece]
    ) -> Bool {
        let verdict: TextCallOpening.Verdict
        if case .harmony = marker.body {
            let isKnown = startsAnswer || isHarmony || marker.opener != TextCallMarker.channel
            verdict = TextCallOpening.header(held[marker.opener.count...], tools, isKnown: isKnown)
        } else {
            verdict = TextCallOpening.verdict(held, marker, tools)
        }
        switch verdict {
        case .open:
            let isTooLong = held.count - marker.opener.count > Self.openingLimit
            guard isEnd || isTooLong else { return true }
            isTooLong ? reject(marker) : (state = .inside(marker))
        case .call: state = .inside(marker)
        case .other: reject(marker)
        case .final(let length), .analysis(let length):
            held.removeFirst(marker.opener.count + length)
            isHarmony = true
            if case .analysis = verdict { state = .reasoning } else { state = .text }
            pieces.append(.tokens)
        }
        return false
    }

    private mutating func reject(_ marker: TextCallMarker) {
        settled = marker.opener.count
        state = .text
    }

    private mutating func complete(
        _ marker: TextCallMarker, _ isEnd: Bool, _ mayClose: Bool, _ pieces: inout [Piece]
    ) -> Bool {
        if let closer = marker.closer {
            while attempts < Self.attemptLimit, let found = held[searched...].firstRange(of: closer) {
                searched = found.upperBound
                attempts += 1
                if take(marker, upTo: found.upperBound, false, false, &pieces) { return false }
            }
            searched = max(searched, held.count - closer.count + 1)
        }
        let isHopeless = attempts >= Self.attemptLimit || held.count > Self.heldLimit
        guard isEnd || isHopeless else { return true }
        if isHopeless || !take(marker, upTo: held.count, true, mayClose, &pieces) { reject(marker) }
        return false
    }

    private mutating func take(
        _ marker: TextCallMarker, upTo end: Int, _ isEnd: Bool, _ mayClose: Bool, _ pieces: inout [Piece]
    ) -> Bool {
        let start = if case .bare = marker.body { 0 } else { marker.opener.count }
        var reader = TextCallReader(held[start..<end], tools, mayClose: mayClose)
        guard let calls = reader.calls(marker, isEnd: isEnd) else { return false }
        for call in calls { pieces.append(.call(call, repair: marker.repair)) }
        held.removeFirst(reader.at)
        state = .text
        prose = TextCallProse()
        (isAnswerStart, isBehindCall) = (false, true)
        return true
    }

    private mutating func reason(_ isEnd: Bool, _ pieces: inout [Piece]) -> Bool {
        let closer = Array("<|end|>".utf8)
        var count = held.count
        let found = held.firstRange(of: closer)
        if let found {
            count = found.lowerBound
        } else if !isEnd, let angle = held.lastIndex(of: UInt8(ascii: "<")),
            closer.starts(with: held[angle...])
        {
            count = angle
        }
        if count > 0 { pieces.append(.reasoning(Array(held[..<count]))) }
        held.removeFirst(found?.upperBound ?? count)
        guard found != nil || isEnd else { return true }
        state = .text
        return false
    }
}
