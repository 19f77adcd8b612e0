// `dragoman-worker translate`: what a backend would be sent for a request, and what would be left out;
// offline, for support. Holds: the same conversion as for a client; nothing is sent anywhere.

internal import Glibc
internal import JSON
internal import Translation

/// The command line of `translate`, judged.
struct TranslateArguments: Equatable {
    var profile = Profile.openaiCompatible.name
    var dialect = Dialect.openAI
    /// The backend's name of the model; nil = as the request says.
    var model: String?
    /// nil = the standard input.
    var file: String?
    var isRaw = false

    static let usage = """
        usage: dragoman-worker translate --from anthropic --to \(words.joined(separator: "|")) [--profile NAME] [--model NAME] [--raw] [FILE|-]
        profiles: \(profiles.joined(separator: " "))
        """

    /// What a request can be converted to. Its own dialect is no conversion.
    private static let dialects = Dialect.allCases.filter { $0 != ClientAPI.messages.passthrough }
    private static let words = dialects.map(\.rawValue)

    static let profiles = Profile.all.values.filter { dialects.contains($0.dialect) }.map(\.name).sorted()

    /// - Parameter words: what stands behind `translate`.
    /// - Throws: what is wrong with them, in one line.
    init(_ words: [String]) throws(TranslateMistake) {
        var words = words[...]
        var dialects: [String: String] = [:]
        var files: [String] = []
        var named: String?
        while let word = words.popFirst() {
            switch word {
            case "--from", "--to": dialects[word] = try Self.value(of: word, &words)
            case "--profile": named = try Self.value(of: word, &words)
            case "--model": model = try Self.value(of: word, &words)
            case "--raw": isRaw = true
            case "-": files.append(word)
            case _ where word.hasPrefix("-"): throw TranslateMistake("unknown option \(word)")
            default: files.append(word)
            }
        }
        guard dialects["--from"] == "anthropic" else { throw TranslateMistake("expected --from anthropic") }
        guard let to = dialects["--to"].flatMap(Dialect.init), Self.dialects.contains(to) else {
            throw TranslateMistake("expected " + Self.words.map { "--to \($0)" }.joined(separator: " or "))
        }
        dialect = to
        if let named {
            guard Self.profiles.contains(named), let found = Profile.named(named) else {
                throw TranslateMistake("unknown profile \(named)")
            }
            guard found.dialect == to else {
                throw TranslateMistake("profile \(named) does not speak \(to.rawValue)")
            }
            profile = named
        } else if let own = to.profile {
            profile = own.name
        }
        guard model != "" else { throw TranslateMistake("--model is empty") }
        guard files.count < 2 else { throw TranslateMistake("expected one file, found \(files.count)") }
        file = files.first == "-" ? nil : files.first
    }

    private static func value(
        of option: String, _ words: inout ArraySlice<String>
    ) throws(TranslateMistake) -> String {
        guard let value = words.popFirst() else { throw TranslateMistake("\(option) needs a value") }
        return value
    }
}

struct TranslateMistake: Error, Equatable {
    let text: String

    init(_ text: String) { self.text = text }
}

/// What the command says and how it ends.
struct TranslateOutcome: Equatable {
    /// As sysexits.h: 0, EX_DATAERR.
    var status: Int32 = 0
    var output: [UInt8] = []
    /// Lines for the standard error.
    var notes: [String] = []

    static let badData: Int32 = 65

    init(_ body: [UInt8], _ arguments: TranslateArguments) {
        do throws(Failure) { try convert(body, arguments) } catch {
            status = Self.badData
            let error = error.error(for: .messages)
            notes.append("\(error.status) \(error.type): \(error.message)")
        }
    }

    private mutating func convert(_ body: [UInt8], _ arguments: TranslateArguments) throws(Failure) {
        let request = try MessagesRequest(parsing: body)
        if request.localAnswer != nil {
            notes.append(
                "note: dragoman answers this request itself; what a backend would be sent otherwise:")
        }
        let profile = (Profile.named(arguments.profile) ?? .openaiCompatible).speaking(arguments.dialect)
        let call = try request.converted(
            for: UpstreamTarget(model: arguments.model ?? request.model, profile: profile))
        notes.append("POST \(call.path)")
        notes += call.omissions.map { "left out: \($0.path): \($0.reason)" }
        output = arguments.isRaw ? call.body : PrettyJSON.text(call.body)
        output.append(0x0A)
    }
}

/// The command itself: reading and writing.
enum TranslateCommand {
    static let usage: Int32 = 64
    static let noInput: Int32 = 66
    static let brokenOutput: Int32 = 74
    /// Largest request read, in bytes; more than the service takes by default.
    private static let inputLimit = 64 << 20

    /// - Parameter words: what stands behind `translate`.
    static func run(_ words: [String]) -> Never {
        if words.contains("--help") || words.contains("-h") {
            exit(write(Array((TranslateArguments.usage + "\n").utf8), to: STDOUT_FILENO) ? 0 : brokenOutput)
        }
        let arguments: TranslateArguments
        do throws(TranslateMistake) { arguments = try TranslateArguments(words) } catch {
            say([error.text, TranslateArguments.usage])
            exit(usage)
        }
        let body: [UInt8]
        do throws(TranslateMistake) { body = try input(arguments.file) } catch {
            say([error.text])
            exit(noInput)
        }
        let outcome = TranslateOutcome(body, arguments)
        // The notes first: on a terminal they stand above what they speak of.
        say(outcome.notes.map(Self.shown))
        exit(write(outcome.output, to: STDOUT_FILENO) ? outcome.status : brokenOutput)
    }

    static func input(_ file: String?) throws(TranslateMistake) -> [UInt8] {
        let descriptor = file.map { open($0, O_RDONLY | O_CLOEXEC) } ?? STDIN_FILENO
        let name = file ?? "the standard input"
        guard descriptor >= 0 else { throw TranslateMistake("\(name): \(String(cString: strerror(errno)))") }
        defer { if file != nil { close(descriptor) } }
        var body: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw TranslateMistake("\(name): \(String(cString: strerror(errno)))") }
            if count == 0 { return body }
            body += part[..<count]
            guard body.count <= inputLimit else {
                throw TranslateMistake("\(name): more than \(inputLimit >> 20) MiB")
            }
        }
    }

    /// Names in a request come from anywhere; a terminal gets no control characters.
    static func shown(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let category = scalar.properties.generalCategory
            result.unicodeScalars.append(category == .control || category == .format ? "?" : scalar)
        }
        return result
    }

    static func say(_ lines: [String]) {
        let text = lines.map { $0 + "\n" }.joined()
        _ = write(Array(text.utf8), to: STDERR_FILENO)
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
