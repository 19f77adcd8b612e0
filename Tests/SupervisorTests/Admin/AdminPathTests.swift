// Where the admin socket lies and is looked for.

import Testing

@testable import Supervisor

@Suite("Admin path") struct AdminPathTests {
    @Test("where the admin socket lies and is looked for")
    func adminPath() {
        func own(_ user: UInt32, _ variables: [String: String]) -> String {
            AdminPath.own(user: user) { variables[$0] }
        }
        #expect(own(7, ["RUNTIME_DIRECTORY": "/run/a:/b", "XDG_RUNTIME_DIR": "/x"]) == "/run/a/admin.sock")
        #expect(own(0, ["XDG_RUNTIME_DIR": "/x"]) == "/x/dragoman/admin.sock")
        #expect(own(0, [:]) == "/run/dragoman/admin.sock")
        #expect(own(0, ["XDG_RUNTIME_DIR": "relative"]) == "/run/dragoman/admin.sock")
        #expect(own(1000, [:]) == "/tmp/dragoman-1000/admin.sock")
        #expect(
            AdminPath.candidates(user: 1000) { _ in nil }
                == ["/tmp/dragoman-1000/admin.sock", "/run/dragoman/admin.sock"])
        #expect(AdminPath.candidates(user: 0) { _ in nil } == ["/run/dragoman/admin.sock"])
        let unit = AdminPath.candidates(user: 1000) { $0 == "RUNTIME_DIRECTORY" ? "/run/a" : nil }
        #expect(unit == ["/run/a/admin.sock"])
    }
}
