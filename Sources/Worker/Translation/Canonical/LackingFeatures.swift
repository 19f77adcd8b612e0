// A request for a model that was found not to take something: the profile without it, and what that costs.
// One place for all dialects: converters obey the profile and need not know why it says what it says.

import JSON

extension UpstreamTarget {
    /// The backend type's profile, without what this model was found not to take.
    var usableProfile: Boxed<Profile> {
        var usable = $profile
        if !lacking.isEmpty { usable.wrappedValue = profile.without(lacking) }
        guard reasoningRemedy == .filled, !lacking.contains(.thinking) else { return usable }
        if usable.wrappedValue.reasoningEcho == .none {
            usable.wrappedValue.reasoningEcho = .reasoningContent
        }
        // Not empty: some take that for missing.
        usable.wrappedValue.reasoningFiller = " "
        return usable
    }
}

extension UpstreamTarget {
    /// Whether earlier reasoning goes along, as the usable profile says.
    var echoesReasoning: Bool {
        !lacking.contains(.thinking) && (reasoningRemedy == .filled || profile.reasoningEcho != .none)
    }
}

extension Profile {
    func without(_ features: Set<Feature>) -> Profile {
        var profile = self
        for feature in features {
            switch feature {
            case .thinking:
                profile.effort = nil
                profile.thinkingSwitch = .none
                profile.thinkingBudget = .effort
                profile.thinkingOffByDefault = false
                // Earlier reasoning is a thinking word, too; some refuse the property (Groq).
                profile.reasoningEcho = .none
                profile.reasoningFiller = nil
            case .effort: profile.effort = nil
            case .tools:
                profile.tools = false
                // Told as text, results are a user's words.
                profile.userAfterTool = true
            case .toolChoice: profile.toolChoice = .ignored
            case .parallelToolCalls: profile.parallelToolCalls = false
            case .streamOptions: profile.streamOptions = false
            case .structuredOutput: profile.structuredOutput = .unsupported
            case .images: profile.vision = false
            case .schemaKeywords:
                profile.schema = .minimal
                profile.strictTools = false
            case .prefill: profile.prefill = .unsupported
            case .sampling: profile.fixedSampling = .every
            case .maxTokens, .maxCompletionTokens: break
            }
        }
        // Of two names for one thing the one that was not refused; both cannot be missing.
        switch (features.contains(.maxTokens), features.contains(.maxCompletionTokens)) {
        case (true, false): profile.maxTokens = .maxCompletionTokens
        case (false, true): profile.maxTokens = .maxTokens
        case (true, true), (false, false): break
        }
        return profile
    }
}

extension SchemaRules {
    /// Names, types, alternatives, what is required and what may be chosen: every grammar knows that much.
    public static let minimal: SchemaRules = {
        var rules = SchemaRules()
        rules.dropped = [
            "$schema", "$id", "$comment", "$anchor", "$vocabulary", "$dynamicRef", "$dynamicAnchor",
            "title", "examples", "default", "deprecated", "readOnly", "writeOnly",
            "pattern", "minLength", "maxLength", "contentEncoding", "contentMediaType", "contentSchema",
            "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
            "minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains",
            "unevaluatedItems", "additionalItems",
            "additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames",
            "minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "dependencies",
            "not", "if", "then", "else",
        ]
        rules.formats = []
        rules.inlineReferences = true
        rules.nullableTypes = true
        rules.plainUnions = true
        rules.mergedParts = true
        rules.noEmptySchemas = true
        rules.plainTop = true
        return rules
    }()
}

extension CanonicalRequest {
    /// What a client has to know of features left out for this model, beside what their own converters name.
    func losses(lacking features: Set<Feature>) -> [Loss] {
        var losses: [Loss] = []
        if features.contains(.thinking), self.thinking.isOn {
            losses.append(Loss(.thinking, "the model does not take it"))
        }
        if features.contains(.tools), !self.tools.isEmpty {
            losses.append(Loss(.tools, "the model does not take tools"))
        }
        if features.contains(.parallelToolCalls), self.disableParallelToolUse {
            losses.append(Loss(.parallelToolUse, "the backend does not take it; carried out here"))
        }
        if features.contains(.streamOptions), self.stream {
            losses.append(
                Loss(.usageOfStream, "the backend does not count what it streams; usage is an estimate"))
        }
        if features.contains(.schemaKeywords),
            self.outputSchema != nil || self.tools.contains(where: \.hasOwnSchema)
        {
            losses.append(
                Loss(.toolSchemas, "simplified: the backend does not take all of JSON Schema"))
        }
        return losses
    }
}

extension Tool {
    fileprivate var hasOwnSchema: Bool { if case .custom(let schema) = kind { schema != nil } else { false } }
}

// MARK: Tool calls as text

extension ConversationBuilder {
    /// The conversation for a model without tools: earlier calls and their results in words, in messages that
    /// every template takes.
    static func withoutCalls(_ messages: [UpstreamMessage]) -> [UpstreamMessage] {
        var told: [UpstreamMessage] = []
        // The parts of a user's message that is not complete yet.
        var heard: [ContentPart] = []
        func endUser() {
            if !heard.isEmpty { told.append(.user(heard)) }
            heard = []
        }
        for message in messages {
            switch message {
            case .tool(let call, let text, let images):
                var words = TextRope([.words("[result of "), .plain(call.name), .words("]\n")])
                words.add(text, boundary: "")
                heard.append(.text(words))
                heard += images.map { .image($0) }
            // Behind results the user goes on in the same message; otherwise messages stay as they are.
            case .user(let parts) where !heard.isEmpty: heard += parts
            case .assistant(let turn) where !turn.calls.isEmpty:
                endUser()
                var turn = turn
                for call in turn.calls {
                    var words: [TextRope.Piece] = [.words("[called "), .plain(call.name), .words(" with ")]
                    words.append(call.input.map { .json($0) } ?? .words("{}"))
                    words.append(.words("]"))
                    turn.text.add(TextRope(words), boundary: "\n")
                }
                turn.calls = []
                told.append(.assistant(turn))
            default:
                endUser()
                told.append(message)
            }
        }
        endUser()
        return told
    }
}
