// Patterns of `models:` rules. `*` stands for any run of characters, `?` for any one; the case of ASCII
// letters does not count. Linear in pattern times name, whatever they are.

struct ModelGlob: Sendable, Equatable {
    /// By character, so that `?` takes a whole one.
    private let pattern: [UInt32]

    init(_ pattern: String) { self.pattern = Self.folded(pattern) }

    func matches(_ name: String) -> Bool {
        let name = Self.folded(name)
        var at = 0
        var here = 0
        // Where the last `*` stands, and the name's position up to which it reaches so far.
        var star: (pattern: Int, name: Int)?
        while here < name.count {
            if at < pattern.count, pattern[at] == Self.any {
                star = (at, here)
                at += 1
            } else if at < pattern.count, pattern[at] == Self.one || pattern[at] == name[here] {
                at += 1
                here += 1
            } else if let last = star {
                star = (last.pattern, last.name + 1)
                at = last.pattern + 1
                here = last.name + 1
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == Self.any }
    }

    private static let any = UInt32(UInt8(ascii: "*"))
    private static let one = UInt32(UInt8(ascii: "?"))

    private static func folded(_ text: String) -> [UInt32] {
        text.unicodeScalars.map { (0x41...0x5a).contains($0.value) ? $0.value | 0x20 : $0.value }
    }
}
