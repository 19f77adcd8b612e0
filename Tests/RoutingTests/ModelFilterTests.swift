// Which models a backend's `models:` lets through.

import Testing

@testable import Routing

@Suite struct ModelFilterTests {
    @Test(arguments: [
        ([], "anything", true), (["qwen3:*"], "qwen3:4b", true), (["qwen3:*"], "QWEN3:4B", true),
        (["qwen3:*"], "llama", false), (["a", "b"], "b", true),
        // Only exclusions: all but those.
        (["!*embed*"], "qwen", true), (["!*embed*"], "nomic-embed-text", false),
        // Both: the order does not count.
        (["qwen3:*", "!*embed*"], "qwen3:embed", false), (["!*embed*", "qwen3:*"], "qwen3:embed", false),
        (["qwen3:*", "!*embed*"], "qwen3:4b", true), (["qwen3:*", "!*embed*"], "llama", false),
        (["!"], "x", true), (["!"], "", false),
    ])
    func takes(_ patterns: [String], _ name: String, _ expected: Bool) {
        #expect(ModelFilter(patterns).takes(name) == expected)
    }
}
