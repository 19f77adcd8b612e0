// Function definitions and the choice among them, in the words of OpenAI chat completions.

import JSON

extension OpenAIRequest {
    mutating func writeTools() {
        guard !tools.tools.isEmpty else { return }
        features.formUnion([.tools, .schemaKeywords])
        builder.writer.functions(tools.tools, &builder.names, profile)
        writeChoice()
        if request.disableParallelToolUse, profile.parallelToolCalls {
            features.insert(.parallelToolCalls)
            writer.name("parallel_tool_calls")
            writer.value(false)
        }
    }

    private mutating func writeChoice() {
        guard let choice = tools.choice else { return }
        features.insert(.toolChoice)
        writer.name("tool_choice")
        switch choice {
        case .auto: writer.value("auto")
        case .never: writer.value("none")
        case .any:
            switch profile.toolChoice {
            case .full(let word), .words(let word): writer.value(TextRope(word))
            case .autoWhenThinking, .ignored: writer.value("required")
            }
        case .tool(let name):
            writer.beginObject()
            writer.name("type")
            writer.value("function")
            writer.name("function")
            writer.beginObject()
            writer.name("name")
            writer.value(builder.names.upstream(name))
            writer.endObject()
            writer.endObject()
        }
    }
}

extension JSONWriter {
    /// `tools`, in the shape that OpenAI's and Ollama's dialects share.
    mutating func functions(_ tools: [Tool], _ names: inout UpstreamToolNames, _ profile: Profile) {
        name("tools")
        beginArray()
        var schemas = SchemaWriter(profile.schema)
        for tool in tools {
            beginObject()
            name("type")
            value("function")
            name("function")
            beginObject()
            name("name")
            value(names.upstream(tool.name))
            name("description")
            if let description = tool.description {
                raw(description)
            } else if case .client(let client) = tool.kind {
                value(TextRope(client.description))
            } else {
                value("")
            }
            name("parameters")
            tool.writeSchema(&schemas, to: &self)
            if profile.strictTools, tool.canBeStrict {
                name("strict")
                value(true)
            }
            endObject()
            endObject()
        }
        endArray()
    }
}
