// For which backends and requests calls are looked for in the text.

import BackendSettings
import Testing

@testable import Translation

@Suite("where calls are looked for")
struct TextCallPlanTests {
    private static func plan(
        _ profile: Profile, _ configured: ConversionSettings.TextCalls, choice: String = ""
    ) throws -> ReplyPlan {
        var target = UpstreamTarget(model: "m", profile: profile)
        target.settings.textCalls = configured
        let body = """
            {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
            "tools": [{"name": "Read", "input_schema": {"type": "object"}}]\(choice)}
            """
        return try MessagesRequest(parsing: Array(body.utf8)).converted(for: target).plan
    }

    @Test(
        "by type, unless the configuration says it",
        arguments: Profile.all.values.sorted { $0.name < $1.name })
    func types(_ profile: Profile) throws {
        // A relay has no answer to translate.
        guard profile.dialect != .anthropic else { return }
        let off: Set<String> = ["openai", "gemini", "deepseek", "mistral", "groq"]
        let plan = try Self.plan(profile, .auto)
        #expect(plan.recoversTextCalls == !off.contains(profile.name), "\(profile.name)")
        #expect(plan.recoversRefusedCalls)
        #expect(try Self.plan(profile, .on).recoversTextCalls)
        let without = try Self.plan(profile, .off)
        #expect(!without.recoversTextCalls && !without.recoversRefusedCalls)
    }

    @Test("never where the client wants no calls")
    func none() throws {
        for configured in [ConversionSettings.TextCalls.auto, .on] {
            let plan = try Self.plan(.vllm, configured, choice: #", "tool_choice": {"type": "none"}"#)
            #expect(!plan.recoversTextCalls && !plan.recoversRefusedCalls)
        }
        #expect(try Self.plan(.vllm, .auto, choice: #", "tool_choice": {"type": "auto"}"#).recoversTextCalls)
    }
}
