// What a plan says of the reply, as golden requests record it.

@testable import Translation

extension ReplyPlan {
    /// A line for each thing that is not as usual. Without the estimate of the prompt, which changes whenever the
    /// estimates do, and of schemas the names alone: the call shows them.
    var text: String {
        let usual = ReplyPlan()
        func quoted(_ texts: [String]) -> String {
            texts.map { String(reflecting: $0) }.joined(separator: " ")
        }
        var lines: [(key: String, value: String)] = []
        if isPassthrough { lines.append(("passed", "on")) }
        if dialect != usual.dialect { lines.append(("dialect", dialect.rawValue)) }
        if !toolNames.isEmpty { lines.append(("tools", quoted(toolNames))) }
        let schemas = toolSchemas.keys.sorted()
        if schemas != toolNames.sorted() { lines.append(("schemas", quoted(schemas))) }
        for (sent, name) in renamedTools.sorted(by: { $0.key < $1.key }) {
            lines.append(("renamed", quoted([sent, name])))
        }
        if !stopSequences.isEmpty { lines.append(("stop sequences", quoted(stopSequences))) }
        if !knownCallIDs.isEmpty { lines.append(("known calls", quoted(knownCallIDs.sorted()))) }
        if !showsThinking { lines.append(("thinking", "off")) }
        if thinkingDisplayOmitted { lines.append(("thinking", "omitted")) }
        if !recoversTextCalls { lines.append(("text calls", "off")) }
        if !recoversRefusedCalls { lines.append(("refused calls", "off")) }
        if disableParallelToolUse { lines.append(("parallel calls", "off")) }
        if streamRequested { lines.append(("stream", "on")) }
        if reasoningEcho != usual.reasoningEcho { lines.append(("echo", "\(reasoningEcho)")) }
        if let prefill { lines.append(("prefill", "\(quoted([prefill])), echo \(prefillEcho)")) }
        if maxTokens != usual.maxTokens { lines.append(("max tokens", "\(maxTokens)")) }
        if let contextWindow { lines.append(("window", "\(contextWindow)")) }
        if let loadedWindow { lines.append(("loaded window", "\(loadedWindow)")) }
        if !features.isEmpty {
            lines.append(("features", features.map(\.rawValue).sorted().joined(separator: " ")))
        }
        if let lengthName { lines.append(("length", lengthName.rawValue)) }
        if !reasoningRemedies.isEmpty {
            lines.append(("remedies", reasoningRemedies.map { "\($0)" }.joined(separator: " ")))
        }
        return lines.map { "\($0.key): \($0.value)\n" }.joined()
    }
}
