// What reading documents may cost. Each bounds a buffer, a wait or a process; none is a setting.

enum DocumentLimits {
    /// For one document.
    static let time = Duration.seconds(10)
    /// All documents of one request may take so much longer: one that has used up its own time is known then.
    static let moreForAll = Duration.seconds(1)
    /// Base64 text of a document that is read at all, in bytes.
    static let input = 24 << 20
    /// Text taken of a document, in bytes; more than most context windows hold.
    static let text = 1 << 20
    /// Programs running at once, per worker.
    static let running = 2
    /// Documents that may wait for one, per worker.
    static let waiting = 64
    /// What was read is remembered for so many documents and bytes.
    static let remembered = 128
    static let rememberedBytes = 8 << 20
    /// Named, decoded or copied in one turn of the loop, in bytes.
    static let piece = 256 << 10
    /// Of the program: processor time in seconds, address space in bytes.
    static let processor: UInt64 = 10
    static let memory: UInt64 = 1 << 30
    /// How long an ended program is waited for after it was killed.
    static let farewell = Duration.seconds(5)
}
