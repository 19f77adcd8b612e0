// PDF documents to text: the real program with a real document, and scripts in its place that misbehave.

import EventLoop
import Foundation
import Glibc
import LoopTesting
import Shared
import Testing

@testable import Translation
@testable import Worker

/// A request with these PDFs, as the exchange sees it.
private func sources(_ documents: [[UInt8]]) throws -> [PDFSource] {
    let blocks = documents.map {
        #"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"\#(Data($0).base64EncodedString())"}}"#
    }
    let body = #"{"model":"m","messages":[{"role":"user","content":[\#(blocks.joined(separator: ","))]}]}"#
    return try MessagesRequest(parsing: Array(body.utf8)).pdfs
}

/// One page that says `words` (PDF's escapes for other than ASCII), or nothing.
private func pdf(_ words: String) -> [UInt8] {
    let content = "BT /F1 24 Tf 72 700 Td (\(words)) Tj ET"
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        "<</Length \(content.utf8.count)>>stream\n\(content)\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    var text = "%PDF-1.4\n"
    var places: [Int] = []
    for (index, object) in objects.enumerated() {
        places.append(text.utf8.count)
        text += "\(index + 1) 0 obj\(object)endobj\n"
    }
    let table = text.utf8.count
    text += "xref\n0 \(objects.count + 1)\n0000000000 65535 f \n"
    for place in places {
        text += String(repeating: "0", count: 10 - "\(place)".count) + "\(place) 00000 n \n"
    }
    text += "trailer<</Size \(objects.count + 1)/Root 1 0 R>>\nstartxref\n\(table)\n%%EOF\n"
    return Array(text.utf8)
}

/// A folder with a program that stands in for pdftotext.
private final class Script {
    let folder: URL

    init(_ text: String) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("pdf-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try "#!/bin/sh\ncd '\(folder.path)' || exit 9\n\(text)\n".write(
            to: file("pdftotext"), atomically: true, encoding: .utf8)
        chmod(path, 0o755)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    var path: String { file("pdftotext").path }
    func file(_ name: String) -> URL { folder.appendingPathComponent(name) }
    func text(_ name: String) -> String { (try? String(contentsOf: file(name), encoding: .utf8)) ?? "" }
}

@Loop
private func reader(_ program: String?, time: Duration = .seconds(300)) -> DocumentReader {
    var settings = Configuration.LogSettings()
    settings.level = .error
    return DocumentReader(program: program, time: time, log: Log(settings, identifier: "dragoman-worker"))
}

private func isAlive(_ pid: String) -> Bool {
    Int32(pid.trimmingCharacters(in: .whitespacesAndNewlines)).map { kill($0, 0) == 0 } ?? false
}

struct DocumentTests {
    init() { LoopThread.start() }

    @Test("the words of a real document, in UTF-8, the same bytes each time; pages without words; damage")
    @Loop func realProgram() async throws {
        let path = try #require(TextProgram.find(), "poppler-utils is missing: `make venv` installs it")
        let reader = reader(path)
        let pdfs = try sources([pdf("Caf\\351 \\(42\\)"), pdf(""), Array("no document at all".utf8), []])
        let readings = await reader.read(pdfs, signalling: Wakeup()) { false }
        #expect(readings[0] == .text(Array("Café (42)".utf8), isCut: false))
        #expect(readings[1] == .empty)
        #expect(readings[2] == .unreadable)
        #expect(readings[3] == .unreadable)
        #expect(await reader.read(pdfs, signalling: Wakeup()) { false } == readings)
    }

    @Test("without the program nothing is read")
    @Loop func missing() async throws {
        #expect(TextProgram.find(in: ["/nowhere"]) == nil)
        #expect(!reader(nil).canRead)
        // It was there when the worker began, and is gone now.
        let readings = await reader("/nowhere/pdftotext").read(try sources([[1]]), signalling: Wakeup()) {
            false
        }
        #expect(readings == [nil])
    }

    @Test("the program sees the document, its arguments, an empty environment and no other descriptor")
    @Loop func surroundings() async throws {
        let script = try Script(
            #"cat > in; echo "$@" > arguments; /usr/bin/env > environment; ls /proc/self/fd > files; ulimit -t > time; echo x"#
        )
        let document: [UInt8] = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let readings = await reader(script.path).read(
            try sources([document]), signalling: Wakeup()
        ) { false }
        #expect(readings == [.text([UInt8(ascii: "x")], isCut: false)])
        #expect(try Array(Data(contentsOf: script.file("in"))) == document)
        #expect(script.text("arguments") == "-q -enc UTF-8 - -\n")
        // What the shell itself sets.
        let variables = script.text("environment").split(separator: "\n").map { $0.prefix { $0 != "=" } }
        #expect(Set(variables).subtracting(["PWD", "OLDPWD", "_", "SHLVL"]).isEmpty)
        // `ls` has the folder open as 3.
        #expect(script.text("files") == "0\n1\n2\n3\n")
        #expect(script.text("time") == "\(DocumentLimits.processor)\n")
    }

