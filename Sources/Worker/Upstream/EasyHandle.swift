// One libcurl easy handle and what its callbacks need. Handles are used again: what is the same for every
// request is set once, the URL and headers only when they change.
//
// libcurl holds a plain pointer to this object. It stays valid because the client owns every handle that
// is in the multi handle, and the easy handle is destroyed with the object.

internal import CCurl
internal import EventLoop
internal import Glibc

@Loop
final class EasyHandle {
    /// Bodies up to here go out in one segment with the head; libcurl joins no more than 64 KiB.
    private static let copiedBodyLimit = 48 << 10

    unowned let client: UpstreamClient
    let easy: UnsafeMutableRawPointer
    /// Position in the client's list of active handles.
    var position = 0
    private(set) var transfer: Transfer?
    private(set) var isPaused = false

    private let errors: UnsafeMutablePointer<CChar>
    /// Parsed once: libcurl would do it for each request.
    private var url: OpaquePointer?
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var configured: Configured?
    private var reader = HeadReader()
    private var body: [UInt8] = []
    private var bodyOffset = 0
    private var limitTimer: Timer?
    /// The request goes out a second time, on a connection made for it.
    private var isSecondTry = false

    /// What of a request stays in the easy handle.
    private struct Configured: Equatable {
        var url: String
        var isPost: Bool
        var headers: [UpstreamRequest.Header]
        var connect: Duration
    }

    init?(client: UpstreamClient) {
        guard let easy = curl_easy_init() else { return nil }
        self.client = client
        self.easy = easy
        errors = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errors.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        let context = Unmanaged.passUnretained(self).toOpaque()
        var callbacks = easyCallbacks
        let code = cc_prepare(easy, &callbacks, context, client.context, errors, client.proxy)
        guard code == CURLE_OK else { return nil }
        limitTimer = Timer { [unowned self] in limitPassed() }
    }

    isolated deinit {
        limitTimer?.disarm()
        curl_easy_cleanup(easy)
        curl_slist_free_all(headers)
        curl_url_cleanup(url)
        errors.deallocate()
    }

    // MARK: A request's life

    /// Makes the handle ready to be added to the multi handle; otherwise says why it cannot.
    func configure(_ request: consuming UpstreamRequest, for transfer: Transfer) -> TransferEnd? {
        var post: [UInt8]?
        if case .post(let body) = request.method { post = body }
        request.method = .get
        let wanted = Configured(
            url: request.url, isPost: post != nil, headers: request.headers, connect: request.limits.connect)
        if configured != wanted {
            configured = nil
            if let refusal = set(wanted) { return refusal }
            configured = wanted
        }
        if let post, let refusal = set(body: post) { return refusal }
        self.transfer = transfer
        transfer.handle = self
        reader = HeadReader()
        isPaused = false
        if isSecondTry {
            isSecondTry = false
            _ = cc_set_fresh(easy, 0)
        }
        errors[0] = 0
        limitTimer?.arm(at: transfer.times.started.advanced(by: transfer.limits.firstByte))
        return nil
    }

    /// libcurl is done with it.
    func finish(_ code: CURLcode) {
        guard let transfer else { return }
        if metOnlyDeadConnections(code, transfer) {
            isSecondTry = true
            bodyOffset = 0
            errors[0] = 0
            if cc_set_fresh(easy, 1) == CURLE_OK, client.startAnew(self) { return }
        }
        let circumstances = TransferCircumstances(
            hasHead: transfer.head != nil, answered: transfer.times.firstByte != nil,
            connected: transfer.times.connected != nil, headTooLarge: reader.isTooLarge,
            proxy: client.proxyName, connectStatus: cc_connect_status(easy))
        conclude(transfer, TransferEnd(code: code, detail: detail(code), circumstances))
    }

    /// A backend that is restarted, or that closes idle connections when it has much to do, leaves a pool of
    /// dead ones. libcurl takes another after each that dies before a byte of an answer, five times, and
    /// gives up; what it would have found out on a new connection is still to be seen. The backend has not
    /// dealt with the request (RFC 9112 section 9.3.1).
    private func metOnlyDeadConnections(_ code: CURLcode, _ transfer: Transfer) -> Bool {
        switch code {
        case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING:
            !isSecondTry && transfer.times.firstByte == nil && cc_used_kept_connections(easy) != 0
        default: false
        }
    }

    /// Ends it from our side: libcurl closes the connection, since the answer was not complete.
    func abandon(_ end: TransferEnd) {
        guard let transfer else { return }
        conclude(transfer, end)
    }

    /// The client is being destroyed; it has taken the handle out of its multi handle.
    func clientGoes() {
        if let transfer { part(from: transfer, .cancelled) }
    }

    private func conclude(_ transfer: Transfer, _ end: TransferEnd) {
        client.release(self)
        part(from: transfer, end)
    }

