// Percent-encoding in one path segment, decoded after the path was split (a model's name may hold "/").

/// The decoded segment, or nil when an escape is broken or the result is not UTF-8.
public func percentDecoded(_ segment: some StringProtocol) -> String? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(segment.utf8.count)
    var rest = segment.utf8.makeIterator()
    while let byte = rest.next() {
        guard byte == 0x25 else {
            bytes.append(byte)
            continue
        }
        guard let first = rest.next(), let second = rest.next(), let high = ByteClass.hexValue(first),
            let low = ByteClass.hexValue(second)
        else { return nil }
        bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
}
