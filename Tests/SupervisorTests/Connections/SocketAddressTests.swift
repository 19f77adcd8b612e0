// Addresses to listen on.

import Shared
import Testing

@testable import Supervisor

@Suite("Socket address") struct SocketAddressTests {
    static let addresses: [(Configuration.ListenAddress, ListenerScope, String)] = [
        (.tcp(host: "127.0.0.1", port: 1), .loopback, "127.0.0.1:1"),
        (.tcp(host: "127.9.9.9", port: 80), .loopback, "127.9.9.9:80"),
        (.tcp(host: "0.0.0.0", port: 8484), .network, "0.0.0.0:8484"),
        (.tcp(host: "192.168.1.2", port: 8484), .network, "192.168.1.2:8484"),
        (.tcp(host: "::1", port: 8484), .loopback, "[::1]:8484"),
        (.tcp(host: "::", port: 8484), .network, "[::]:8484"),
        (.tcp(host: "::ffff:127.0.0.1", port: 8484), .loopback, "[::ffff:127.0.0.1]:8484"),
        (.tcp(host: "2001:db8::1", port: 8484), .network, "[2001:db8::1]:8484"),
        (.unix(path: "/run/x.sock"), .unix, "unix:/run/x.sock"),
    ]

    @Test("an address becomes a scope and the text people know", arguments: addresses)
    func address(listen: Configuration.ListenAddress, scope: ListenerScope, text: String) throws {
        let address = try #require(SocketAddress(listen))
        #expect(address.scope == scope && address.text == text)
    }

    @Test("what is no address is none")
    func noAddress() {
        #expect(SocketAddress(.tcp(host: "localhost", port: 1)) == nil)
        #expect(SocketAddress(.unix(path: String(repeating: "x", count: 108))) == nil)
        #expect(SocketAddress(.unix(path: "")) == nil)
    }
}
