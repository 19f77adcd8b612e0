// The worker's HTTP client: libcurl's multi interface on the loop. libcurl says which sockets and which
// time it waits for; the loop tells it what happened; what has come lies in the transfers.

internal import CCurl
public import EventLoop
internal import Glibc

/// Sends requests to backends and keeps connections for the next ones. Lives as long as the worker.
@Loop
public final class UpstreamClient {
    /// Easy handles kept for the next request.
    private static let idleHandleLimit = 64
    /// Emptied receive buffers kept for the next bytes, and the size above which one is not kept.
    private static let spareBufferLimit = 16
    private static let spareBufferSize = 64 << 10
    /// Rounds in which libcurl may ask to be called again at once before other work gets its turn.
    private static let roundLimit = 8

    let proxy: String
    /// The proxy as errors name it, without what signs in there; "" = none.
    let proxyName: String
    private let multi: UnsafeMutableRawPointer
    private var active: [EasyHandle] = []
    private var idle: [EasyHandle] = []
    private var sockets: [Int32: Watch] = [:]
    private var spareBuffers: [[UInt8]] = []
    private var timer: Timer?
    private var isDueNow = false

    private static let initialized = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    /// What libcurl gives back to callbacks of the multi handle and of its sockets.
    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    /// - Parameter proxy: URL of an HTTP or SOCKS proxy; nil = none, whatever the environment says.
    /// - Parameter idleConnections: kept open for later requests, all backends together.
    /// Nil when libcurl cannot be set up (no memory, no random source).
    public init?(proxy: String? = nil, idleConnections: Int = 256) {
        guard Self.initialized, let multi = curl_multi_init() else { return nil }
        self.multi = multi
        self.proxy = proxy ?? ""
        proxyName = withoutUser(self.proxy)
        let code = cc_prepare_multi(
            multi,
            { _, socket, what, context, _ in
                if let client = upstreamClient(context) {
                    Loop.assumeOnLoop { client.interest(socket, what) }
                }
                return 0
            },
            { _, milliseconds, context in
                if let client = upstreamClient(context) {
                    Loop.assumeOnLoop { client.schedule(milliseconds) }
                }
                return 0
            }, context, idleConnections)
        guard code == CURLM_OK else { return nil }
        timer = Timer { [unowned self] in drive(CURL_SOCKET_TIMEOUT, 0) }
    }

    isolated deinit {
        timer?.disarm()
        for handle in active {
            curl_multi_remove_handle(multi, handle.easy)
            handle.clientGoes()
        }
        // Easy handles first: closing the kept connections calls back into this object, no longer them.
        active = []
        idle = []
        curl_multi_cleanup(multi)
        for watch in sockets.values { watch.cancel() }
    }

    /// Starts a request. Whatever happens to it signals `wakeup`; a request that cannot even start comes
    /// back ended.
    public func start(_ request: consuming UpstreamRequest, wakeup: Wakeup) -> Transfer {
        let transfer = Transfer(wakeup: wakeup, limits: request.limits)
        guard let handle = idle.popLast() ?? EasyHandle(client: self) else {
            return refuse(transfer, .misconfigured(detail: "libcurl has no handle"))
        }
        if let refusal = handle.configure(request, for: transfer) {
            keep(handle)
            return refuse(transfer, refusal)
        }
        handle.position = active.count
        active.append(handle)
        let code = curl_multi_add_handle(multi, handle.easy)
        guard code == CURLM_OK else {
            handle.abandon(.misconfigured(detail: String(cString: curl_multi_strerror(code))))
            return transfer
        }
        // libcurl wants to be called at once; not by way of a timer saves a turn of the loop.
        isDueNow = false
        drive(CURL_SOCKET_TIMEOUT, 0)
        return transfer
    }

    /// Requests under way.
    public var transferCount: Int { active.count }

    private func refuse(_ transfer: Transfer, _ end: TransferEnd) -> Transfer {
        transfer.end = end
        transfer.wakeup.signal()
        return transfer
    }

    // MARK: Handles and buffers

