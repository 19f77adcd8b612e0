// A profile for one model of a backend: without what that model was found not to take.

extension Profile {
    /// As it is, but nothing is asked for that stands in `lacking`. Tools are left out with the request's.
    func without(_ lacking: Set<Feature>) -> Profile {
        guard !lacking.isEmpty else { return self }
        var profile = self
        for feature in lacking {
            switch feature {
            case .thinking:
                profile.thinkingSwitch = .none
                profile.thinkingBudget = .effort
                profile.thinkingOffByDefault = false
                profile.effort = nil
                profile.reasoningEcho = .none
            case .tools: break
            case .toolChoice: profile.toolChoice = .ignored
            case .parallelToolCalls: profile.parallelToolCalls = false
            case .streamOptions: profile.streamOptions = false
            case .structuredOutput: profile.structuredOutput = .unsupported
            case .images: profile.vision = false
            case .schemaKeywords: profile.schema = .plainest
            case .prefill: profile.prefill = .unsupported
            }
        }
        return profile
    }
}

extension SchemaRules {
    /// What every grammar can express.
    static let plainest: SchemaRules = {
        var rules = SchemaRules()
        rules.dropped = ["$schema", "$id", "$comment", "examples", "default", "deprecated", "readOnly"]
        rules.formats = []
        rules.simplePatterns = true
        rules.inlineReferences = true
        rules.plainUnions = true
        rules.inclusiveBounds = true
        rules.maxCount = 1000
        rules.plainTop = true
        rules.noEmptySchemas = true
        return rules
    }()
}
