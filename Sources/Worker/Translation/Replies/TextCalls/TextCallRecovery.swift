// Tool calls that stand in the text of an answer, because the server does not know the model's way to call:
// found while the text flows, and taken out of it. Leaks of the Harmony format go the same way. Holds: text
// leaves at once up to the first byte that may begin a mark; what turns out to be no call of a declared tool
// leaves as the text it is; a call counts only where it is said rather than shown or spoken of, that is, in
// its place (TextCallProse) and with nothing behind it but other calls; once a server reports calls of its
// own, text is text. The work is linear, whatever the model writes: a body is tried again only when it has
// grown to twice its size, and marks that announce calls without being any are believed a few times only.

struct TextCallRecovery: Sendable {
    enum Piece: Equatable, Sendable {
        case text([UInt8])
        case reasoning([UInt8])
        case call(TextCall, repair: String)
        /// Something was left out that no client should see.
        case tokens
    }

    /// Bytes held back at once.
    static let heldLimit = 8 << 20
    /// Bytes behind an opener within which it has to show that a call follows.
    private static let openingLimit = 512

    private enum State {
        case text
        /// Behind a mark; not enough has come to tell what follows.
        case judging(TextCallMarker, startsAnswer: Bool)
        case inside(TextCallMarker)
        /// Harmony's analysis, up to `<|end|>`.
        case reasoning
        case off
    }

    private let tools: TextCallTools
    private var state = State.text
    /// Bytes from `start` on have not left; those from `at` on have not been looked at, but for a mark before
    /// it.
    private var held: [UInt8] = []
    private var start = 0
    private var at = 0
    /// Where the mark stands whose call is being read.
    private var opener = 0
    /// Up to here no mark begins.
    private var settled = 0
    /// How far the closer has been looked for.
    private var searched = 0
    private var budget = TextCallBudget()

    /// Whole calls with nothing behind them so far; from `start` on they stand in `held` as they came.
    private var waiting: [(call: TextCall, repair: String)] = []
    /// Where the last of them ends, its closers included.
    private var waitingEnd = 0
    /// Marks that mean nothing stand behind them.
    private var hasWaitingCrumbs = false

    /// Only space since the answer began.
    private var isAnswerStart = true
    private var prose = TextCallProse()
    /// Only space since a call.
    private var isBehindCall = false
    /// Only space since a mark that does not count: the marks within its call do not count either.
    private var isBehindShownMark = false
    private var isHarmony = false
    private var pieces = TextCallPieces()
    /// Bytes looked at, each as often as it was.
    private(set) var work = 0

    init(_ plan: ReplyPlan) { tools = TextCallTools(plan) }

    var isHolding: Bool { start < held.count }

    // MARK: the short way

