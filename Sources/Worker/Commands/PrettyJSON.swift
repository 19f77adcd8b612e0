// JSON for eyes: one member or element a line, two blanks a level. Texts and numbers stay as they are
// written.

internal import JSON

enum PrettyJSON {
    /// `text` laid out; as it is if it is not JSON.
    static func text(_ text: [UInt8]) -> [UInt8] {
        guard let root = (try? JSONDocument(parsing: text))?.root else { return text }
        var out: [UInt8] = []
        out.reserveCapacity(text.count + text.count / 4)
        append(root, level: 0, to: &out)
        return out
    }

    private static func append(_ node: JSONNode, level: Int, to out: inout [UInt8]) {
        guard node.isObject || node.isArray, !node.isEmpty else { return out.append(contentsOf: node.raw) }
        out.append(node.isObject ? UInt8(ascii: "{") : UInt8(ascii: "["))
        var isFirst = true
        for element in node.elements {
            begin(&isFirst, level: level + 1, &out)
            append(element, level: level + 1, to: &out)
        }
        for member in node.members {
            begin(&isFirst, level: level + 1, &out)
            out.append(contentsOf: member.name.raw)
            out.append(ascii: ": ")
            append(member.value, level: level + 1, to: &out)
        }
        newLine(level, &out)
        out.append(node.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
    }

    private static func begin(_ isFirst: inout Bool, level: Int, _ out: inout [UInt8]) {
        if !isFirst { out.append(UInt8(ascii: ",")) }
        isFirst = false
        newLine(level, &out)
    }

    private static func newLine(_ level: Int, _ out: inout [UInt8]) {
        out.append(0x0A)
        out.append(contentsOf: repeatElement(0x20, count: 2 * level))
    }
}