    private func part(from transfer: Transfer, _ end: TransferEnd) {
        limitTimer?.disarm()
        self.transfer = nil
        body = []
        // An idle handle keeps nobody's prompt.
        if configured?.isPost == true { _ = cc_drop_body(easy) }
        transfer.handle = nil
        transfer.end = end
        transfer.wakeup.signal()
    }

    func resumeIfPaused() {
        guard isPaused, let transfer, transfer.buffer.isEmpty else { return }
        isPaused = false
        limitTimer?.arm(at: Loop.now.advanced(by: transfer.limits.idle))
        curl_easy_pause(easy, CURLPAUSE_CONT)
        client.settleInNextTurn()
    }

    private func limitPassed() {
        guard let transfer else { return }
        abandon(.timedOut(transfer.times.lastBodyByte == nil ? .firstByte : .idle))
    }

    private func detail(_ code: CURLcode) -> String {
        errors[0] != 0
            ? withoutElapsedTime(String(cString: errors)) : String(cString: curl_easy_strerror(code))
    }

    // MARK: Options

    private func set(_ wanted: Configured) -> TransferEnd? {
        let url = curl_url()
        let parsed = curl_url_set(url, CURLUPART_URL, wanted.url, 0)
        guard parsed == CURLUE_OK else {
            curl_url_cleanup(url)
            return .misconfigured(detail: String(cString: curl_url_strerror(parsed)))
        }
        var list: UnsafeMutablePointer<curl_slist>?
        // "Expect:" without a value: libcurl sends none and so never waits for 100 Continue.
        var lines = ["Expect:", "Accept-Encoding: identity"]
        for header in wanted.headers {
            guard header.isSendable else {
                curl_url_cleanup(url)
                curl_slist_free_all(list)
                return .misconfigured(detail: "header \(header.name) has characters that cannot be sent")
            }
            // libcurl's way to write a header without a value.
            lines.append(header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
        }
        for line in lines {
            guard let longer = curl_slist_append(list, line) else {
                curl_url_cleanup(url)
                curl_slist_free_all(list)
                return .misconfigured(detail: "no memory for headers")
            }
            list = longer
        }
        let connect = wanted.connect.wholeNanoseconds / 1_000_000
        let code = cc_set_request(easy, url, list, wanted.isPost ? 1 : 0, Int(max(connect, 1)))
        curl_slist_free_all(headers)
        curl_url_cleanup(self.url)
        (headers, self.url) = (list, url)
        return code == CURLE_OK ? nil : .misconfigured(detail: String(cString: curl_easy_strerror(code)))
    }

    private func set(body bytes: [UInt8]) -> TransferEnd? {
        bodyOffset = 0
        let code: CURLcode
        if bytes.count <= Self.copiedBodyLimit {
            code = cc_set_copied_body(easy, bytes, bytes.count)
        } else {
            body = bytes
            code = cc_set_read_body(easy, bytes.count)
        }
        return code == CURLE_OK ? nil : .misconfigured(detail: String(cString: curl_easy_strerror(code)))
    }

    // MARK: Called by libcurl

    func connectionStands() {
        if transfer?.times.connected == nil { transfer?.times.connected = Loop.now }
    }

    /// False = end the transfer: too large a head.
    func receive(headerLine line: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let transfer else { return false }
        let now = Loop.now
        if transfer.times.firstByte == nil { transfer.times.firstByte = now }
        transfer.times.lastByte = now
        switch reader.receive(line.span) {
        case .more: return true
        case .complete(let head):
            transfer.head = head
            body = []
            transfer.wakeup.signal()
            return true
        case .tooLarge: return false
        }
    }

    /// Number of bytes taken, or libcurl's word for a pause.
    func receive(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        guard let transfer else { return 0 }
        if !transfer.buffer.isEmpty, transfer.buffer.count + bytes.count > Transfer.bufferLimit {
            isPaused = true
            limitTimer?.disarm()
            return Int(CURL_WRITEFUNC_PAUSE)
        }
        let now = Loop.now
        transfer.times.lastByte = now
        transfer.times.lastBodyByte = now
        limitTimer?.arm(at: now.advanced(by: transfer.limits.idle))
        if transfer.buffer.capacity == 0 { transfer.buffer = client.spareBuffer() }
        transfer.buffer.append(contentsOf: bytes)
        transfer.wakeup.signal()
        return bytes.count
    }

    func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, body.count - bodyOffset)
        guard count > 0 else { return 0 }
        body.withUnsafeBytes { room.copyMemory(from: .init(rebasing: $0[bodyOffset..<(bodyOffset + count)])) }
        bodyOffset += count
        return count
    }

    /// The request is sent once more on a fresh connection.
    func rewind(to offset: Int) -> Bool {
        guard offset >= 0, offset <= body.count else { return false }
        bodyOffset = offset
        return true
    }
}

extension UpstreamRequest.Header {
    /// RFC 9110 section 5: a token as name; no control characters in the value.
    fileprivate var isSendable: Bool {
        let separators = "()<>@,;:\\\"/[]?={}"
        return !name.isEmpty
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !separators.utf8.contains($0) }
            && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }
    }
}
