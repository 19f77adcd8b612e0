// The form of a golden case, one file: its reason, then sections. Tests/README.md explains how to write one.

/// What stands in the file of a case, without any meaning yet.
struct CaseFile {
    struct Section {
        var kind: Kind
        var name: String
        var bytes: [UInt8]
    }

    enum Kind: String {
        case circumstances
        case input = "in"
        case output = "out"
    }

    /// What is wrong with a case file.
    struct Mistake: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }

    /// What the case shows: the lines before the first section.
    var reason = ""
    var sections: [Section] = []

    init(parsing file: [UInt8]) throws(Mistake) {
        var open: (section: Section, flags: [String])?
        var text: [UInt8] = []
        var rest = file[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: 0x0A).map { $0 + 1 } ?? rest.endIndex
            let line = rest[..<end]
            rest = rest[end...]
            guard let marker = Self.marker(line) else {
                text += line
                continue
            }
            try close(open, text)
            open = try Self.opened(marker)
            text = []
        }
        if file.last != 0x0A { throw Mistake("the file does not end in a line feed") }
        try close(open, text)
        if reason.allSatisfy(\.isWhitespace) { throw Mistake("a case says what it shows, in its first line") }
    }

    private mutating func close(_ open: (section: Section, flags: [String])?, _ text: [UInt8]) throws(Mistake)
    {
        guard let open else {
            reason = String(decoding: text, as: UTF8.self)
            return
        }
        var section = open.section
        if sections.contains(where: { $0.kind == section.kind && $0.name == section.name }) {
            throw Mistake("\(section.kind.rawValue) \(section.name) stands there twice")
        }
        section.bytes = text
        for flag in open.flags {
            switch flag {
            case "escaped": section.bytes = try Self.unescaped(section.bytes)
            case "no final newline" where section.bytes.last == 0x0A: section.bytes.removeLast()
            default: throw Mistake("\(section.name): \(flag) means nothing here")
            }
        }
        sections.append(section)
    }

    /// What stands between the dashes of a line `-- … --`.
    private static func marker(_ line: ArraySlice<UInt8>) -> String? {
        guard line.starts(with: Array("-- ".utf8)), line.count > 6 else { return nil }
        let inner = String(decoding: line.dropFirst(3), as: UTF8.self)
        return inner.hasSuffix(" --\n") ? String(inner.dropLast(4)) : nil
    }

    private static func opened(_ marker: String) throws(Mistake) -> (section: Section, flags: [String]) {
        var name = Substring(marker)
        var flags: [String] = []
        if name.hasSuffix(")"), let open = name.firstIndex(of: "(") {
            let inside = name[name.index(after: open)...].dropLast()
            flags = inside.split(separator: ",").map { String($0.drop { $0 == " " }) }
            name = name[..<open]
            while name.last == " " { name.removeLast() }
        }
        if name == Kind.circumstances.rawValue {
            return (Section(kind: .circumstances, name: "", bytes: []), flags)
        }
        let words = name.split(separator: " ", maxSplits: 1)
        guard words.count == 2, let kind = Kind(rawValue: String(words[0])), kind != .circumstances else {
            throw Mistake("-- \(marker) -- is no section: expected circumstances, in NAME or out NAME")
        }
        return (Section(kind: kind, name: String(words[1]), bytes: []), flags)
    }

    func input(_ name: String) -> [UInt8]? { bytes(.input, name) }
    func output(_ name: String) -> [UInt8]? { bytes(.output, name) }

    private func bytes(_ kind: Kind, _ name: String) -> [UInt8]? {
        sections.first { $0.kind == kind && $0.name == name }?.bytes
    }

    /// `key: value` each, as they stand there.
    func circumstances() throws(Mistake) -> [(key: String, value: String)] {
        var pairs: [(key: String, value: String)] = []
        for line in bytes(.circumstances, "")?.split(separator: 0x0A) ?? [] {
            let parts = line.split(separator: 0x3A, maxSplits: 1)
            guard parts.count == 2, parts[1].first == 0x20 else {
                throw Mistake("\(String(decoding: line, as: UTF8.self)): expected `key: value`")
            }
            pairs.append(
                (
                    String(decoding: parts[0], as: UTF8.self),
                    String(decoding: parts[1].dropFirst(), as: UTF8.self)
                ))
        }
        return pairs
    }

    /// Puts an output in its place, or takes it out.
    /// - Parameter order: names of outputs as they follow each other.
    mutating func record(_ bytes: [UInt8]?, as name: String, order: [String]) {
        let old = sections.firstIndex { $0.kind == .output && $0.name == name }
        switch (old, bytes) {
        case (let index?, let bytes?): sections[index].bytes = bytes
        case (let index?, nil): sections.remove(at: index)
        case (nil, let bytes?):
            let later = order.drop { $0 != name }.dropFirst()
            let index = sections.firstIndex { $0.kind == .output && later.contains($0.name) }
            sections.insert(
                Section(kind: .output, name: name, bytes: bytes), at: index ?? sections.endIndex)
        case (nil, nil): break
        }
    }

    /// The file's bytes.
    var printed: [UInt8] {
        sections.reduce(into: Array(reason.utf8)) { file, section in
            var flags: [String] = []
            var text = section.bytes
            if Self.needsEscapes(text) {
                flags.append("escaped")
                text = Self.escaped(text)
            }
            if let last = text.last, last != 0x0A {
                flags.append("no final newline")
                text.append(0x0A)
            }
            let name =
                section.kind == .circumstances ? "circumstances" : "\(section.kind.rawValue) \(section.name)"
            let shown = flags.isEmpty ? "" : " (\(flags.joined(separator: ", ")))"
            file += Array("-- \(name)\(shown) --\n".utf8) + text
        }
    }
}

