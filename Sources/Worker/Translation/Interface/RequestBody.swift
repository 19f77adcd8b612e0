// A request's body as JSON, before anything of it is understood: for large ones a step of its own.

import JSON

/// The parsed text, or why it is none. Each client API has its own words for that.
public struct RequestBody: Sendable {
    let document: Result<JSONDocument, JSONError>
    /// Its size in bytes.
    let count: Int

    public init(_ bytes: [UInt8]) {
        count = bytes.count
        do throws(JSONError) {
            document = .success(try JSONDocument(parsing: bytes))
        } catch {
            document = .failure(error)
        }
    }
}
