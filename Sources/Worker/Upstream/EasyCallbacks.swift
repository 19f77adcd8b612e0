// libcurl's callbacks: from its pointers to the objects of this room. All of them run on the loop's
// thread, inside a call that the client has made.

internal import CCurl
internal import EventLoop
internal import Glibc

/// What every easy handle is prepared with.
let easyCallbacks = cc_transfer_callbacks(
    header: { bytes, size, count, context in
        guard let handle = easyHandle(context) else { return 0 }
        nonisolated(unsafe) let line = buffer(bytes, size * count)
        return Loop.assumeOnLoop { handle.receive(headerLine: line) } ? line.count : 0
    },
    write: { bytes, size, count, context in
        guard let handle = easyHandle(context) else { return 0 }
        nonisolated(unsafe) let received = buffer(bytes, size * count)
        return Loop.assumeOnLoop { handle.receive(received) }
    },
    read: { room, size, count, context in
        guard let handle = easyHandle(context), let room else { return 0 }
        nonisolated(unsafe) let free = UnsafeMutableRawBufferPointer(start: room, count: size * count)
        return Loop.assumeOnLoop { handle.read(into: free) }
    },
    seek: { context, offset, origin in
        guard let handle = easyHandle(context), origin == SEEK_SET else { return CURL_SEEKFUNC_CANTSEEK }
        return Loop.assumeOnLoop { handle.rewind(to: Int(offset)) } ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
    },
    connected: { context, _, _, _, _ in
        guard let handle = easyHandle(context) else { return CURL_PREREQFUNC_ABORT }
        Loop.assumeOnLoop { handle.connectionStands() }
        return CURL_PREREQFUNC_OK
    },
    close_socket: { context, socket in
        if let client = upstreamClient(context) { Loop.assumeOnLoop { client.forget(socket) } }
        return close(socket)
    })

/// libcurl's `char` as bytes; they may be read until the callback returns.
private func buffer(_ start: UnsafePointer<CChar>?, _ count: Int) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: UnsafeRawPointer(start)?.assumingMemoryBound(to: UInt8.self), count: count)
}

private func easyHandle(_ context: UnsafeMutableRawPointer?) -> EasyHandle? {
    context.map { Unmanaged<EasyHandle>.fromOpaque($0).takeUnretainedValue() }
}

func upstreamClient(_ context: UnsafeMutableRawPointer?) -> UpstreamClient? {
    context.map { Unmanaged<UpstreamClient>.fromOpaque($0).takeUnretainedValue() }
}
