// Patterns of `models:` rules.

import Shared
import Testing

@testable import Routing

@Suite struct ModelGlobTests {
    @Test(arguments: [
        ("claude-*", "claude-opus", true), ("claude-*", "Claude-", true), ("claude-*", "xclaude-", false),
        ("*haiku*", "claude-3-5-haiku-latest", true), ("*haiku*", "haiku", true),
        ("*haiku", "haiku-1", false),
        ("a?c", "abc", true), ("a?c", "aüc", true), ("a?c", "ac", false), ("a?c", "abbc", false),
        ("*", "", true), ("", "", true), ("", "a", false), ("**", "x", true), ("a*b*c", "aXbYbZc", true),
        ("a*b*c", "aXcYb", false), ("?*", "a", true), ("?*", "", false), ("gpt-4.1", "gpt-4x1", false),
        ("QWEN*", "qwen3:4b", true), ("[a]", "a", false),
        ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false),
    ])
    func matches(_ pattern: String, _ name: String, _ expected: Bool) {
        #expect(ModelGlob(pattern).matches(name) == expected)
    }

    @Test("many stars cost no more than pattern times name")
    func bounded() {
        let pattern = ModelGlob(String(repeating: "*a", count: 128) + "b")
        let before = MonotonicInstant.now()
        #expect(!pattern.matches(String(repeating: "a", count: 4096)))
        #expect(MonotonicInstant.now().since(before) < .seconds(2))
    }
}
