// A backend that cuts prompts although it was told not to: seen by its count of the prompt, remembered, and
// answered for with the error that it should have given.

/// One prompt of which the backend read only a part.
public struct PromptTruncation: Sendable, Equatable {
    /// Tokens that the prompt has by our estimate.
    public var estimated: Int
    /// Tokens that the backend says it read.
    public var evaluated: Int

    public init(estimated: Int, evaluated: Int) {
        self.estimated = estimated
        self.evaluated = evaluated
    }

    /// Whether a prompt was cut (ollama#3839, ollama#16618): what was read fills a window to its brim, and
    /// the prompt is surely larger.
    /// - Parameters:
    ///   - windows: what was asked for, and what the model is loaded with.
    public init?(estimated: Int, evaluated: Int, windows: [Int?]) {
        let isFull = windows.compactMap(\.self).contains { window in
            // A template keeps some tokens back.
            evaluated <= window &+ Self.slack && evaluated >= window - max(Self.slack, window / 64)
        }
        guard evaluated > 0, isFull, estimated - evaluated >= max(evaluated / 4, Self.least) else {
            return nil
        }
        self.init(estimated: estimated, evaluated: evaluated)
    }

    private static let slack = 8
    /// A difference below this is the estimate's.
    private static let least = 256

    /// - Throws: 400 for a prompt that would be cut as this one was.
    func refuse(_ estimate: Int) throws(Failure) {
        guard estimate >= estimated else { return }
        throw .request(.promptTooLong(tokens: estimate, window: evaluated))
    }
}
