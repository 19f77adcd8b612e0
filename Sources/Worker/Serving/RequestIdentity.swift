// Names for exchanges: `req_`, `msg_`, `chatcmpl-`, `toolu_` with 24 characters of base 62 from the kernel's generator.

internal import CSystem
internal import EventLoop

@Loop
enum RequestIdentity {
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    static let length = 24

    /// Random bytes fetched some hundred at a time: a system call per name would cost more than the name.
    private static var pool: [UInt8] = []
    private static var used = 0

    static func request() -> String { name("req_") }
    static func message() -> String { name("msg_") }
    static func completion() -> String { name("chatcmpl-") }
    static func toolCall() -> String { name("toolu_") }

    private static func name(_ prefix: String) -> String {
        var bytes = Array(prefix.utf8)
        bytes.reserveCapacity(bytes.count + length)
        for _ in 0..<length { bytes.append(alphabet[Int(next())]) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A number below 62, every one equally likely.
    private static func next() -> UInt8 {
        while true {
            if used >= pool.count { refill() }
            let byte = pool[used]
            used += 1
            if byte < 248 { return byte % 62 }
        }
    }

    private static func refill() {
        pool = [UInt8](repeating: 0, count: 960)
        used = 0
        // getrandom(2) fails only before the kernel has any entropy; names must differ even then.
        if cs_random(&pool, pool.count) != 0 {
            var seed = cs_now()
            for index in pool.indices {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                pool[index] = UInt8(truncatingIfNeeded: seed >> 56)
            }
        }
    }
}
