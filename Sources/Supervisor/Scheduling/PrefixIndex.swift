// Which backend has seen which beginning of a prompt. Pure. Holds: at most `maximum` marks, for all backends
// together; at most `backends` backends.

import Shared

struct PrefixIndex: Sendable {
    /// The marks of some two thousand conversations; about 4 MB.
    static let maximum = 65_536
    /// One bit of a mask each.
    static let backends = 64

    private var masks = RecentTable<UInt64, UInt64>(limit: maximum)

    var count: Int { masks.count }

    /// For each backend the tokens of the longest beginning that it has seen, by its bit.
    func longest(_ marks: [PrefixMark], into tokens: inout [UInt32]) {
        for bit in tokens.indices { tokens[bit] = 0 }
        var seen: UInt64 = 0
        for mark in marks.reversed() {
            guard let mask = masks.value(mark.digest) else { continue }
            var new = mask & ~seen
            seen |= mask
            while new != 0 {
                let bit = new.trailingZeroBitCount
                new &= new &- 1
                if bit < tokens.count { tokens[bit] = mark.tokens }
            }
        }
    }

    /// This backend is reading this prompt. Of a conversation that goes on only what is new is added: its older marks
    /// may be forgotten, for each of its prompts has the newer ones.
    mutating func add(_ marks: [PrefixMark], bit: Int, at now: MonotonicInstant) {
        guard (0..<Self.backends).contains(bit), let root = marks.first else { return }
        let own: UInt64 = 1 << UInt64(bit)
        masks.update(root.digest, at: now, initial: 0) { $0 |= own }
        for mark in marks.dropFirst().reversed() {
            var wasThere = false
            masks.update(mark.digest, at: now, initial: 0) { mask in
                wasThere = mask & own != 0
                mask |= own
            }
            if wasThere { return }
        }
    }

    /// The backend is gone, or has begun anew.
    mutating func forget(bit: Int) {
        guard (0..<Self.backends).contains(bit) else { return }
        masks.changeAll { $0 &= ~(1 << UInt64(bit)) }
    }
}
