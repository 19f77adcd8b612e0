// From bytes to a tree of nodes, through libyaml's events. Size, depth and the number of nodes (aliases
// written out) are limited before anything is built, so no text can make this costly or deep.

internal import CYAML

/// Why a text is not YAML that we read. Syntax ends the reading; there is one of these at most.
struct YAMLFailure: Error, Equatable {
    let line: Int
    let text: String
}

final class YAMLReader {
    /// Largest configuration file, in bytes.
    static let maximumBytes = 1 << 20
    static let maximumDepth = 16
    /// All nodes of the document, every alias counted as often as it is used.
    static let maximumNodes = 20_000

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private var anchors: [String: YAMLNode] = [:]
    private var nodes = 0

    /// nil for a text with nothing in it but comments.
    static func read(_ bytes: [UInt8]) throws(YAMLFailure) -> YAMLNode? {
        guard bytes.count <= maximumBytes else {
            throw YAMLFailure(line: 1, text: "expected at most \(maximumBytes >> 10) KiB, found more")
        }
        let result: Result<YAMLNode?, YAMLFailure> = bytes.withUnsafeBufferPointer { buffer in
            guard let reader = YAMLReader(buffer) else {
                return .failure(YAMLFailure(line: 1, text: "out of memory"))
            }
            do throws(YAMLFailure) {
                return .success(try reader.document(bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private init?(_ buffer: UnsafeBufferPointer<UInt8>) {
        parser = .allocate(capacity: 1)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            return nil
        }
        yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
        // Without this a UTF-16 byte order mark would switch the encoding.
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    private func document(_ bytes: [UInt8]) throws(YAMLFailure) -> YAMLNode? {
        _ = try next(bytes)  // stream start
        guard case .documentStart = try next(bytes) else { return nil }
        let root = try node(after: try next(bytes), bytes, depth: 0)
        _ = try next(bytes)  // document end
        let last = try next(bytes)
        guard case .end = last else {
            throw YAMLFailure(line: last.line, text: "expected one document, found another one after it")
        }
        return root
    }

    private func node(after event: Event, _ bytes: [UInt8], depth: Int) throws(YAMLFailure) -> YAMLNode {
        guard depth <= Self.maximumDepth else {
            throw YAMLFailure(
                line: event.line, text: "expected at most \(Self.maximumDepth) levels, found more")
        }
        try count(1, line: event.line)
        switch event {
        case .scalar(let line, let text, let plain, let anchor):
            return remember(YAMLNode(content: .scalar(text, plain: plain), line: line, size: 1), anchor)
        case .alias(let line, let name):
            guard let known = anchors[name] else {
                throw YAMLFailure(
                    line: line,
                    text: "expected an anchor defined above, found *\(YAMLNode.shown(name))")
            }
            try count(known.size, line: line)
            return known
        case .sequenceStart(let line, let anchor):
            return remember(try sequence(line, bytes, depth: depth), anchor)
        case .mappingStart(let line, let anchor):
            return remember(try mapping(line, bytes, depth: depth), anchor)
        case .other(let line), .documentStart(let line), .end(let line), .close(let line):
            throw YAMLFailure(line: line, text: "expected a value, found the end")
        }
    }

    private func sequence(_ line: Int, _ bytes: [UInt8], depth: Int) throws(YAMLFailure) -> YAMLNode {
        var items: [YAMLNode] = []
        var size = 1
        while true {
            let event = try next(bytes)
            if case .close = event { break }
            let item = try node(after: event, bytes, depth: depth + 1)
            size += item.size
            items.append(item)
        }
        return YAMLNode(content: .sequence(items), line: line, size: size)
    }

    private func mapping(_ line: Int, _ bytes: [UInt8], depth: Int) throws(YAMLFailure) -> YAMLNode {
        var pairs: [YAMLNode.Pair] = []
        var size = 1
        while true {
            let event = try next(bytes)
            if case .close = event { break }
            let key = try node(after: event, bytes, depth: depth + 1)
            guard case .scalar(let name, _) = key.content else {
                throw YAMLFailure(
                    line: key.line, text: "expected a name before the colon, found \(key.found)")
            }
            let value = try node(after: try next(bytes), bytes, depth: depth + 1)
            size += 1 + value.size
            pairs.append(YAMLNode.Pair(key: name, line: event.line, value: value))
        }
        return YAMLNode(content: .mapping(pairs), line: line, size: size)
    }

    /// An anchor is known from its end on, so a node cannot contain itself.
    private func remember(_ node: YAMLNode, _ anchor: String?) -> YAMLNode {
        if let anchor { anchors[anchor] = node }
        return node
    }

    private func count(_ more: Int, line: Int) throws(YAMLFailure) {
        nodes += more
        guard nodes <= Self.maximumNodes else {
            throw YAMLFailure(line: line, text: "expected at most \(Self.maximumNodes) values, found more")
        }
    }
}

extension YAMLReader {
    /// libyaml's events, copied out, so that nothing of C outlives one call.
    private enum Event {
        case documentStart(Int)
        case scalar(Int, String, plain: Bool, anchor: String?)
        case alias(Int, String)
        case sequenceStart(Int, anchor: String?)
        case mappingStart(Int, anchor: String?)
        /// The end of a list or mapping.
        case close(Int)
        /// The end of the text.
        case end(Int)
        case other(Int)

        var line: Int {
            switch self {
            case .documentStart(let line), .scalar(let line, _, _, _), .alias(let line, _),
                .sequenceStart(let line, _), .mappingStart(let line, _), .close(let line), .end(let line),
                .other(let line):
                line
            }
        }
    }

    private func next(_ bytes: [UInt8]) throws(YAMLFailure) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure(bytes) }
        defer { yaml_event_delete(&event) }
        let line = Int(clamping: event.start_mark.line) + 1
        switch event.type {
        case YAML_DOCUMENT_START_EVENT: return .documentStart(line)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            try refuse(tag: scalar.tag, line)
            let text = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return .scalar(
                line, String(decoding: text, as: UTF8.self), plain: scalar.style == YAML_PLAIN_SCALAR_STYLE,
                anchor: Self.string(scalar.anchor))
        case YAML_ALIAS_EVENT: return .alias(line, Self.string(event.data.alias.anchor) ?? "")
        case YAML_SEQUENCE_START_EVENT:
            try refuse(tag: event.data.sequence_start.tag, line)
            return .sequenceStart(line, anchor: Self.string(event.data.sequence_start.anchor))
        case YAML_MAPPING_START_EVENT:
            try refuse(tag: event.data.mapping_start.tag, line)
            return .mappingStart(line, anchor: Self.string(event.data.mapping_start.anchor))
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: return .close(line)
        case YAML_STREAM_END_EVENT: return .end(line)
        default: return .other(line)
        }
    }

    private func refuse(tag: UnsafeMutablePointer<yaml_char_t>?, _ line: Int) throws(YAMLFailure) {
        guard let tag = Self.string(tag) else { return }
        throw YAMLFailure(line: line, text: "expected no tag, found \(YAMLNode.shown(tag))")
    }

    private static func string(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        bytes.map { String(cString: $0) }
    }

    private func failure(_ bytes: [UInt8]) -> YAMLFailure {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "expected YAML"
        switch parser.pointee.error {
        case YAML_READER_ERROR:
            // The reader knows only an offset.
            let before = bytes.prefix(parser.pointee.problem_offset)
            let line = before.reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
            return YAMLFailure(line: line, text: "not UTF-8 text: \(problem)")
        case YAML_MEMORY_ERROR:
            return YAMLFailure(line: 1, text: "out of memory")
        default:
            let line = Int(clamping: parser.pointee.problem_mark.line) + 1
            let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            let indentation = lines.dropFirst(line - 1).first?.prefix { $0 == 0x20 || $0 == 0x09 } ?? []
            if indentation.contains(0x09) {
                return YAMLFailure(line: line, text: "not valid YAML: a tab; YAML is indented with spaces")
            }
            return YAMLFailure(line: line, text: "not valid YAML: \(problem)")
        }
    }
}
