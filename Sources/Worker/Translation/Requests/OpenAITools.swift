// Function definitions and the choice among them, in the words of OpenAI chat completions.

import JSON

extension OpenAIRequest {
    mutating func writeTools() {
        guard !tools.tools.isEmpty else { return }
        writer.name("tools")
        writer.beginArray()
        for tool in tools.tools {
            writer.beginObject()
            writer.name("type")
            writer.value("function")
            writer.name("function")
            writer.beginObject()
            writer.name("name")
            writer.value(names.upstream(tool.name))
            writer.name("description")
            if let description = tool.description {
                writer.raw(description)
            } else if case .client(let client) = tool.kind {
                writer.value(Text(client.description))
            } else {
                writer.value("")
            }
            writer.name("parameters")
            tool.writeSchema(profile.schema, to: &writer)
            if profile.strictTools, tool.canBeStrict {
                writer.name("strict")
                writer.value(true)
            }
            writer.endObject()
            writer.endObject()
        }
        writer.endArray()
        writeChoice()
        if request.disableParallelToolUse, profile.parallelToolCalls {
            writer.name("parallel_tool_calls")
            writer.value(false)
        }
    }

    private mutating func writeChoice() {
        guard let choice = tools.choice else { return }
        writer.name("tool_choice")
        switch choice {
        case .auto: writer.value("auto")
        case .never: writer.value("none")
        case .any:
            if case .full(let word) = profile.toolChoice {
                writer.value(Text(word))
            } else {
                writer.value("required")
            }
        case .tool(let name):
            writer.beginObject()
            writer.name("type")
            writer.value("function")
            writer.name("function")
            writer.beginObject()
            writer.name("name")
            writer.value(names.upstream(name))
            writer.endObject()
            writer.endObject()
        }
    }
}
