// One request under way, as its exchange sees it: facts that can be read at any time. Each change signals
// the exchange's wakeup; nothing is delivered by callback.

public import EventLoop

/// A request to a backend. The client keeps it running until it has ended: what is no longer wanted must
/// be cancelled. Not taking bytes is the backpressure: at `bufferLimit` the transfer pauses by itself, the
/// backend's sends block, and taking the bytes lets it go on.
@Loop
public final class Transfer {
    /// Bytes of the answer kept for the receiver before the transfer pauses; one receive of libcurl
    /// (16 KiB) may be held back by libcurl beyond it.
    public static let bufferLimit = 64 << 10

    public internal(set) var times: TransferTimes
    /// Known once the answer's head is complete.
    public internal(set) var head: TransferHead?
    /// Set once; nothing changes afterwards, but bytes may be left to take.
    public internal(set) var end: TransferEnd?

    var buffer: [UInt8] = []
    let wakeup: Wakeup
    let limits: TransferLimits
    /// Not nil while libcurl works for this transfer.
    var handle: EasyHandle?

    init(wakeup: Wakeup, limits: TransferLimits) {
        self.wakeup = wakeup
        self.limits = limits
        times = TransferTimes(started: Loop.now)
    }

    public var hasBytes: Bool { !buffer.isEmpty }

    /// Lends all bytes that have come, then forgets them. The body must not suspend and should not keep the
    /// array, or its storage cannot be used again.
    public func consume<T, Failure: Error>(_ body: ([UInt8]) throws(Failure) -> T) throws(Failure) -> T {
        defer { consumed() }
        return try body(buffer)
    }

    /// All bytes that have come, given away.
    public func takeBytes() -> [UInt8] {
        let taken = buffer
        buffer = []
        handle?.resumeIfPaused()
        return taken
    }

    /// Ends the transfer now: the connection is closed before this returns. Without effect after the end.
    public func cancel() { handle?.abandon(.cancelled) }

    private func consumed() {
        guard let handle else {
            buffer = []
            return
        }
        handle.client.recycle(&buffer)
        handle.resumeIfPaused()
    }
}
