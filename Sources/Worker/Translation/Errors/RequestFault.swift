// What is wrong with a request, before any backend has seen it.

public enum RequestFault: Sendable, Equatable {
    // As HTTP.

    /// Its head or its framing is not what HTTP allows; `status` is HTTP's own for that.
    case framing(status: Int, ErrorWords)
    /// A part of it did not come in time.
    case late(Part)
    /// Of more bytes than are taken.
    case bodyTooLarge(limit: Int)
    /// The body is compressed.
    case bodyEncoded

    // Who asks, and for what.

    /// The key is missing, or not one of ours.
    case invalidKey
    /// The host that it names is not accepted on a loopback listener.
    case foreignHost
    /// It comes from a web page.
    case fromWebPage
    case unknownPath(String)
    /// Method and path of an endpoint that only later versions have.
    case futureEndpoint(String)
    /// This endpoint is for clients on the same machine.
    case localOnly(String)
    /// `allowed` as in the field `allow`.
    case wrongMethod(path: String, allowed: String)
    /// No model of this name is listed.
    case unlistedModel(String)

    // What it says.

    /// A part of the body is not what the client's API defines.
    case malformed(Complaint)
    /// The prompt is longer than the model's window, both in tokens, by the backend's count or by ours.
    case promptTooLong(tokens: Int, window: Int)
    /// No backend of the kind that would get it can be asked this.
    case unsupported(ErrorWords)

    public enum Part: String, Sendable { case head, body }
}

/// What a client's API says of a malformed request. Made by the reader of that API's requests, in its words.
public struct Complaint: Sendable, Equatable {
    let words: ErrorWords
    /// The field that is meant, where the API names it apart from the words.
    let parameter: String?
    /// The API's name of a case that clients tell apart.
    let code: String?

    init(_ words: ErrorWords, parameter: String? = nil, code: String? = nil) {
        self.words = words
        self.parameter = parameter
        self.code = code
    }
}
