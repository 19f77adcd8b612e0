// Schemas that are written anew: what they may grow to, and how much work references are.

import JSON
import Testing

@testable import Translation

@Suite("schemas within bounds")
struct SchemaTests {
    private static func request(tools: [String]) throws -> MessagesRequest {
        let list = tools.enumerated().map { #"{"name":"t\#($0)","input_schema":\#($1)}"# }
        let body =
            #"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"tools":[\#(list.joined(separator: ","))]}"#
        return try MessagesRequest(parsing: Array(body.utf8))
    }

    private static let nested = """
        {"type":"object","properties":{"a":{"$ref":"#/$defs/A"},"b":{"$ref":"#/$defs/A"}},
        "$defs":{"A":{"type":"object","properties":{"x":{"$ref":"#/$defs/B"},"y":{"$ref":"#/$defs/B"},"z":{"$ref":"#/$defs/B"}}},
        "B":{"type":"object","properties":{"q":{"$ref":"#/$defs/C"},"r":{"$ref":"#/$defs/C"},"s":{"$ref":"#/$defs/C"}}},
        "C":{"type":"object","properties":{"deep":{"type":"string","enum":["one","two","three","four"]}}}}}
        """

    @Test(
        "a tool's references are put in place, those of thousands only up to a bound", arguments: [1, 3000])
    func growth(tools: Int) throws {
        let request = try Self.request(tools: Array(repeating: Self.nested, count: tools))
        for profile in [Profile.gemini, .llamacpp, .fireworks] {
            let call = try request.converted(for: UpstreamTarget(model: "m", profile: profile))
            let root = try JSONDocument(parsing: call.body).root
            let sent = try #require(root["tools"]).elements
            #expect(sent.count(where: { _ in true }) == tools)
            // What a function is wrapped in counts beside the schema.
            #expect(call.body.count < request.receivedBytes + tools * 128 + 3 << 19)
            let first = try #require(
                sent.first { _ in true }?["function"]?["parameters"]?["properties"]?["a"])
            let deep = first["properties"]?["x"]?["properties"]?["q"]?["properties"]?["deep"]
            #expect(deep?["type"]?.string == "string")
        }
    }

    @Test("many references among many definitions are found by name")
    func definitions() throws {
        let count = 4000
        let properties = (0..<900).map { ##""p\##($0)":{"$ref":"#/$defs/D\##(count - 1 - $0)"}"## }
        let definitions = (0..<count).map { #""D\#($0)":{"type":"string"}"# }
        let schema =
            #"{"type":"object","properties":{\#(properties.joined(separator: ","))},"$defs":{\#(definitions.joined(separator: ","))}}"#
        let request = try Self.request(tools: [schema])
        let clock = ContinuousClock()
        let time = try clock.measure {
            _ = try request.converted(for: UpstreamTarget(model: "m", profile: .llamacpp))
        }
        // Found one by one they took ten times as long; without optimisation, too.
        #expect(time < .seconds(2))
    }

    @Test("references that go round in circles end", arguments: [Profile.llamacpp, .gemini, .fireworks])
    func circles(profile: Profile) throws {
        let schemas = [
            ##"{"$ref":"#/$defs/A","$defs":{"A":{"$ref":"#/$defs/A"}}}"##,
            ##"{"$ref":"#/$defs/A","$defs":{"A":{"$ref":"#/$defs/B"},"B":{"$ref":"#/$defs/A"}}}"##,
            ##"{"$ref":"#","type":"object"}"##, ##"{"$ref":"#/$ref"}"##,
            ##"{"$ref":"#/properties/a","properties":{"a":{"$ref":"#"}}}"##,
            ##"{"type":"object","properties":{"a":{"$ref":"#/$defs/~0~1A"}},"$defs":{"~/A":{"anyOf":[{"$ref":"#/$defs/~0~1A"}]}}}"##,
        ]
        for schema in schemas {
            let call = try Self.request(tools: [schema]).converted(
                for: UpstreamTarget(model: "m", profile: profile))
            let sent = try JSONDocument(parsing: call.body).root["tools"]?.first?["function"]?["parameters"]
            #expect(sent?["type"]?.string == "object" && sent?["$ref"] == nil, "\(schema)")
        }
    }
}
