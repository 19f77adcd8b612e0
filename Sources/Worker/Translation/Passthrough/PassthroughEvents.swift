// What one API of clients has to say of its own frames, so that they can be handed through: one conformer per
// API, in its folder under Clients.

import JSON

/// What a frame means for the exchange.
enum PassthroughMeaning {
    /// Says nothing of the answer: a comment, a sign of life.
    case idle
    /// Belongs to the answer.
    case part
    /// Belongs to the answer; this range of its data is the model's name, with quotes.
    case named(Range<Int>)
    /// Belongs to the answer, and the client has been told the same before.
    case repeated
    /// The client's API does not know it.
    case foreign
    case failed(Failure)
    /// The last frame.
    case end

    /// Belongs to the answer, and may say which model gives it.
    /// - Parameters:
    ///   - node: the name of the model.
    ///   - model: as the client named it.
    ///   - offset: where the text of `node` begins in the frame's data.
    static func part(_ node: JSONNode?, model: String, offset: Int) -> PassthroughMeaning {
        guard let node, node.isString, node.string != model else { return .part }
        return .named(node.rawRange.lowerBound &+ offset..<node.rawRange.upperBound &+ offset)
    }
}

/// Reads the frames of one answer in the client's own API. Reads; changes nothing.
protocol PassthroughEvents: Sendable {
    /// How the API writes errors.
    associatedtype Client: ClientDialect

    /// - Parameters:
    ///   - model: as the client named it.
    ///   - isStarted: the client has the first event of a stream already.
    init(model: String, isStarted: Bool)

    /// As the backend counted; zeros where it said nothing.
    var usage: Usage { get }
    /// The backend said why it stopped: what is missing after that is no content.
    var hasStopped: Bool { get }

    /// Whether a frame belongs to the answer and need not be read: nearly all of a stream should.
    /// - Parameters:
    ///   - name: of the event.
    ///   - data: what it brings.
    static func isPlainPart(_ name: ArraySlice<UInt8>, _ data: ArraySlice<UInt8>) -> Bool
    /// - Parameter offset: where `root` begins in the frame's data.
    mutating func read(_ root: JSONNode, offset: Int) -> PassthroughMeaning
    /// The word `[DONE]`.
    func readDone() -> PassthroughMeaning
    /// A whole answer, not a stream: the model's name and what was counted.
    /// - Returns: nil when this is no answer of this API.
    mutating func read(whole root: JSONNode) -> PassthroughMeaning?

    /// A sign of life.
    static var ping: StaticString { get }
    /// What ends a stream whose backend said why it stopped and left out the last frame; nil = such a stream
    /// is not whole.
    static var end: StaticString? { get }
    /// What goes before an error, so that clients keep what they have.
    func appendClosing(to out: inout [UInt8])
    /// A whole answer as the frames it would have come in.
    static func append(whole root: JSONNode, model: String, isStarted: Bool, to out: inout [UInt8])
}

extension [UInt8] {
    /// Appends a JSON text without its line ends, which can only be white space there.
    mutating func append(oneLine json: [UInt8]) {
        append(contentsOf: json.lazy.filter { $0 != Ascii.lineFeed && $0 != Ascii.carriageReturn })
    }
}
