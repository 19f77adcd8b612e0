// The words of PDF documents, for requests that go to backends which take none. Remembers what was read: a
// document comes again with every turn of its conversation, and must become the same bytes each time. Holds:
// the same document is read once at a time; what nobody waits for any more is not read.

internal import EventLoop
internal import Shared
internal import Translation

@Loop
final class DocumentReader {
    /// One document that is being read, or waits to be.
    @Loop private final class Job {
        let name: String
        let pdf: PDFSource
        var waiting: [ObjectIdentifier: Wakeup] = [:]
        /// Of the program, once it runs.
        var program: TextProgram?
        let wakeup = Wakeup()

        init(_ name: String, _ pdf: PDFSource) {
            self.name = name
            self.pdf = pdf
        }
    }

    private let program: String?
    private let time: Duration
    private let log: Log
    private var memory = ReadingMemory(DocumentLimits.remembered, bytes: DocumentLimits.rememberedBytes)
    private var jobs: [String: Job] = [:]
    private var queue: [Job] = []
    private var running = 0

    /// - Parameter program: the path of `pdftotext`; nil = PDF documents are not read.
    /// - Parameter time: for one document.
    init(program: String?, time: Duration = DocumentLimits.time, log: Log) {
        self.program = program
        self.time = time
        self.log = log
    }

    var canRead: Bool { program != nil }

    /// What the documents say, in their order; nil for one that nobody had time for. Ends early when
    /// `isGone`.
    /// - Parameter wakeup: the caller's own, which is also signalled when `isGone` may have changed.
    func read(
        _ pdfs: [PDFSource], signalling wakeup: Wakeup, isGone: () -> Bool
    ) async -> [PDFReading?] {
        let deadline = Instant.now.advanced(by: time).advanced(by: DocumentLimits.moreForAll)
        var names: [String?] = []
        for pdf in pdfs { names.append(await name(pdf, isGone)) }
        let caller = ObjectIdentifier(wakeup)
        defer { for case let name? in names { lose(interest: caller, in: name) } }
        for (pdf, name) in zip(pdfs, names) {
            if let name { ask(pdf, name, caller, wakeup) }
        }
        while !isGone(), names.contains(where: { $0.map { jobs[$0] != nil } == true }) {
            if await wakeup.wait(until: deadline) { break }
        }
        return names.map { $0.flatMap { memory.recall($0) } }
    }

    /// In pieces, so that a large document does not hold up the others' streams.
    private func name(_ pdf: PDFSource, _ isGone: () -> Bool) async -> String? {
        var name = pdf.name
        while !isGone() {
            if let done = name.advance(DocumentLimits.piece) { return done }
            await Loop.sleep(until: Loop.now.advanced(nanoseconds: 1))
        }
        return nil
    }

    private func ask(_ pdf: PDFSource, _ name: String, _ caller: ObjectIdentifier, _ wakeup: Wakeup) {
        guard memory.recall(name) == nil else { return }
        guard pdf.encodedCount <= DocumentLimits.input else { return memory.keep(.unreadable, name) }
        if let job = jobs[name] {
            job.waiting[caller] = wakeup
            return
        }
        guard queue.count < DocumentLimits.waiting else { return }
        let job = Job(name, pdf)
        job.waiting[caller] = wakeup
        jobs[name] = job
        queue.append(job)
        startNext()
    }

    private func lose(interest caller: ObjectIdentifier, in name: String) {
        guard let job = jobs[name] else { return }
        job.waiting[caller] = nil
        guard job.waiting.isEmpty else { return }
        if let program = job.program {
            program.isAbandoned = true
            job.wakeup.signal()
        } else {
            queue.removeAll { $0 === job }
        }
        // Somebody who asks now gets a reading of his own.
        jobs[name] = nil
    }

    private func startNext() {
        while running < DocumentLimits.running, !queue.isEmpty {
            let job = queue.removeFirst()
            guard let path = program else { return finish(job, nil) }
            do throws(SystemFailure) {
                let program = try TextProgram(
                    path, reading: job.pdf, until: Instant.now.advanced(by: time), signalling: job.wakeup)
                job.program = program
                running += 1
                Loop.spawn {
                    self.finish(job, await program.run())
                    await program.leave()
                    self.running -= 1
                    self.startNext()
                }
            } catch {
                log.warning(.documentProgram, ["reason": LogValue("\(error)")])
                finish(job, nil)
            }
        }
    }

    private func finish(_ job: Job, _ reading: PDFReading?) {
        if let reading { memory.keep(reading, job.name) }
        if jobs[job.name] === job { jobs[job.name] = nil }
        for wakeup in job.waiting.values { wakeup.signal() }
    }
}

extension LogEvent {
    static let documentProgram = LogEvent(
        "pdftotext could not be started", id: "5f1d8a6c0b7e4932ad41c6e97f2b3085")
}
