// Thinking in the backend's words: on or off, how hard, how long. One place, since the three depend on one
// another and every backend draws the lines differently.

import JSON

struct ReasoningParameters {
    private let request: CanonicalRequest
    @Boxed private var profile: Profile
    private let model: String
    private let thinking: Thinking
    private let maxTokens: Int
    private var losses: [Loss] = []

    init(_ request: CanonicalRequest, _ target: UpstreamTarget, _ length: OutputBudget, hasPrefill: Bool) {
        maxTokens = length.maxTokens
        self.request = request
        let usable = target.usableProfile
        _profile = usable
        model = target.model
        var thinking = request.thinking
        if hasPrefill, thinking.isOn, case .passedWithoutThinking = usable.wrappedValue.prefill {
            thinking = .disabled
            losses.append(Loss(.thinking, "not possible when an answer is continued"))
        }
        self.thinking = thinking
    }

    /// What is to be said about thinking at all; nil = left to the backend.
    var isOn: Bool? {
        switch thinking {
        case .absent: profile.thinkingOffByDefault ? false : nil
        case .leftToModel: nil
        case .disabled: false
        case .enabled, .adaptive: true
        }
    }

    private var budget: Int? {
        guard case .enabled(let budget) = thinking else { return nil }
        return budget
    }

    /// A level that the client gave, or the one that its budget comes to.
    private var effort: Effort? {
        if let effort = request.effort { return effort }
        guard case .effort = profile.thinkingBudget else { return nil }
        return budget.map { $0 <= 1024 ? .low : $0 <= 8192 ? .medium : .high }
    }

    /// Writes the members; returns what was left out.
    consuming func write(to writer: inout JSONWriter) -> [Loss] {
        var losses = losses
        if lacksLevels {
            losses.append(Loss(.effort, "the model takes no level"))
        }
        let level = level
        if case .think = profile.thinkingSwitch {
            writeThink(level, &writer)
        } else if let level {
            writer.name("reasoning_effort")
            writer.value(TextRope(level))
        }
        switch profile.thinkingSwitch {
        case .none, .think: break
        case .templateArgument: writeTemplateArguments(level, &writer)
        case .thinkingType:
            if let isOn {
                writer.name("thinking")
                writer.raw(isOn ? #"{"type":"enabled"}"# : #"{"type":"disabled"}"# as StaticString)
            }
        case .reasoningObject: writeReasoning(&writer)
        case .effortNone(let models):
            if isOn == false, level == nil, models.matches(model) {
                writer.name("reasoning_effort")
                writer.value("none")
            }
        }
        writeBudget(&writer)
        return losses
    }

    /// The backend's word for how hard to think; nil = none is said.
    var level: StaticString? {
        guard let support else { return nil }
        if profile.alwaysThinking.matches(model) {
            guard let effort, thinking != .disabled else { return isOn == false ? support.low : nil }
            return support.word(effort)
        }
        return effort.flatMap { mayHaveLevel ? support.word($0) : nil }
    }

    private var support: EffortSupport? {
        profile.effort.flatMap { $0.models.matches(model) ? $0 : nil }
    }

    private var lacksLevels: Bool { support == nil && request.effort != nil && mayHaveLevel }

    /// Levels have a place of their own, and something to be levels of.
    private var mayHaveLevel: Bool {
        guard thinking != .disabled else { return false }
        return switch profile.thinkingSwitch {
        case .reasoningObject: false
        case .thinkingType, .think: isOn != false
        case .none, .templateArgument, .effortNone: true
        }
    }

    /// What is left to try when the backend misses the reasoning of earlier turns.
    func remedies(isFilled: Bool) -> [ReasoningRemedy] {
        var remedies: [ReasoningRemedy] = isFilled ? [] : [.filled]
        // Thinking that was never spoken of may be the model's habit; some can be told to do without.
        switch profile.thinkingSwitch {
        case .none: break
        case .effortNone(let models) where !models.matches(model): break
        case .templateArgument, .thinkingType, .reasoningObject, .effortNone, .think:
            if isOn != false { remedies.append(.thinkingOff) }
        }
        return remedies
    }

    private func writeThink(_ level: StaticString?, _ writer: inout JSONWriter) {
        guard let isOn else { return }
        writer.name("think")
        if let level { writer.value(TextRope(level)) } else { writer.value(isOn) }
    }

    private func writeTemplateArguments(_ level: StaticString?, _ writer: inout JSONWriter) {
        let inTemplate = profile.effort?.inTemplate == true ? level : nil
        guard isOn != nil || inTemplate != nil else { return }
        writer.name("chat_template_kwargs")
        writer.beginObject()
        if let isOn {
            writer.name("enable_thinking")
            writer.value(isOn)
        }
        if let inTemplate {
            writer.name("reasoning_effort")
            writer.value(TextRope(inTemplate))
        }
        writer.endObject()
    }

    /// OpenRouter's object takes either a level or a budget.
    private func writeReasoning(_ writer: inout JSONWriter) {
        guard isOn != nil || request.effort != nil else { return }
        writer.name("reasoning")
        writer.beginObject()
        if isOn == false {
            writer.name("enabled")
            writer.value(false)
        } else if let budget, request.effort == nil {
            writer.name("max_tokens")
            // Providers refuse a budget that the whole answer would not hold.
            writer.value(max(min(budget, maxTokens - 1), 1024))
        } else if let effort = request.effort {
            writer.name("effort")
            writer.value(TextRope(EffortSupport().word(effort)))
        } else {
            writer.name("enabled")
            writer.value(true)
        }
        writer.endObject()
    }

    private func writeBudget(_ writer: inout JSONWriter) {
        switch profile.thinkingBudget {
        case .effort, .reasoningObject: return
        case .budgetTokens:
            guard let budget, isOn == true else { return }
            writer.name("thinking_budget_tokens")
            writer.value(budget)
        case .googleConfig:
            // A level and a budget exclude each other.
            guard let budget, request.effort == nil else { return }
            writer.name("extra_body")
            writer.raw(#"{"google":{"thinking_config":{"thinking_budget":"#)
            writer.bytes.appendJSON(budget)
            writer.bytes.append(ascii: "}}}")
        }
    }
}

extension EffortSupport {
    func word(_ effort: Effort) -> StaticString {
        switch effort {
        case .low: low
        case .medium: medium
        case .high: high
        case .xhigh: xhigh
        case .max: max
        }
    }
}
