// The suite's findings: rows of the table against their targets, every figure by name for the JSON file.

import Glibc

/// A limit a figure should stay under: a multiple of nginx's, or a plain number.
enum Limit {
    case timesNginx(Double)
    case atMost(Double)

    func met(_ value: Double, nginx: Double) -> Bool {
        switch self {
        case .timesNginx(let factor): value <= factor * nginx
        case .atMost(let bound): value <= bound
        }
    }

    var text: String {
        switch self {
        case .timesNginx(let factor): "≤ \(factor.short) ×"
        case .atMost(let bound): bound == 0 ? "0" : "≤ \(bound.short)"
        }
    }
}

struct Findings {
    struct Row {
        var metric: String
        var direct = Double.nan
        var nginx = Double.nan
        var dragoman: Double
        var target: Limit?
        var goal: Limit?
        var note = ""
    }

    private(set) var rows: [Row] = []
    private var figures = JSONObject()

    mutating func add(_ row: Row) { rows.append(row) }
    mutating func record(_ name: String, _ value: Double) { figures.set(name, value) }
    mutating func record(_ name: String, raw: String) { figures.set(name, raw: raw) }

    var missed: Int { rows.count { $0.target?.met($0.dragoman, nginx: $0.nginx) == false } }

    private static func cell(_ value: Double) -> String { value.isNaN ? "–" : value.short }

    var table: String {
        var lines = [["metric", "direct", "nginx", "Dragoman", "× nginx", "target", "", "goal", "", "note"]]
        for row in rows {
            let ratio = row.dragoman / row.nginx
            lines.append([
                row.metric, Self.cell(row.direct), Self.cell(row.nginx), Self.cell(row.dragoman),
                ratio.isFinite ? ratio.fixed(2) : "–", row.target?.text ?? "–",
                row.target.map { $0.met(row.dragoman, nginx: row.nginx) ? "met" : "MISSED" } ?? "",
                row.goal?.text ?? "–",
                row.goal.map { $0.met(row.dragoman, nginx: row.nginx) ? "met" : "not yet" } ?? "", row.note,
            ])
        }
        let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        var text = ""
        for (index, line) in lines.enumerated() {
            text += "| " + zip(line, widths).map { $0.rightPadded(to: $1) }.joined(separator: " | ") + " |\n"
            if index == 0 {
                text += "|" + widths.map { String(repeating: "-", count: $0 + 2) + "|" }.joined() + "\n"
            }
        }
        return text
    }

    func json(header: [(String, String)]) -> String {
        var object = JSONObject()
        for (key, value) in header { object.set(key, value) }
        let list = rows.map { row in
            var item = JSONObject()
            item.set("metric", row.metric)
            item.set("direct", row.direct)
            item.set("nginx", row.nginx)
            item.set("dragoman", row.dragoman)
            if let target = row.target {
                item.set("target", target.text)
                item.set("met", raw: String(target.met(row.dragoman, nginx: row.nginx)))
            }
            if let goal = row.goal { item.set("goal", goal.text) }
            if !row.note.isEmpty { item.set("note", row.note) }
            return item.text
        }
        object.set("rows", raw: "[\n \(list.joined(separator: ",\n "))\n]")
        object.set("figures", raw: figures.text)
        return object.text + "\n"
    }
}

/// Where and when it was measured.
enum Machine {
    static var description: String {
        let processor =
            Files.readText("/proc/cpuinfo")?.split(separator: "\n")
            .first { $0.hasPrefix("model name") }?.split(separator: ":").last.map(String.init) ?? " ?"
        let kernel = Files.readText("/proc/sys/kernel/osrelease")?.split(separator: "\n").first ?? "?"
        return "\(sysconf(Int32(_SC_NPROCESSORS_ONLN))) ×\(processor), Linux \(kernel)"
    }

    /// Seconds of CPU that all processes have used since the machine started, all cores together.
    static var busySeconds: Double {
        guard let line = Files.readText("/proc/stat")?.split(separator: "\n").first else { return 0 }
        let ticks = line.split(separator: " ").dropFirst().map { Double($0) ?? 0 }
        // user nice system idle iowait irq softirq steal (proc_stat(5)); what a host took away counts too.
        return ticks.enumerated().reduce(0) {
            $1.offset == 3 || $1.offset == 4 || $1.offset > 7 ? $0 : $0 + $1.element
        }
            / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Local time in a form that sorts and fits in a file name.
    static var time: String {
        var now = time_t()
        Glibc.time(&now)
        var parts = tm()
        localtime_r(&now, &parts)
        func two(_ number: Int32) -> String { String(number).leftPadded(to: 2) }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
            + "T\(two(parts.tm_hour))\(two(parts.tm_min))\(two(parts.tm_sec))"
    }
}
