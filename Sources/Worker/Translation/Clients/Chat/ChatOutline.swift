// The end of a conversation in the words of OpenAI's chat completions.

import JSON

extension ChatDialect {
    static func outline(of root: JSONNode) -> RequestOutline {
        var outline = RequestOutline(root)
        let choice = root["tool_choice"]
        if choice?.stringEquals("required") == true {
            outline.forcedCall = .any
        } else if let name = choice?["function"]?["name"]?.string {
            outline.forcedCall = .tool(name)
        }
        for message in root["messages"].map({ Array($0.elements) }) ?? [] {
            switch message["role"]?.string {
            case "user":
                (outline.lastText, outline.toolResult) = ("", nil)
                outline.read(message["content"])
            case "tool" where outline.toolResult == nil:
                outline.toolResult = RequestOutline.text(of: message["content"])
            case "assistant": outline.toolResult = nil
            default: break
            }
        }
        return outline
    }
}
