// What the tests of this target share.

import Glibc
import Testing

/// Two connected stream sockets, non-blocking, closed with the value.
struct SocketPair: ~Copyable {
    let near: Int32
    let far: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK, 0, &ends) == 0)
        near = ends[0]
        far = ends[1]
    }

    deinit {
        close(near)
        close(far)
    }
}
