// Slots and queue under a limit of open files.

import Testing

@testable import Supervisor

@Suite("Open files") struct OpenFilesTests {
    @Test("a limit of open files that is too low costs slots and is said; one that is enough is not")
    func openFiles() {
        let enough = OpenFiles(slots: 1024, limit: OpenFiles.needed(slots: 1024))
        #expect(enough.slots == 1024 && enough.warning == nil)
        let short = OpenFiles(slots: 1024, limit: 1024)
        #expect(short.slots == 448)
        #expect(short.warning?.contains("LimitNOFILE=") == true)
        #expect(short.warning?.contains("\(OpenFiles.needed(slots: 1024))") == true)
        #expect(OpenFiles(slots: 1024, limit: 10).slots == 1)
        #expect(
            [10, 64, 1024, 1 << 20].map { OpenFiles(slots: 1024, limit: $0).queue } == [2, 16, 256, 1024])
    }

    @Test("few open files are used, not reserved")
    func fewOpenFiles() {
        #expect([32, 64, 256, 512].map { OpenFiles(slots: 1024, limit: $0).slots } == [10, 24, 96, 192])
    }
}
