// The one owner of a file descriptor. Holds: a descriptor is closed exactly once, by the end of its
// owner's life, or handed over with `release`. Numbers (`raw`) are only borrowed for system calls.

internal import CSystem
import Glibc

/// Owns one open file descriptor; closes it when it goes out of scope.
public struct Descriptor: ~Copyable, Sendable {
    /// The number, for system calls during this owner's life. Never negative.
    public let raw: Int32

    /// Takes over an open descriptor; nil for a negative number (a failed call's result).
    public init?(adopting raw: Int32) {
        guard raw >= 0 else { return nil }
        self.raw = raw
    }

    private init(known raw: Int32) { self.raw = raw }

    /// Gives the descriptor away: the caller must close it.
    public consuming func release() -> Int32 {
        let number = raw
        discard self
        return number
    }

    /// A second descriptor of the same open file, close-on-exec; throws the errno (EMFILE) of fcntl(2).
    public borrowing func duplicate() throws(SystemFailure) -> Descriptor {
        let copy = fcntl(raw, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw SystemFailure("fcntl", errno) }
        return Descriptor(known: copy)
    }

    /// The local port of a TCP socket; nil for others.
    public var localPort: Int? {
        let port = cs_local_port(raw)
        return port < 0 ? nil : Int(port)
    }

    deinit { _ = close(raw) }
}

/// A system call that failed, with its errno.
public struct SystemFailure: Error, Equatable, CustomStringConvertible {
    public let call: String
    public let code: Int32

    public init(_ call: String, _ code: Int32) {
        self.call = call
        self.code = code
    }

    /// The system's text for the error, without the call's name.
    public var reason: String { errorText(code) }
    public var description: String { "\(call): \(reason)" }
}

/// strerror_r(3) as a String.
public func errorText(_ code: Int32) -> String {
    var room = [CChar](repeating: 0, count: 256)
    guard strerror_r(code, &room, room.count) == 0 else { return "error \(code)" }
    return String(decoding: room.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
