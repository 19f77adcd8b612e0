// What a browser showed, as text: backends know no such blocks.

import JSON

/// What a browser looked like after a call. The API's servers make the model's text of it; here it is the
/// tabs, the active one first, and what happened.
enum BrowserState {
    static func told(_ node: JSONNode) -> Block {
        let tabs = (node["tabs"]?.elements).map(Array.init) ?? []
        let active = tabs.filter { $0["active"]?.bool == true } + tabs.filter { $0["active"]?.bool != true }
        let changes = (node["state_changes"]?.elements).map(Array.init) ?? []
        let lines =
            active.map { line($0, ["tab_id", "title", "url"]) }
            + changes.map { line($0, ["type", "tab_id", "url", "path", "error"]) }
        return .serverTool(
            label: "browser tabs, the active one first", input: nil, lines: lines.filter { !$0.isEmpty })
    }

    private static func line(_ node: JSONNode, _ keys: [StaticString]) -> [JSONNode] {
        keys.compactMap { node[$0] }.filter { $0.isString && !$0.stringRange.isEmpty }
    }
}
