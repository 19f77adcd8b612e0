// A complete call as the client will see it: its declared name, its arguments put right. Pure.

import JSON

struct ToolCallResolver: Sendable {
    enum Verdict {
        case call(name: String, input: [UInt8], repairs: [String])
        /// It is left out, for this reason.
        case dropped(String)
        /// What was meant cannot be told. No call runs with an input that was made up here.
        case unreadable(name: String)
    }

    private let names: ToolNames
    private let schemas: [String: [UInt8]]

    init(_ plan: ReplyPlan) {
        names = ToolNames(plan)
        schemas = plan.toolSchemas
    }

    /// - Parameter isCut: the reply was cut off in this call.
    func resolve(_ call: ToolCallBuffer.Call, isCut: Bool) -> Verdict {
        guard let (name, isRenamed) = names.resolve(call.names) else {
            return .dropped("nameless-call-dropped")
        }
        switch ToolArguments.read(
            JSONText(escaped: call.arguments[...]).plain, isCut: isCut, schema: schemas[name],
            restated: call.restated)
        {
        case .exact(let text): return resolve(name, text, isRenamed: isRenamed)
        case .repaired(let text, let repair): return resolve(name, text, [repair], isRenamed: isRenamed)
        case .unreadable: return isCut ? .dropped(Self.cut) : .unreadable(name: name)
        }
    }

    /// A call of a declared tool with arguments that are one object.
    func resolve(
        _ name: String, _ input: [UInt8], _ repairs: [String] = [], isRenamed: Bool = false
    ) -> Verdict {
        let healed = ArgumentHealing.healed(input, schema: schemas[name])
        return .call(
            name: name, input: healed?.bytes ?? input,
            repairs: repairs + (healed?.repairs ?? []) + (isRenamed ? ["tool-name"] : []))
    }

    static let cut = "cut-call-dropped"
}