// Bytes that an editor would change or hide: `\r`, `\xHH`, and `\\` for the backslash itself.
extension CaseFile {
    private static func needsEscapes(_ bytes: [UInt8]) -> Bool {
        bytes.contains { ($0 < 0x20 && $0 != 0x0A && $0 != 0x09) || $0 == 0x7F }
            || String(validating: bytes, as: UTF8.self) == nil
            || bytes.split(separator: 0x0A).contains { marker($0 + [0x0A]) != nil }
    }

    static func escaped(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        var parser = Unicode.UTF8.ForwardParser()
        var rest = bytes.makeIterator()
        var at = 0
        while true {
            switch parser.parseScalar(from: &rest) {
            case .valid(let scalar):
                let byte = bytes[at]
                switch byte {
                case 0x0D: text += Array(#"\r"#.utf8)
                case 0x5C: text += Array(#"\\"#.utf8)
                case 0x0A, 0x09: text.append(byte)
                // Else its line would open a section.
                case 0x2D where at == 0 || bytes[at - 1] == 0x0A: text += hex(byte)
                case ..<0x20, 0x7F: text += hex(byte)
                default: text += bytes[at..<at + scalar.count]
                }
                at += scalar.count
            case .error(let length):
                for byte in bytes[at..<at + length] { text += hex(byte) }
                at += length
            case .emptyInput: return text
            }
        }
    }

    private static func hex(_ byte: UInt8) -> [UInt8] {
        let digits = String(byte, radix: 16, uppercase: true)
        return Array((#"\x"# + (digits.count < 2 ? "0" : "") + digits).utf8)
    }

    static func unescaped(_ text: [UInt8]) throws(Mistake) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            guard byte == 0x5C else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case 0x5C: bytes.append(0x5C)
            case UInt8(ascii: "x"):
                let digits = rest.prefix(2)
                rest = rest.dropFirst(2)
                guard digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
                else { throw Mistake(#"\x is followed by two digits"#) }
                bytes.append(value)
            default: throw Mistake(#"a backslash is written \\"#)
            }
        }
        return bytes
    }
}
