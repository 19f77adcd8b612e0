// What a backend's refusal says about how the same request could be asked once more. Pure. Holds: nothing is
// guessed; what is about the prompt's length, about credentials or about something that was not asked for is
// no such refusal.

/// What a backend refused of a request, and what would do instead.
public enum Refusal: Sendable, Equatable {
    /// Its model does not take this. `isPlain` = the words leave no doubt that it never does; else they may
    /// be about this one request.
    case feature(Feature, isPlain: Bool)
    /// The model gives at most so many tokens in one answer, and more were asked for.
    case outputLimit(Int)
    /// The prompt leaves so many tokens of the window, and more were asked for.
    case outputRoom(Int)
    /// Earlier turns of this conversation lack the reasoning that the backend wants back. About this history,
    /// never about the model.
    case reasoningMissing(ReasoningRemedy)

    /// - Parameters:
    ///   - text: the backend's words.
    ///   - plan: of the request that was refused.
    init?(_ text: String, status: Int, of plan: RefusablePlan) {
        if let room = Self.room(text, status, plan.maxTokens) {
            self = .outputRoom(room)
        } else if FeatureRefusal.missesReasoning(text, status: status) {
            guard let remedy = plan.reasoningRemedies.first else { return nil }
            self = .reasoningMissing(remedy)
        } else if let limit = OutputLimit.tokens(text, status: status, asked: plan.maxTokens) {
            self = .outputLimit(limit)
        } else if let found = FeatureRefusal.feature(text, status: status, in: plan.allFeatures) {
            self = .feature(found.feature, isPlain: found.isPlain)
        } else {
            return nil
        }
    }

    /// Less than this is no answer worth having: the client had better shorten its prompt.
    private static let leastRoom = 4096

    /// What prompt and window leave, where the backend says both and the prompt fits by itself.
    private static func room(_ text: String, _ status: Int, _ asked: Int) -> Int? {
        guard (400...422).contains(status), let overflow = ContextOverflow(text: text),
            let limit = overflow.limit, let input = overflow.input, overflow.output != nil
        else { return nil }
        let (room, isOverflow) = limit.subtractingReportingOverflow(input)
        return !isOverflow && room >= leastRoom && room < asked ? room : nil
    }
}

/// What of a request decides how its refusal is read.
struct RefusablePlan: Sendable {
    private let features: Set<Feature>
    private let lengthName: Feature?
    let maxTokens: Int
    let reasoningRemedies: [ReasoningRemedy]

    /// Put together only for a refusal: a set costs more than all else here.
    var allFeatures: Set<Feature> { lengthName.map { features.union([$0]) } ?? features }

    init(features: Set<Feature>, maxTokens: Int = 0, reasoningRemedies: [ReasoningRemedy] = []) {
        self.features = features
        lengthName = nil
        self.maxTokens = maxTokens
        self.reasoningRemedies = reasoningRemedies
    }

    init(_ plan: ReplyPlan) {
        features = plan.features
        lengthName = plan.lengthName
        maxTokens = plan.maxTokens
        reasoningRemedies = plan.reasoningRemedies
    }
}
