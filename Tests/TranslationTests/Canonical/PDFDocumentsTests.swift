// PDF documents: their names, their bytes, and what becomes of a converter's output.

import Foundation
import Testing

@testable import Translation

@Suite struct PDFDocumentsTests {
    private func source(_ base64: String) throws -> PDFSource {
        let body =
            #"{"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","data":"\#(base64)"}}]}]}"#
        return try #require(try MessagesRequest(parsing: Array(body.utf8)).pdfs.first)
    }

    private func decoded(_ source: PDFSource, _ piece: Int) -> [UInt8]? {
        var decoder = source.decoder
        var bytes: [UInt8] = []
        while let next = decoder.next(piece) { bytes += next }
        return decoder.isBroken ? nil : bytes
    }

    /// As FIPS 180-4's examples, and Foundation's decoder as the truth for base64.
    @Test(arguments: [1, 3, 4, 7, 64, 1000])
    func piecesMakeNoDifference(piece: Int) throws {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 5) }
        for count in [0, 1, 2, 3, 55, 56, 64, 1000] {
            let text = Data(bytes.prefix(count)).base64EncodedString()
            let source = try source(text)
            #expect(decoded(source, piece) == Array(bytes.prefix(count)))
            var name = source.name
            var found: String?
            while found == nil { found = name.advance(piece) }
            #expect(found == SHA256.hex(Array(text.utf8)))
        }
    }

    @Test func hash() {
        #expect(SHA256.hex([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            SHA256.hex(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            SHA256.hex([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test(arguments: [
        ("QUJD", "ABC"), (#"QU\/E\/"#, "AO\u{C4}"), (#"QU\nJD\r\n"#, "ABC"), ("QUI=", "AB"), ("QUI", "AB"),
        ("__-_", "\u{FF}\u{FF}\u{BF}"),
    ])
    func spellings(text: String, expected: String) throws {
        #expect(decoded(try source(text), 2) == expected.unicodeScalars.map { UInt8($0.value) })
    }

    @Test func noBase64() throws { #expect(decoded(try source("QU%D"), 100) == nil) }

    @Test func outputs() {
        func reading(_ text: String, cut: Bool = false) -> PDFReading {
            PDFReading(output: Array(text.utf8), isCut: cut)
        }
        #expect(reading("a\n\u{0C}b\n\n\u{0C}") == .text(Array("a\n\nb".utf8), isCut: false))
        #expect(reading(" \n\u{0C}\u{0C}") == .empty)
        #expect(reading("") == .empty)
        // A cut through the last character.
        #expect(
            PDFReading(output: [0x61, 0xE2, 0x82], isCut: true) == .text(Array("a\u{FFFD}".utf8), isCut: true)
        )
    }

    /// What is counted is what is sent.
    @Test func estimate() throws {
        let data = String(repeating: "QUJD", count: 100_000)
        let body =
            #"{"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","data":"\#(data)"}}]}]}"#
        var request = try MessagesRequest(parsing: Array(body.utf8))
        let before = request.estimatedInputTokens
        #expect(before > 10_000)
        let pdf = try #require(request.pdfs.first)
        request.read(pdf, as: .text(Array("a few words".utf8), isCut: false))
        #expect(request.estimatedInputTokens < 100)
    }
}
