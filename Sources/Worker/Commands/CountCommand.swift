// `dragoman-worker count`: how many tokens a request is estimated to have before anything was learnt of its
// model; offline, for support and for the tests of the estimate. One number per file, in order.

internal import Glibc
internal import Translation

enum CountCommand {
    static let usage = "usage: dragoman-worker count [FILE|-]…   (bodies of Messages requests)"

    /// What the command says and how it ends.
    struct Outcome: Equatable {
        /// As sysexits.h: 0, EX_DATAERR.
        var status: Int32 = 0
        var output = ""
        /// Lines for the standard error.
        var notes: [String] = []

        static let badData: Int32 = 65

        mutating func add(_ body: [UInt8], named name: String) {
            do throws(Failure) {
                output += "\(try MessagesRequest(parsingCount: body).estimatedInputTokens)\n"
            } catch {
                status = Self.badData
                let error = error.error(for: .messages)
                notes.append("\(name): \(error.status) \(error.type): \(error.message)")
            }
        }
    }

    /// - Parameter words: what stands behind `count`.
    static func run(_ words: [String]) -> Never {
        if words.contains("--help") || words.contains("-h") {
            let isWritten = TranslateCommand.write(Array((usage + "\n").utf8), to: STDOUT_FILENO)
            exit(isWritten ? 0 : TranslateCommand.brokenOutput)
        }
        if let option = words.first(where: { $0.hasPrefix("-") && $0 != "-" }) {
            TranslateCommand.say(["unknown option \(option)", usage])
            exit(TranslateCommand.usage)
        }
        var outcome = Outcome()
        do throws(TranslateMistake) {
            for name in words.isEmpty ? ["-"] : words {
                outcome.add(try TranslateCommand.input(name == "-" ? nil : name), named: name)
            }
        } catch {
            TranslateCommand.say([error.text])
            exit(TranslateCommand.noInput)
        }
        TranslateCommand.say(outcome.notes.map(TranslateCommand.shown))
        let isWritten = TranslateCommand.write(Array(outcome.output.utf8), to: STDOUT_FILENO)
        exit(isWritten ? outcome.status : TranslateCommand.brokenOutput)
    }
}
