// What of a client's request head goes along to a backend that speaks the client's API.

internal import HTTP
internal import Translation

extension MessagesHead {
    /// What of a request's head a backend of the same API gets to see.
    init(_ head: RequestHead) {
        let isBeta = head.query?.split(separator: "&").contains("beta=true") == true
        self.init(
            version: head.fieldText("anthropic-version"), betas: head.fieldTexts("anthropic-beta"),
            isBeta: isBeta)
    }
}