    /// The handle's transfer is over: out of the multi handle, closing what was not complete.
    func release(_ handle: EasyHandle) {
        curl_multi_remove_handle(multi, handle.easy)
        let last = active.count - 1
        if handle.position < last {
            active[handle.position] = active[last]
            active[handle.position].position = handle.position
        }
        active.removeLast()
        keep(handle)
        armIfDue()
    }

    /// Its transfer has failed and is to be tried once more. False = it has ended.
    func startAnew(_ handle: EasyHandle) -> Bool {
        guard curl_multi_remove_handle(multi, handle.easy) == CURLM_OK,
            curl_multi_add_handle(multi, handle.easy) == CURLM_OK
        else { return false }
        armIfDue()
        return true
    }

    private func keep(_ handle: EasyHandle) {
        if idle.count < Self.idleHandleLimit { idle.append(handle) }
    }

    func spareBuffer() -> [UInt8] { spareBuffers.popLast() ?? [] }

    func recycle(_ buffer: inout [UInt8]) {
        var taken: [UInt8] = []
        swap(&taken, &buffer)
        guard spareBuffers.count < Self.spareBufferLimit, taken.capacity <= Self.spareBufferSize else {
            return
        }
        taken.removeAll(keepingCapacity: true)
        spareBuffers.append(taken)
    }

    // MARK: Between libcurl and the loop

    /// Tells libcurl what happened, as often as it asks to be called again at once, and collects what ended.
    private func drive(_ socket: curl_socket_t, _ events: Int32) {
        var running: Int32 = 0
        curl_multi_socket_action(multi, socket, events, &running)
        settle()
    }

    /// After every call that may have moved a transfer.
    func settle() {
        var rounds = 0
        var running: Int32 = 0
        while isDueNow, rounds < Self.roundLimit {
            isDueNow = false
            rounds += 1
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
        }
        armIfDue()
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else {
                continue
            }
            let code = message.pointee.data.result
            guard let context = cc_context(easy) else { continue }
            Unmanaged<EasyHandle>.fromOpaque(context).takeUnretainedValue().finish(code)
        }
    }

    /// After a pause has ended: a backend that sends faster than its bytes are taken must not keep the thread
    /// from everybody else, so libcurl reads on only when the loop has looked around.
    func settleInNextTurn() {
        isDueNow = true
        armIfDue()
    }

    /// What libcurl wants at once but outside `settle` is due in the next turn.
    private func armIfDue() {
        guard isDueNow else { return }
        isDueNow = false
        timer?.arm(at: Loop.now)
    }

    private func schedule(_ milliseconds: Int) {
        isDueNow = milliseconds == 0
        if milliseconds < 0 {
            timer?.disarm()
        } else if milliseconds > 0 {
            timer?.arm(at: Instant.now.advanced(nanoseconds: UInt64(milliseconds) &* 1_000_000))
        }
    }

    private func interest(_ socket: curl_socket_t, _ what: Int32) {
        let wanted: Readiness =
            switch what {
            case CURL_POLL_IN: .readable
            case CURL_POLL_OUT: .writable
            case CURL_POLL_INOUT: [.readable, .writable]
            default: []
            }
        do throws(LoopError) {
            if let watch = sockets[socket] {
                try watch.want(wanted)
            } else if !wanted.isEmpty {
                sockets[socket] = try Watch(socket, levelTriggered: wanted) { [unowned self] events in
                    drive(socket, events.forCurl)
                }
            }
        } catch {
            // Not in epoll: libcurl learns of it as an error of the socket, in a later turn.
            timer?.arm(at: Loop.now)
        }
    }

    /// libcurl is about to close the socket.
    func forget(_ socket: curl_socket_t) {
        sockets.removeValue(forKey: socket)?.cancel()
    }
}

extension Readiness {
    fileprivate var forCurl: Int32 {
        var events: Int32 = 0
        if contains(.readable) { events |= CURL_CSELECT_IN }
        if contains(.writable) { events |= CURL_CSELECT_OUT }
        if !isDisjoint(with: [.error, .hangup]) { events |= CURL_CSELECT_ERR }
        return events
    }
}
