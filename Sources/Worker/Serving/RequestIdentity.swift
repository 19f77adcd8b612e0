// Names for exchanges: `req_` and the prefix of a reply, with 24 characters of base 62 from the
// kernel's generator.

internal import CSystem
internal import EventLoop
internal import Translation

@Loop
enum RequestIdentity {
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    nonisolated static let length = 24

    /// Random bytes fetched some hundred at a time: a system call per name would cost more than the name.
    private static var pool: [UInt8] = []
    private static var used = 0

    static func request() -> String { name("req_") }
    static func reply(_ api: ClientAPI) -> String { name(api.replyIDPrefix) }

    private static func name(_ prefix: String) -> String {
        let (prefix, letters) = (prefix.utf8, alphabet)
        let whole = prefix.count + length
        return String(unsafeUninitializedCapacity: whole) { bytes in
            var at = bytes.initialize(fromContentsOf: prefix)
            while at < whole {
                let random = nextRandom()
                // Of these numbers every remainder is equally likely.
                guard random < 248 else { continue }
                bytes.initializeElement(at: at, to: letters[Int(random % 62)])
                at += 1
            }
            return whole
        }
    }

    private static func nextRandom() -> UInt8 {
        if used >= pool.count { refill() }
        defer { used += 1 }
        return pool[used]
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
