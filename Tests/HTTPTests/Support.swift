// Ways to feed a parser, shared by the tests of this room.

@testable import HTTP

enum HeadOutcome: Equatable {
    case complete(length: Int, path: String, fields: Int)
    case incomplete
    case refused(FramingFailure)
}

/// Feeds `bytes` in pieces that end at `cuts` and at the end.
func parseHead(_ bytes: [UInt8], cuts: [Int] = [], limits: HeadLimits = HeadLimits()) -> HeadOutcome {
    var parser = RequestHeadParser(limits: limits)
    do {
        for end in cuts + [bytes.count] {
            if let head = try parser.parse(Array(bytes[..<end])) {
                return .complete(length: head.length, path: head.path, fields: head.fieldCount)
            }
        }
        return .incomplete
    } catch {
        return .refused(error)
    }
}

func head(_ text: String) throws -> RequestHead? {
    var parser = RequestHeadParser()
    return try parser.parse(Array(text.utf8))
}
