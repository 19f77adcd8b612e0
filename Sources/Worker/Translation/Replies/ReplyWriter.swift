// What a client's API has to be able to write, so that a translated reply can be told in it: one conformer
// per API, in its folder under Clients.

/// Whether a reply leaves as events or as one document.
enum ReplyForm: Sendable { case events, message }

/// Writes one reply in the words of a client's API. Known by its type, not found out anew with every delta:
/// what is generic over it is specialised.
/// Holds: the reply is started once; nothing is written behind `finish` and `fail`.
protocol ReplyWriter: Sendable {
    /// Of ids for tool calls that came without one.
    static var callIDPrefix: String { get }
    /// What a stream begins with names nothing that its backend decides: it may stand before the choice of one.
    static var opensEarly: Bool { get }

    var form: ReplyForm { get }
    /// Bytes that may leave now; of a whole message also those that wait for its end.
    var output: [UInt8] { get }
    /// Bytes that are held, to be sent now or at the end.
    var pending: Int { get }
    var hasStarted: Bool { get }
    /// No text, no reasoning, no call was written.
    var hasSaidNothing: Bool { get }

    /// - Parameter usage: what is known so far of the counts.
    mutating func start(_ usage: Usage)
    /// Text of the answer. An empty one does nothing.
    mutating func text(_ text: ArraySlice<UInt8>)
    mutating func reasoning(_ text: ArraySlice<UInt8>)
    /// A whole tool call; `input` is the text of one JSON object.
    mutating func toolCall(id: String, name: String, input: [UInt8])
    /// A sign of life, also before the start.
    mutating func ping()
    /// The end of a complete reply.
    mutating func finish(_ reason: StopReason, _ usage: Usage)
    /// The end of a reply that failed. Of a whole message nothing stays.
    mutating func fail(_ failure: Failure, requestID: String)

    /// Hands the bytes over and starts anew.
    mutating func takeOutput() -> [UInt8]
    /// Room for so many bytes more. What is collected for long grows by doubling, or it would be copied with
    /// every piece.
    mutating func reserve(_ bytes: Int)
    mutating func discardOutput()
}
