// Own sockets: a dead one's file is replaced, a live one's is not, and closing leaves nothing behind.

import CSystem
import Glibc
import Shared
import Testing

@testable import Supervisor

private func folder() throws -> String {
    var template = Array("/tmp/dragoman-test-XXXXXX".utf8CString)
    _ = try #require(mkdtemp(&template))
    return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

@Suite("Listeners") struct ListenerTests {
    @Test("a Unix socket is made with its mode, refuses a second owner, and goes with its listener")
    func unix() throws {
        let path = try folder() + "/s.sock"
        let listener = try Listeners.bind(path: path, name: "admin", mode: 0o600)
        var facts = stat()
        #expect(lstat(path, &facts) == 0 && facts.st_mode & 0o777 == 0o600)
        #expect(listener.scope == .unix && listener.address == "unix:\(path)")
        let failure = #expect(throws: ListenFailure.self) {
            try Listeners.bind(path: path, name: "x", mode: nil)
        }
        #expect(failure?.reason == "cannot listen on unix:\(path): another process listens there")
        listener.close()
        #expect(!exists(path))
        listener.close()
        rmdir(String(path.dropLast("/s.sock".count)))
    }

    @Test("the file of a socket whose owner has died is replaced")
    func stale() throws {
        let path = try folder() + "/s.sock"
        let address = try #require(SocketAddress(path: path))
        let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #expect(address.with { bind(dead, $0, $1) } == 0)
        close(dead)
        #expect(exists(path))
        let listener = try Listeners.bind(path: path, name: "unix", mode: nil)
        #expect(exists(path))
        listener.close()
        rmdir(String(path.dropLast("/s.sock".count)))
    }

    @Test("a file that is no socket is left alone")
    func file() throws {
        let path = try folder() + "/s.sock"
        let made = open(path, O_CREAT | O_WRONLY, 0o600)
        #expect(made >= 0)
        close(made)
        let failure = #expect(throws: ListenFailure.self) {
            try Listeners.bind(path: path, name: "x", mode: nil)
        }
        #expect(failure?.reason.hasSuffix("a file that is not a socket is in the way") == true)
        #expect(exists(path))
        unlink(path)
        rmdir(String(path.dropLast("/s.sock".count)))
    }

    @Test("TCP: a port in use is told with what to do; loopback access refuses what is not loopback")
    func tcp() throws {
        let listeners = try Listeners.bound([.tcp(host: "127.0.0.1", port: 0)])
        let listener = try #require(listeners.clients.first)
        let port = try #require(listener.address.split(separator: ":").last.flatMap { UInt16($0) })
        #expect(listener.scope == .loopback && port > 0)
        let failure = #expect(throws: ListenFailure.self) {
            try Listeners.bound([.tcp(host: "127.0.0.1", port: port)])
        }
        let reason = "cannot listen on 127.0.0.1:\(port): the address is in use"
        #expect(failure?.reason.hasPrefix(reason) == true)
        #expect(listeners.problem(under: .loopback) == nil)
        let open = try Listeners.bound([.tcp(host: "0.0.0.0", port: 0)])
        #expect(open.problem(under: .open) == nil)
        #expect(open.problem(under: .loopback)?.hasPrefix("access: expected keys or open") == true)
    }

    @Test("a folder for the admin socket is made for its user alone, and another's is not taken")
    func adminFolder() throws {
        let base = try folder()
        #expect(AdminPath.prepareFolder(of: base + "/d/admin.sock", user: geteuid()))
        var facts = stat()
        #expect(lstat(base + "/d", &facts) == 0 && facts.st_mode & 0o777 == 0o700)
        #expect(AdminPath.prepareFolder(of: base + "/d/admin.sock", user: geteuid()))
        #expect(!AdminPath.prepareFolder(of: base + "/d/admin.sock", user: geteuid() &+ 1))
        chmod(base + "/d", 0o777)
        #expect(!AdminPath.prepareFolder(of: base + "/d/admin.sock", user: geteuid()))
        symlink(base, base + "/l")
        #expect(!AdminPath.prepareFolder(of: base + "/l/admin.sock", user: geteuid()))
        #expect(!AdminPath.prepareFolder(of: base + "/missing/deeper/admin.sock", user: geteuid()))
        for name in ["/l", "/d"] { remove(base + name) }
        rmdir(base)
    }
}
