// Asks the supervisor what `dragoman status --json` would say, for clients that ask by HTTP. Holds: every wait
// ends in time, every text is bounded.

internal import EventLoop
internal import Shared

@Loop
final class StatusDesk {
    /// The supervisor answers at once, unless it is in trouble.
    static let patience = Duration.seconds(2)
    /// Longest text, in bytes.
    static let longest = 16 << 20

    @Loop
    private final class Question {
        var text: [UInt8] = []
        var isWhole = false
        let wakeup = Wakeup()
    }

    private let send: @Loop (WorkerMessage) -> Void
    private var questions: [UInt64: Question] = [:]
    private var lastToken: UInt64 = 0

    /// - Parameter send: to the supervisor.
    init(send: @escaping @Loop (WorkerMessage) -> Void) { self.send = send }

    /// The whole JSON text; nil when it did not come in time.
    func ask() async -> [UInt8]? {
        lastToken &+= 1
        let (token, question) = (lastToken, Question())
        questions[token] = question
        defer { questions[token] = nil }
        send(.askStatus(token: token))
        let deadline = Loop.now.advanced(by: Self.patience)
        while !question.isWhole {
            if await question.wakeup.wait(until: deadline) { return nil }
        }
        return question.text.count <= Self.longest ? question.text : nil
    }

    func received(_ token: UInt64, _ json: String, isLast: Bool) {
        guard let question = questions[token] else { return }
        if question.text.count <= Self.longest { question.text.append(contentsOf: json.utf8) }
        question.isWhole = isLast
        if isLast { question.wakeup.signal() }
    }
}
