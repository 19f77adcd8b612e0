// What the mock is asked to do with one request: written into the last user message, so that it survives
// every translation, and read back from the raw bytes of whatever request arrives.

struct Directive: Equatable {
    /// Tokens of the answer; each is one upstream event.
    var tokens = 16
    /// Pause between writes.
    var delayMilliseconds = 0
    /// Pause before the head of the answer.
    var firstMilliseconds = 0
    /// Tokens in one write.
    var perWrite = 1
    /// What is wrong with the answer, to see that a checker notices.
    var spoil = Spoil.nothing
    /// Names the exchange for the mock's statistics; 0 = nobody asks.
    var id = 0

    enum Spoil: Int {
        case nothing
        /// One token in the middle is another one.
        case text
        /// The stream ends in good order, but without its last events.
        case ending
        /// The connection is closed in the middle.
        case cut
    }

    static let opening: StaticString = "[[bench "

    var text: String {
        var out = "[[bench tokens=\(tokens) per_write=\(perWrite)"
        if delayMilliseconds > 0 { out += " delay_ms=\(delayMilliseconds)" }
        if firstMilliseconds > 0 { out += " first_ms=\(firstMilliseconds)" }
        if spoil != .nothing { out += " spoil=\(spoil.rawValue)" }
        if id > 0 { out += " id=\(id)" }
        return out + "]]"
    }

    /// The last directive in `body`; the defaults when there is none. Numbers out of range are clamped.
    init(lastIn body: Span<UInt8>) {
        guard let start = Bytes.last(Self.opening, in: body) else { return }
        var index = start + Self.opening.utf8CodeUnitCount
        while index < body.count, body[index] != UInt8(ascii: "]") {
            let nameStart = index
            while index < body.count, body[index] >= 0x5F || body[index] == 0x2D { index += 1 }
            let name = nameStart..<index
            guard index < body.count, body[index] == UInt8(ascii: "=") else { return }
            index += 1
            var value = 0
            while index < body.count, (0x30...0x39).contains(body[index]) {
                value = min(value &* 10 &+ Int(body[index] &- 0x30), 100_000_000)
                index += 1
            }
            set(name, of: body, to: value)
            while index < body.count, body[index] == 0x20 { index += 1 }
        }
    }

    init() {}

    private mutating func set(_ name: Range<Int>, of body: Span<UInt8>, to value: Int) {
        if Bytes.equal(body, name, "tokens") { tokens = min(value, 100_000) }
        if Bytes.equal(body, name, "delay_ms") { delayMilliseconds = min(value, 600_000) }
        if Bytes.equal(body, name, "first_ms") { firstMilliseconds = min(value, 600_000) }
        if Bytes.equal(body, name, "per_write") { perWrite = max(1, min(value, 10_000)) }
        if Bytes.equal(body, name, "spoil") { spoil = Spoil(rawValue: value) ?? .nothing }
        if Bytes.equal(body, name, "id") { id = value }
    }
}
