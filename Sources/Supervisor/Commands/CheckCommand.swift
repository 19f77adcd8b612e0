// `dragoman check`: every mistake of the configuration at once, or the effective one, secrets hidden.

import Glibc
import Shared

enum CheckCommand {
    static func run(_ given: String?) -> Int32 {
        do throws(Mistake) {
            let source = try ConfigurationSource.find(given)
            switch Configuration.parse(source.text, name: source.name, secrets: .visible(.process)) {
            case .bad(let mistakes):
                report(mistakes)
                return ExitStatus.configuration
            case .good(let configuration):
                say("# \(source.shownName): no mistakes")
                var notes = configuration.notes + configuration.hints
                // The service may see what this shell does not; whoever checks shall know that nobody looked.
                for (key, failure) in SecretCheck.required(.process).problems(of: configuration) {
                    notes.append("\(key) was not checked: \(failure)")
                }
                // Whoever checks as root, or the system's own file, does so for the service.
                if geteuid() == 0 || source.name == ConfigurationSource.systemPath {
                    notes += SecretCheck.unreadableForService(in: configuration)
                }
                for note in notes { say("# note: \(note)") }
                say(configuration.effectiveText())
                return ExitStatus.success
            }
        } catch {
            report([error])
            return ExitStatus.configuration
        }
    }

    /// One mistake a line, as editors and scripts read them: `file:line: key: …`.
    static func report(_ mistakes: [Mistake]) {
        for mistake in mistakes { complainPlainly(mistake.description) }
    }
}
