// What recovery of calls gives out, and how much it may work for it. Pure.

/// What was found, texts side by side in one piece.
struct TextCallPieces: Sendable {
    private var done: [TextCallRecovery.Piece] = []
    private var text: [UInt8] = []

    mutating func add(_ more: ArraySlice<UInt8>) { text.append(contentsOf: more) }

    mutating func add(_ piece: TextCallRecovery.Piece) {
        endText()
        done.append(piece)
    }

    /// Marks that mean nothing are told of once.
    mutating func addTokens() {
        endText()
        if done.last != .tokens { done.append(.tokens) }
    }

    mutating func take() -> [TextCallRecovery.Piece] {
        endText()
        defer { done = [] }
        return done
    }

    private mutating func endText() {
        guard !text.isEmpty else { return }
        done.append(.text(text))
        text = []
    }
}

/// How often text is read for a call that may not be one.
struct TextCallBudget: Sendable {
    /// Bodies up to this size are tried at each closer, the first times.
    private static let (eagerSize, eagerAttempts) = (16 << 10, 8)
    /// Marks that announced calls and were none, and the bytes that were read for them.
    private static let (failureLimit, wasteLimit) = (16, 1 << 20)

    private var attempts = 0
    private var lastSize = 0
    private var failures = 0
    private var wasted = 0

    mutating func beginBody() { (attempts, lastSize) = (0, 0) }

    /// Whether a body is worth reading at a closer: in arguments there may be thousands of them. At the end
    /// of the answer it is read in any case.
    mutating func mayTry(_ size: Int) -> Bool {
        guard size >= 2 * lastSize || size <= Self.eagerSize && attempts < Self.eagerAttempts else {
            return false
        }
        attempts += 1
        lastSize = size
        return true
    }

    mutating func fail(_ bytes: Int) {
        failures += 1
        wasted += bytes
    }

    /// A model that has announced so many calls without making them is in a loop: text is text from here on.
    var isSpent: Bool { failures >= Self.failureLimit || wasted > Self.wasteLimit }

    /// Bytes that may be looked at, each as often as it is, whatever a text of so many bytes is.
    static func limit(_ bytes: Int) -> Int { 24 * bytes + 8 * wasteLimit }
}
