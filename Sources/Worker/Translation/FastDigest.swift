// A digest of 64 bits for what is compared and not trusted: prompts that begin alike, requests that are sent again.
// The same in every process. Sixteen bytes for one multiplication of 64 by 64 bits, both halves of the product
// folded together, as in wyhash: 200 KB cost some hundredth of a millisecond.

public struct FastDigest: Sendable {
    private static let secrets: (UInt64, UInt64) = (0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db)

    private var state: UInt64

    public init(_ start: UInt64 = 0) { state = start ^ Self.secrets.0 }

    /// Never 0, which stands for none.
    public var value: UInt64 { state == 0 ? 1 : state }

    @inline(__always)
    private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    @inline(__always)
    public mutating func add(_ number: UInt64) {
        state = Self.mix(state ^ number, Self.secrets.1)
    }

    /// The bytes and their count: `ab`, `c` is not `a`, `bc`.
    public mutating func add(_ bytes: ArraySlice<UInt8>) {
        unsafe bytes.withUnsafeBytes { unsafe add(raw: $0) }
    }

    private mutating func add(raw bytes: UnsafeRawBufferPointer) {
        let count = bytes.count
        var at = 0
        var digest = state
        while count &- at >= 16 {
            // In bounds by the condition.
            let left = unsafe bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            let right = unsafe bytes.loadUnaligned(fromByteOffset: at &+ 8, as: UInt64.self)
            digest = Self.mix(left ^ Self.secrets.0, right ^ digest)
            at &+= 16
        }
        var (left, right): (UInt64, UInt64) = (0, 0)
        var shift: UInt64 = 0
        while at < count {
            let byte = unsafe UInt64(bytes[at])
            if shift < 64 { left |= byte &<< shift } else { right |= byte &<< (shift &- 64) }
            shift &+= 8
            at &+= 1
        }
        digest = Self.mix(left ^ Self.secrets.0, right ^ digest)
        state = Self.mix(digest ^ UInt64(truncatingIfNeeded: count), Self.secrets.1)
    }

    /// Of these bytes alone.
    public static func of(_ bytes: some Collection<UInt8>) -> UInt64 {
        var digest = FastDigest()
        digest.add(Array(bytes)[...])
        return digest.value
    }

    public static func of(_ bytes: [UInt8]) -> UInt64 {
        var digest = FastDigest()
        digest.add(bytes[...])
        return digest.value
    }
}