    @Test("more text than is wanted is cut, and the program ended")
    @Loop func endless() async throws {
        let script = try Script("echo $$ > pid; while :; do echo 'line of text'; done")
        let readings = await reader(script.path).read(try sources([[1]]), signalling: Wakeup()) { false }
        guard case .text(let text, isCut: true)?? = readings.first else {
            Issue.record("\(readings)")
            return
        }
        #expect(text.count <= DocumentLimits.text && text.count > DocumentLimits.text - 20)
        await expectDead(script)
    }

    @Test(
        "a program that fails, dies, or does not even read",
        arguments: ["echo half; exit 1", "echo half; kill -9 $$", "exit 3"])
    @Loop func failing(text: String) async throws {
        let script = try Script(text)
        let document = [UInt8](repeating: 7, count: 2_000_000)
        let readings = await reader(script.path).read(try sources([document]), signalling: Wakeup()) { false }
        #expect(readings == [.unreadable])
    }

    @Test("what is no base64 is no document")
    @Loop func notBase64() async throws {
        let script = try Script("cat > /dev/null; echo x")
        let body =
            #"{"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","data":"AA*A"}}]}]}"#
        let pdfs = try MessagesRequest(parsing: Array(body.utf8)).pdfs
        #expect(await reader(script.path).read(pdfs, signalling: Wakeup()) { false } == [.unreadable])
    }

    @Test("a client that leaves ends the program that nobody else waits for")
    @Loop func abandoned() async throws {
        let script = try Script("echo $$ > pid; cat > /dev/null; exec /bin/sleep 1000")
        let reader = reader(script.path)
        let wakeup = Wakeup()
        var isGone = false
        let leaving = Timer {
            isGone = true; wakeup.signal()
        }
        let watching = Loop.spawn {
            while !isAlive(script.text("pid")) { await Loop.sleep(for: .milliseconds(5)) }
            leaving.arm(at: Loop.now)
        }
        #expect(await reader.read(try sources([[1]]), signalling: wakeup) { isGone } == [nil])
        await watching.value
        await expectDead(script)
    }

    @Test("a program that takes too long is ended, and the document remembered as one that cannot be read")
    @Loop func slow() async throws {
        let script = try Script("echo x >> starts; echo $$ > pid; cat > /dev/null; exec /bin/sleep 1000")
        let reader = reader(script.path, time: .milliseconds(300))
        for _ in 1...2 {
            let readings = await reader.read(try sources([[1]]), signalling: Wakeup()) { false }
            #expect(readings == [.unreadable])
        }
        #expect(script.text("starts").count <= 2)
        await expectDead(script)
    }

    /// Who waits for the text is told before the program is gone.
    @Loop private func expectDead(_ script: Script) async {
        let patience = Instant.now.advanced(by: .seconds(60))
        while isAlive(script.text("pid")), Instant.now < patience { await Loop.sleep(for: .milliseconds(5)) }
        #expect(!isAlive(script.text("pid")))
    }

    @Test("one document is read once, however many wait for it; and two programs run at once at most")
    @Loop func together() async throws {
        let script = try Script(
            "echo x >> starts; mkdir running.$$; ls -d running.* | wc -l >> most; cat > /dev/null; /bin/sleep 0.05; rmdir running.$$; echo y"
        )
        let reader = reader(script.path)
        let pdfs = try sources((0..<5).map { [$0] })
        var readings: [[PDFReading?]] = []
        let tasks = (0..<3).map { _ in
            Loop.spawn { readings.append(await reader.read(pdfs, signalling: Wakeup()) { false }) }
        }
        for task in tasks { await task.value }
        #expect(readings.count == 3)
        for reading in readings {
            #expect(reading.allSatisfy { $0 == .text([UInt8(ascii: "y")], isCut: false) })
        }
        #expect(script.text("starts").count == 2 * 5)
        let most = script.text("most").split(separator: "\n").compactMap { Int($0) }.max()
        #expect((1...DocumentLimits.running).contains(most ?? 0))
    }

    @Test("the memory of readings: the least used goes first, by count and by size")
    func memory() {
        var memory = ReadingMemory(2, bytes: 10)
        func text(_ count: Int) -> PDFReading { .text([UInt8](repeating: 65, count: count), isCut: false) }
        memory.keep(text(4), "a")
        memory.keep(.empty, "b")
        #expect(memory.recall("a") == text(4))
        memory.keep(text(5), "c")
        #expect(memory.recall("b") == nil)
        #expect(memory.bytes == 9)
        memory.keep(text(6), "c")
        #expect(memory.recall("a") != nil)
        memory.keep(text(7), "c")
        #expect(memory.recall("a") == nil && memory.recall("c") == text(7) && memory.bytes == 7)
        memory.keep(text(20), "d")
        #expect(memory.count == 1 && memory.recall("d") != nil)
    }
}