    /// Whether `text`, the inside of a JSON string, has nothing in it to look at. If so it has been taken
    /// note of and may be shown as it is.
    @inline(__always)
    mutating func passes(_ text: ArraySlice<UInt8>) -> Bool {
        switch state {
        case .off: true
        case .text where !isAnswerStart && !isBehindCall && !isBehindShownMark && held.isEmpty:
            prose.passes(text.span)
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
        work &+= text.count
        process(isEnd: false, mayClose: false)
        if held.count - start > Self.heldLimit {
            state = .off
            process(isEnd: false, mayClose: false)
        }
        return takePieces()
    }

    /// The end of the text. A call without its closer counts; brackets are added unless the answer was cut.
    mutating func finish(isCut: Bool) -> [Piece] {
        guard isHolding else { return [] }
        process(isEnd: true, mayClose: !isCut)
        commit()
        show(upTo: held.count)
        return takePieces()
    }

    /// Text is text from here on.
    mutating func release() -> [Piece] {
        state = .off
        waiting = []
        show(upTo: held.count)
        return takePieces()
    }

    private mutating func takePieces() -> [Piece] {
        if start == held.count {
            held.removeAll(keepingCapacity: held.capacity < 64 << 10)
            (start, at, opener, settled, searched, waitingEnd) = (0, 0, 0, 0, 0, 0)
            if tools.isEmpty, !isHarmony, !isAnswerStart { state = .off }
        } else if start > held.count / 2 {
            held.removeFirst(start)
            at -= start
            opener -= start
            settled -= start
            searched -= start
            waitingEnd -= start
            start = 0
        }
        return pieces.take()
    }

    private mutating func process(isEnd: Bool, mayClose: Bool) {
        var needsMore = false
        while !needsMore {
            switch state {
            case .text: needsMore = find(isEnd)
            case .judging(let marker, let startsAnswer): needsMore = judge(marker, startsAnswer, isEnd)
            case .inside(let marker): needsMore = complete(marker, isEnd, mayClose)
            case .reasoning: needsMore = reason(isEnd)
            case .off:
                waiting = []
                show(upTo: held.count)
                needsMore = true
            }
        }
    }

    /// What comes before `end` and has not left is text.
    private mutating func show(upTo end: Int) {
        guard end > start else { return }
        pieces.add(held[start..<end])
        work &+= end - start
        start = end
        at = max(at, end)
    }

    /// Nothing but other calls is behind those that wait.
    private mutating func commit() {
        guard !waiting.isEmpty else { return }
        for (call, repair) in waiting { pieces.add(.call(call, repair: repair)) }
        if hasWaitingCrumbs { pieces.addTokens() }
        (waiting, hasWaitingCrumbs) = ([], false)
        start = waitingEnd
    }

    /// Something else is behind them: they were shown, not said.
    private mutating func yieldToText() {
        (waiting, hasWaitingCrumbs) = ([], false)
        isBehindCall = false
        prose = TextCallProse(behind: held[at - 1])
    }

    // MARK: text

    /// Goes through text up to the next mark.
    /// - Returns: whether more text is needed.
    private mutating func find(_ isEnd: Bool) -> Bool {
        while at < held.count {
            let byte = held[at]
            if at >= settled, mayBegin(byte) {
                switch match(isEnd) {
                case .whole(let marker):
                    guard counts(marker) else {
                        isBehindShownMark = true
                        settled = at + marker.opener.count
                        continue
                    }
                    if waiting.isEmpty { show(upTo: at) }
                    if case .crumb = marker.body {
                        drop(marker)
                        continue
                    }
                    state = .judging(marker, startsAnswer: isAnswerStart)
                    opener = at
                    return false
                case .begun:
                    if waiting.isEmpty { show(upTo: at) }
                    return true
                case .none: break
                }
            }
            if !Ascii.isSpace(byte) {
                if at >= settled { isBehindShownMark = false }
                if !waiting.isEmpty { yieldToText() }
                (isAnswerStart, isBehindCall) = (false, false)
            }
            prose.advance(byte)
            work &+= 1
            at += 1
        }
        if waiting.isEmpty { show(upTo: held.count) }
        return true
    }

    private mutating func drop(_ crumb: TextCallMarker) {
        at += crumb.opener.count
        if waiting.isEmpty {
            start = at
            pieces.addTokens()
        } else {
            waitingEnd = at
            hasWaitingCrumbs = true
        }
    }

    private func mayBegin(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "<"), UInt8(ascii: "["): !prose.isInFence
        case UInt8(ascii: "`"), UInt8(ascii: "~"): prose.isLineStart && !prose.isShowing
        case UInt8(ascii: "{"), UInt8(ascii: "a"): isAnswerStart && !prose.isShowing
        default: false
        }
    }

    /// Whether the mark says something here, rather than being shown or spoken of.
    private func counts(_ marker: TextCallMarker) -> Bool {
        if prose.isShowing || isBehindShownMark { return false }
        let isBehind = !waiting.isEmpty || isBehindCall
        switch marker.place {
        case .lineStart: return prose.isLineStart
        case .answerStart: return isAnswerStart
        case .tag: return isBehind || prose.isLineStart || prose.isBehindSentence
        case .token:
            if case .harmony = marker.body, isHarmony { return true }
            return isBehind || prose.isLineStart || prose.isBehindText
        case .behind: return isBehind || isHarmony
        }
    }

    private mutating func match(_ isEnd: Bool) -> TextCallMarkers.Match {
        // Marks in other places have to be known, too.
        var places: TextCallMarkers.Places = [.init(.tag), .init(.token)]
        if prose.isLineStart { places.insert(.init(.lineStart)) }
        if isAnswerStart { places.insert(.init(.answerStart)) }
        let isBehind = !waiting.isEmpty || isBehindCall
        var found = TextCallMarkers.Match.none
        if !tools.isEmpty { found = match(.calls, places, isEnd) }
        if case .none = found { found = match(.harmony, places, isEnd) }
        guard case .none = found, isBehind || isHarmony else { return found }
        return match(isBehind ? .crumbs : .harmonyCrumbs, .all, isEnd)
    }

    private mutating func match(
        _ markers: TextCallMarkers, _ places: TextCallMarkers.Places, _ isEnd: Bool
    ) -> TextCallMarkers.Match {
        markers.match(held[...], at, places, isEnd: isEnd, &work)
    }

    // MARK: behind a mark

    private mutating func judge(_ marker: TextCallMarker, _ startsAnswer: Bool, _ isEnd: Bool) -> Bool {
        let body = opener + marker.opener.count
        let opening = held[body..<min(held.count, body + Self.openingLimit + 1)]
        work &+= opening.count
        let verdict: TextCallOpening.Verdict
        if case .harmony = marker.body {
            verdict = TextCallOpening.header(opening, tools, isKnown: startsAnswer || isHarmony)
        } else {
            verdict = TextCallOpening.verdict(held[opener..<opening.endIndex], marker, tools)
        }
        switch verdict {
        case .open:
            let isTooLong = opening.count > Self.openingLimit
            guard isEnd || isTooLong else { return true }
            isTooLong ? reject(marker) : enter(marker)
        case .call: enter(marker)
        case .other: reject(marker)
        case .final(let length), .analysis(let length):
            commit()
            start = body + length
            at = start
            isHarmony = true
            if case .analysis = verdict { state = .reasoning } else { state = .text }
            pieces.add(.tokens)
        }
        return false
    }

    /// The opener is text.
    private mutating func reject(_ marker: TextCallMarker) {
        settled = opener + marker.opener.count
        state = .text
    }

    private mutating func enter(_ marker: TextCallMarker) {
        state = .inside(marker)
        searched = opener + marker.opener.count
        budget.beginBody()
    }

    private mutating func complete(_ marker: TextCallMarker, _ isEnd: Bool, _ mayClose: Bool) -> Bool {
        if isEnd {
            if !take(marker, upTo: held.count, isEnd: true, mayClose) { fail(marker) }
            return false
        }
        if let closer = marker.closer, !hasTags(marker) {
            while let found = ByteSearch.first(closer, in: held[...], from: searched) {
                work &+= found + closer.count - searched
                searched = found + closer.count
                guard budget.mayTry(searched - opener) else { continue }
                if take(marker, upTo: searched, isEnd: false, false) { return false }
            }
            work &+= held.count - searched
            searched = max(searched, held.count - closer.count + 1)
        }
        return true
    }

    /// Whether values stand in tags: code in them may look like closers, so that they are read at the end.
    private func hasTags(_ marker: TextCallMarker) -> Bool {
        if marker.hasTags { return true }
        guard case .tagged = marker.body else { return false }
        let first = held[(opener + marker.opener.count)...].first { !Ascii.isSpace($0) }
        return first != UInt8(ascii: "{") && first != UInt8(ascii: "[")
    }

    /// The mark announced a call and there is none: the calls before it count, it is text.
    private mutating func fail(_ marker: TextCallMarker) {
        commit()
        budget.fail(held.count - opener)
        reject(marker)
        isBehindShownMark = true
        if budget.isSpent { state = .off }
    }

    private mutating func take(
        _ marker: TextCallMarker, upTo end: Int, isEnd: Bool, _ mayClose: Bool
    ) -> Bool {
        let body = if case .bare = marker.body { opener } else { opener + marker.opener.count }
        var reader = TextCallReader(held[body..<end], tools, mayClose: mayClose)
        let calls = reader.calls(marker, isEnd: isEnd)
        work &+= (calls == nil ? end : reader.at) - body
        guard let calls else { return false }
        for call in calls { waiting.append((call, marker.repair)) }
        (at, waitingEnd) = (reader.at, reader.at)
        state = .text
        prose = TextCallProse()
        (isAnswerStart, isBehindCall) = (false, true)
        return true
    }

    private static let endOfMessage = Array("<|end|>".utf8)

    private mutating func reason(_ isEnd: Bool) -> Bool {
        let closer = Self.endOfMessage
        let found = ByteSearch.first(closer, in: held[...], from: start)
        work &+= (found ?? held.count) - start
        var end = found ?? held.count
        if found == nil, !isEnd {
            let tail = held[max(start, held.count - closer.count + 1)...]
            if let angle = tail.lastIndex(of: UInt8(ascii: "<")), closer.starts(with: held[angle...]) {
                end = angle
            }
        }
        if end > start { pieces.add(.reasoning(Array(held[start..<end]))) }
        start = found.map { $0 + closer.count } ?? end
        at = start
        guard found != nil || isEnd else { return true }
        state = .text
        return false
    }
}
