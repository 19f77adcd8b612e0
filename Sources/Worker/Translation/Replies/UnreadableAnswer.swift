// Errors of answers of which a part cannot be read. None quotes what came: half an answer belongs in no error
// message.

extension ClientError {
    /// Something of the answer is lost.
    static let eventUnreadable = ClientError.backend(502, .api, "sent an event that cannot be read.")

    /// A tool call came with arguments that are none, and none are made up for it.
    static func argumentsUnreadable(of tool: String) -> ClientError {
        .backend(502, .api, "called the tool \(Excerpt.shown(tool)) with arguments that cannot be read.")
    }
}
