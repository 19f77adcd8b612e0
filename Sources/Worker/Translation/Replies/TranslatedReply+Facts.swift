// What is known of a reply beside its bytes.

extension TranslatedReply {
    public var usage: Usage { composer.usage }
    /// Tokens of the prompt as the backend itself counted them; nil where it did not.
    public var reportedInput: Int? { composer.reportedInput }

    /// What was put right in this reply, by name.
    public var repairs: [String] { composer.repairs }

    /// Something of an answer has come.
    public var hasBegun: Bool { !composer.isBlank }

    /// The model has stopped; only counts and the end of the framing can still come.
    public var hasStopped: Bool { wantsMore && composer.stop != nil }
}
