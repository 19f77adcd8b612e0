// What the frames of a stream that is handed through mean for the exchange, as far as it is the same in all
// APIs: errors, the end, and what is no JSON. Reads; changes nothing.

import JSON

struct PassthroughReader<Events: PassthroughEvents>: Sendable {
    private typealias Errors = PassthroughFaults<Events.Client>

    private(set) var events: Events
    private var parser = JSONParser()

    /// - Parameters:
    ///   - model: as the client named it.
    ///   - isStarted: the client has the first event of a stream already.
    init(model: String, isStarted: Bool) { events = Events(model: model, isStarted: isStarted) }

    /// - Parameter isWhole: false for what the end of the body left; then what is no whole JSON text is
    ///   foreign.
    mutating func read(_ frame: PassthroughFrames.Frame, of frames: PassthroughFrames, isWhole: Bool)
        -> PassthroughMeaning
    {
        switch frame.kind {
        case .empty: return isWhole ? .idle : .foreign
        case .data: break
        case .tooLarge: return .failed(.backend(.unusable(.tooLarge)))
        case .errorField: return .failed(.upstream(Errors.named(data: frames.buffer[frame.data])))
        case .unframed:
            guard let root = try? parser.parse(frames.buffer, range: frame.data) else { return .foreign }
            return Errors.inside(root).map { .failed(.upstream($0)) } ?? .foreign
        }
        let bytes = frame.isJoined ? frames.joined : frames.buffer
        let name = frames.buffer[frame.event]
        if isWhole, Events.isPlainPart(name, bytes[frame.data]) { return .part }
        if name.elementsEqual("error".utf8) {
            return .failed(.upstream(Errors.named(data: bytes[frame.data])))
        }
        guard let root = try? parser.parse(bytes, range: frame.data) else {
            if isDone(bytes[frame.data]) { return events.readDone() }
            return isWhole ? odd(bytes[frame.data]) : .foreign
        }
        if let fault = Errors.inside(root) { return .failed(.upstream(fault)) }
        return events.read(root, offset: frame.data.lowerBound)
    }

    /// What is no JSON passes if nothing of the answer is lost with it: words, what comes after the model has
    /// stopped, and raw bytes in a text that clients make something of.
    private mutating func odd(_ data: ArraySlice<UInt8>) -> PassthroughMeaning {
        let text = data.drop(while: Ascii.isSpace)
        if events.hasStopped || OpenAIChunkReader.isWord(text) { return .part }
        return (try? parser.parse(JSONRepair.mended(text)[...])) == nil
            ? .failed(.backend(.unusable(.event))) : .part
    }

    private func isDone(_ data: ArraySlice<UInt8>) -> Bool {
        data.drop(while: Ascii.isSpace).starts(with: "[DONE]".utf8)
    }

    /// - Returns: nil when this is no answer of this API.
    mutating func read(whole root: JSONNode) -> PassthroughMeaning? { events.read(whole: root) }
}
