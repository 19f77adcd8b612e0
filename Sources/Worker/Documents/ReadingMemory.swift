// What was read of documents, the least used forgotten first. Pure.

internal import Translation

struct ReadingMemory {
    private struct Entry {
        let reading: PDFReading
        var used: UInt64
    }

    private let limit: Int
    private let byteLimit: Int
    private var entries: [String: Entry] = [:]
    private var clock: UInt64 = 0
    private(set) var bytes = 0

    init(_ limit: Int, bytes: Int) {
        self.limit = limit
        byteLimit = bytes
    }

    var count: Int { entries.count }

    mutating func recall(_ name: String) -> PDFReading? {
        clock &+= 1
        entries[name]?.used = clock
        return entries[name]?.reading
    }

    mutating func keep(_ reading: PDFReading, _ name: String) {
        clock &+= 1
        if let old = entries[name] { bytes -= old.reading.size }
        entries[name] = Entry(reading: reading, used: clock)
        bytes += reading.size
        while entries.count > limit || bytes > byteLimit, entries.count > 1,
            let oldest = entries.min(by: { $0.value.used < $1.value.used })
        {
            entries[oldest.key] = nil
            bytes -= oldest.value.reading.size
        }
    }
}
