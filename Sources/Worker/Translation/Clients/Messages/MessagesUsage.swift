// Counts as the Messages API reports them, in its events and its messages.

import JSON

extension Usage {
    /// Takes over what a `usage` object says; a later one says only what has changed.
    /// - Returns: false when this is none.
    @discardableResult
    mutating func update(_ node: JSONNode?) -> Bool {
        guard let node, node.isObject else { return false }
        input = OpenAIUsage.integer(node["input_tokens"]) ?? input
        output = OpenAIUsage.integer(node["output_tokens"]) ?? output
        if let count = OpenAIUsage.integer(node["cache_read_input_tokens"]) {
            cacheRead = count
            tellsCache = true
        }
        cacheCreation = OpenAIUsage.integer(node["cache_creation_input_tokens"]) ?? cacheCreation
        if let count = OpenAIUsage.integer(node["output_tokens_details"]?["thinking_tokens"]), count > 0 {
            thinking = count
        }
        return true
    }
}
