// `pdftotext` (poppler) as a child process on the loop: the document goes in, its text comes out. Nothing of
// it touches a file, and it inherits nothing. Holds: a program that was started is reaped; it never outlives
// its time, its reader's interest, or the text that is wanted.

internal import CSystem
internal import EventLoop
internal import Glibc
internal import Shared
internal import Translation

@Loop
final class TextProgram {
    /// Where distributions install it; nil = not there. The path of the environment is not asked: it may lead
    /// anywhere.
    static func find(
        in places: [String] = ["/usr/bin", "/usr/local/bin", "/bin"]
    ) -> String? {
        places.map { $0 + "/pdftotext" }.first { access($0, X_OK) == 0 }
    }

    private enum End {
        case exited(Int32)
        case killed
    }

    private let wakeup: Wakeup
    private let deadline: Instant
    private let pid: pid_t
    private let process: Descriptor
    private let output: Descriptor
    private var input: Descriptor?
    private var watches: [Watch] = []
    private var inputWatch: Watch?
    private var decoder: PDFDecoder
    private var piece: ArraySlice<UInt8> = []
    private var text: [UInt8] = []
    private var outputEnded = false
    private var end: End?
    /// Nobody waits for the text any more.
    var isAbandoned = false

    /// Starts it.
    /// - Parameter wakeup: to be signalled after a change of `isAbandoned`.
    init(
        _ path: String, reading pdf: PDFSource, until deadline: Instant, signalling wakeup: Wakeup
    ) throws(SystemFailure) {
        self.wakeup = wakeup
        self.deadline = deadline
        decoder = pdf.decoder
        var (input, output, process): (Int32, Int32, Int32) = (-1, -1, -1)
        let line = [path, "-q", "-enc", "UTF-8", "-", "-"]
        var words: [UnsafeMutablePointer<CChar>?] = line.map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        pid = cs_spawn_filter(
            path, words, DocumentLimits.processor, DocumentLimits.memory, &input, &output, &process)
        guard let near = Descriptor(adopting: input), let far = Descriptor(adopting: output),
            let handle = Descriptor(adopting: process)
        else { throw SystemFailure("posix_spawn", errno) }
        self.input = consume near
        self.output = far
        self.process = handle
        do throws(LoopError) {
            for descriptor in [input, output, process] {
                watches.append(try Watch(descriptor, signalling: wakeup))
            }
        } catch {
            for watch in watches { watch.cancel() }
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw SystemFailure(error.call, error.code)
        }
        inputWatch = watches.first
    }

    /// The text, or why there is none; nil when abandoned. `leave` afterwards.
    func run() async -> PDFReading? {
        while true {
            feed()
            take()
            reap()
            if isOver || end != nil && outputEnded { break }
            // As long as the program takes more, others get their turn in between.
            _ = await wakeup.wait(until: wantsMore ? Loop.now.advanced(nanoseconds: 1) : deadline)
        }
        return isAbandoned ? nil : reading
    }

    /// There is no reason to go on.
    private var isOver: Bool { isAbandoned || isFull || decoder.isBroken || Instant.now >= deadline }
    private var isFull: Bool { text.count > DocumentLimits.text }
    private var wantsMore: Bool { inputWatch?.ready.contains(.writable) == true }

    private var reading: PDFReading {
        if isFull { return PDFReading(output: Array(text.prefix(DocumentLimits.text)), isCut: true) }
        guard !decoder.isBroken, outputEnded, case .exited(0)? = end else { return .unreadable }
        return PDFReading(output: text, isCut: false)
    }
}

// MARK: Bytes

extension TextProgram {
    /// One piece of the document at most.
    private func feed() {
        guard let watch = inputWatch, watch.ready.contains(.writable) else { return }
        if piece.isEmpty {
            guard let next = decoder.next(DocumentLimits.piece) else { return closeInput() }
            piece = next[...]
        }
        while !piece.isEmpty {
            let count = piece.withUnsafeBytes { cs_send(watch.descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                // Whoever does not want to read further has seen enough, or is gone.
                if errno == EAGAIN { watch.clear(.writable) } else { closeInput() }
                return
            }
            piece = piece.dropFirst(count)
        }
    }

    private func closeInput() {
        inputWatch?.cancel()
        inputWatch = nil
        input = nil
    }

    private func take() {
        while !outputEnded, !isFull {
            let before = text.count
            let room = DocumentLimits.text + 1 - before
            let count = Int(
                withUnsafeTemporaryAllocation(byteCount: min(room, 32 << 10), alignment: 16) { buffer in
                    let count = Glibc.read(output.raw, buffer.baseAddress, buffer.count)
                    if count > 0 { text.append(contentsOf: buffer.prefix(count)) }
                    return count
                })
            if count > 0 || count < 0 && errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            outputEnded = true
        }
    }

    // MARK: The end

    private func reap() {
        guard end == nil else { return }
        var (code, signalled): (Int32, Int32) = (0, 0)
        switch cs_reap(pid, &code, &signalled) {
        case 0: return
        case 1: end = signalled == 1 ? .killed : .exited(code)
        // Somebody else has reaped it.
        default: end = .killed
        }
    }

    /// Kills what still runs, and waits for it.
    func leave() async {
        let patience = Instant.now.advanced(by: DocumentLimits.farewell)
        closeInput()
        reap()
        if end == nil { _ = cs_pidfd_signal(process.raw, SIGKILL) }
        while end == nil, Instant.now < patience {
            reap()
            if end == nil { _ = await wakeup.wait(until: patience) }
        }
        for watch in watches { watch.cancel() }
        watches = []
    }
}
