// Messages requests under `Golden/requests`: what comes in, for whom, and what has to come out: what the backend is
// sent, byte for byte, with what was left out; or the error; or the answer that no backend has to give.

import Testing

@testable import Translation

@Suite("golden requests")
struct MessagesRequestTests {
    @Test func thereAreCases() { #expect(GoldenCase.all(in: .requests).count > 100) }

    @Test("exact bytes", arguments: GoldenCase.all(in: .requests))
    func golden(_ golden: GoldenCase) throws {
        let outcome = try Self.outcome(golden)
        #expect(Set(outcome.keys).isSubset(of: golden.room.outputs), "an output that the room does not list")
        for name in golden.room.outputs { try golden.expect(outcome[name], is: name) }
    }

    /// Output name to content, as it came out.
    private static func outcome(_ golden: GoldenCase) throws -> [String: String] {
        let file = try golden.read()
        let circumstances = try golden.circumstances(file)
        do throws(Failure) {
            var request = try MessagesRequest(parsing: file.request)
            request.head = circumstances.head
            if let pdfReading = circumstances.pdfReading {
                for pdf in request.pdfs { request.read(pdf, as: pdfReading) }
            }
            if let answer = request.localAnswer { return ["local answer": "\(answer)\n"] }
            let call = try request.converted(for: circumstances.target)
            let omissions = call.omissions.map { "\($0.path): \($0.reason)\n" }.joined()
            let body = String(decoding: call.body, as: UTF8.self) + "\n"
            var outcome: [String: String]
            if call.plan.isPassthrough {
                let fields = call.headers.map { "\($0.name): \($0.value)\n" }.joined()
                outcome = ["passthrough": "POST \(call.path)\n\(fields)\n\(body)"]
            } else {
                outcome = [circumstances.target.profile.dialect.rawValue: body]
            }
            outcome["plan"] = call.plan.text
            if !omissions.isEmpty { outcome["omissions"] = omissions }
            if !call.repairs.isEmpty { outcome["repairs"] = call.repairs.map { $0 + "\n" }.joined() }
            return outcome
        } catch {
            let error = error.error(for: .messages)
            let code = error.code.map { " \($0)" } ?? ""
            return ["error": "\(error.status) \(error.type)\(code)\n\(error.message)\n"]
        }
    }
}

extension CaseFile {
    /// Sections end in a newline; requests need not.
    var request: [UInt8] {
        let request = input("request") ?? []
        return request.last == 0x0A ? request.dropLast() : request
    }
}
