// The configuration's file: a pipe that gives nothing is no configuration. (Slow pipes: the scenarios.)

import Glibc
import Shared
import Testing

@testable import Supervisor

@Suite("Configuration source") struct ConfigurationSourceTests {
    @Test("a pipe that nobody writes to is refused in words, after a while; an empty file means the defaults")
    func nothing() throws {
        var template = Array("/tmp/dragoman-test-XXXXXX".utf8CString)
        _ = try #require(mkdtemp(&template))
        let folder = String(
            decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let (pipe, file) = (folder + "/pipe", folder + "/file")
        defer {
            for path in [pipe, file] { unlink(path) }
            rmdir(folder)
        }
        try #require(mkfifo(pipe, 0o600) == 0)
        let mistake = #expect(throws: Mistake.self) {
            try ConfigurationSource.read(pipe, patience: .milliseconds(20))
        }
        #expect(mistake?.text == "expected a configuration, found a pipe with nothing coming for 20ms")
        close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
        #expect(try ConfigurationSource.read(file).text == [])
        #expect(try ConfigurationSource.read("/dev/null").text == [])
    }
}
