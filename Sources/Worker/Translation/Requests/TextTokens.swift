// How many tokens a text has, without a tokenizer: a pass over lengths.

enum TextTokens {
    /// Of texts in modern vocabularies: about 3.7 ASCII characters a token in prose, code and JSON taken
    /// together, and two and a half bytes of other scripts.
    static func estimate(_ bytes: ArraySlice<UInt8>) -> Int {
        let wide = bytes.span.countOfHighBytes
        return ((bytes.count - wide) * 10 + 36) / 37 + wide * 2 / 5
    }
}

extension Span<UInt8> {
    /// Bytes from 0x80 up, eight at a time.
    fileprivate var countOfHighBytes: Int {
        var total = 0
        var at = 0
        let raw = self.bytes
        while at &+ 8 <= count {
            let word = raw.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
            total &+= (word & 0x8080_8080_8080_8080).nonzeroBitCount
            at &+= 8
        }
        while at < count {
            total &+= self[at] >> 7 == 1 ? 1 : 0
            at &+= 1
        }
        return total
    }
}
