// The end of a conversation in the words of the Messages API.

import JSON

extension MessagesDialect {
    static func outline(of root: JSONNode) -> RequestOutline {
        var outline = RequestOutline(root)
        let choice = root["tool_choice"]
        switch choice?["type"]?.string {
        case "any": outline.forcedCall = .any
        case "tool": outline.forcedCall = .init(choice?["name"]?.string)
        default: break
        }
        var last: JSONNode?
        for message in root["messages"].map({ Array($0.elements) }) ?? []
        where message["role"]?.stringEquals("user") == true { last = message }
        outline.read(last?["content"])
        return outline
    }
}
