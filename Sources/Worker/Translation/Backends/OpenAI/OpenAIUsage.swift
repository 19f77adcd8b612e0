// Token counts of the OpenAI dialect in Anthropic's meaning: what came from the cache is not input.

import JSON

enum OpenAIUsage {
    /// The counts of a chunk or completion, wherever its server puts them.
    static func read(_ root: JSONNode) -> Usage? {
        if let usage = root["usage"], usage.isObject, !usage.isEmpty { return read(usage, root["timings"]) }
        if let usage = root["x_groq"]?["usage"], usage.isObject, !usage.isEmpty { return read(usage, nil) }
        guard let timings = root["timings"], timings.isObject else { return nil }
        return read(timings: timings)
    }

    private static func read(_ usage: JSONNode, _ timings: JSONNode?) -> Usage? {
        let prompt = integer(usage["prompt_tokens"]) ?? integer(usage["input_tokens"])
        let completion = integer(usage["completion_tokens"]) ?? integer(usage["output_tokens"])
        guard prompt != nil || completion != nil else { return nil }
        let details = usage["prompt_tokens_details"] ?? usage["input_tokens_details"]
        let hit =
            integer(details?["cached_tokens"]) ?? integer(usage["prompt_cache_hit_tokens"])
            ?? integer(usage["cache_read_input_tokens"])
        let told = hit ?? integer(timings?["cache_n"])
        let cached = told ?? 0
        // OpenRouter, vLLM, LiteLLM.
        let write =
            integer(details?["cache_write_tokens"]) ?? integer(details?["created_cache_tokens"])
            ?? integer(details?["cache_creation_tokens"]) ?? integer(usage["cache_creation_input_tokens"])
        let written = min(write ?? 0, max(0, (prompt ?? 0) &- cached))
        let thinking =
            (usage["completion_tokens_details"] ?? usage["output_tokens_details"])?["reasoning_tokens"]
        var result = Usage()
        result.cacheRead = cached
        result.tellsCache = told != nil
        result.cacheCreation = written
        result.input = max(0, (prompt ?? 0) &- cached &- written)
        result.output = completion ?? 0
        result.thinking = integer(thinking).flatMap { $0 > 0 ? $0 : nil }
        // xAI counts reasoning beside the completion; the total tells.
        if let prompt, let completion, let apart = result.thinking,
            integer(usage["total_tokens"]) == prompt &+ completion &+ apart
        {
            result.output = completion &+ apart
        }
        return result
    }

    /// llama.cpp without `include_usage`: what was evaluated, what was in the cache, what was generated.
    private static func read(timings: JSONNode) -> Usage? {
        guard let evaluated = integer(timings["prompt_n"]), let generated = integer(timings["predicted_n"])
        else {
            return nil
        }
        var result = Usage()
        result.input = evaluated
        result.cacheRead = integer(timings["cache_n"]) ?? 0
        result.tellsCache = integer(timings["cache_n"]) != nil
        result.output = generated
        return result
    }

    /// A count, also where it is written as `12.0` or `"12"`; nil when it is none.
    static func integer(_ node: JSONNode?) -> Int? { node.flatMap(integer) }

    static func integer(_ node: JSONNode) -> Int? {
        if let value = node.int { return value >= 0 ? min(value, limit) : nil }
        let double = node.kind == .string ? node.string.flatMap(Double.init) : node.double
        guard let double, double >= 0, double <= Double(limit) else { return nil }
        return Int(double)
    }

    /// Sums of a few such numbers cannot overflow.
    private static let limit = 1 << 48
}

extension Usage {
    /// Tokens of the prompt, cached or not; nil where none were counted.
    var wholeInput: Int? {
        let sum = input &+ cacheRead &+ cacheCreation
        return sum > 0 ? sum : nil
    }

    /// Tokens that a full window may be short of, as servers count.
    private static let windowSlack = 8

    /// Whether the answer ended before it was as long as it might have been, where prompt and answer fill the
    /// window.
    func fillsWindow(of plan: ReplyPlan) -> Bool {
        guard let prompt = wholeInput, plan.maxTokens == 0 || output < plan.maxTokens,
            let window = plan.contextWindow ?? plan.loadedWindow
        else { return false }
        return prompt + output >= window - Self.windowSlack
    }
}
