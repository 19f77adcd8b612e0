// What a worker has in hand: its counters, and one place for each request it is answering, in a memory file that
// it shares with the supervisor, which reads it when it buries the worker. Holds: noting costs no system call and no
// allocation; nothing in it is a prompt or a key; the reader believes nothing of it, and a place is bounded.

internal import CSystem
internal import Glibc

public enum InHand {
    /// Places of one worker; requests beyond them are served without being noted.
    public static let maximumPlaces = 4096

    /// A request that was being answered.
    public struct Entry: Sendable, Equatable {
        public var requestID: String
        public var peer: String
        /// Whose key it came with.
        public var client: String
        public var requestedModel: String
        public var backend: String
        /// CLOCK_MONOTONIC, in nanoseconds.
        public var begun: UInt64
    }

    /// A text in a place: one byte of length, then so many bytes of UTF-8; longer ones are cut.
    struct Field: Sendable {
        let offset: Int
        let room: Int

        static let requestID = Field(offset: 16, room: 32)
        static let peer = Field(offset: 48, room: 64)
        static let client = Field(offset: 112, room: 64)
        static let requestedModel = Field(offset: 176, room: 96)
        static let backend = Field(offset: 272, room: 72)
    }

    /// The first word of a place says whether it is taken, the second eight bytes since when.
    static let begunOffset = 8
    static let placeBytes = 352

    /// In front of the places: the counters, eight bytes each.
    static let headBytes = 32

    public static func bytes(places: Int) -> Int {
        headBytes + min(max(places, 0), maximumPlaces) * placeBytes
    }

    // MARK: Read by the supervisor

    /// What the worker had counted when it ended; zero where it cannot be read.
    public static func figures(of file: borrowing Descriptor) -> WorkerFigures {
        var figures = WorkerFigures()
        var head = [UInt8](repeating: 0, count: headBytes)
        guard pread(file.raw, &head, headBytes, 0) == headBytes else { return figures }
        figures.served = integer(head[...], 0, 8)
        figures.failed = integer(head[...], 8, 8)
        figures.inputTokens = integer(head[...], 16, 8)
        figures.outputTokens = integer(head[...], 24, 8)
        return figures
    }

    /// All places taken in the file of a worker that has ended.
    public static func entries(of file: borrowing Descriptor) -> [Entry] {
        var facts = stat()
        guard fstat(file.raw, &facts) == 0, facts.st_size > 0 else { return [] }
        let count = min((Int(facts.st_size) - headBytes) / placeBytes, maximumPlaces)
        var entries: [Entry] = []
        var room = [UInt8](repeating: 0, count: placeBytes * 64)
        var place = 0
        while place < count {
            let wanted = min(64, count - place) * placeBytes
            let got = pread(file.raw, &room, wanted, off_t(headBytes + place * placeBytes))
            guard got == wanted else {
                if got < 0, errno == EINTR { continue }
                break
            }
            for start in stride(from: 0, to: wanted, by: placeBytes) {
                if let entry = entry(room[start..<(start + placeBytes)]) { entries.append(entry) }
            }
            place += 64
        }
        return entries
    }

    /// Nil when the place is free, or does not hold a name of a request.
    static func entry(_ place: ArraySlice<UInt8>) -> Entry? {
        guard place.count == placeBytes, integer(place, 0, 4) == 1 else { return nil }
        let requestID = text(place, .requestID)
        guard !requestID.isEmpty, requestID.utf8.allSatisfy(isNameByte) else { return nil }
        return Entry(
            requestID: requestID, peer: text(place, .peer), client: text(place, .client),
            requestedModel: text(place, .requestedModel), backend: text(place, .backend),
            begun: integer(place, begunOffset, 8))
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == UInt8(ascii: "_")
    }

    private static func integer(_ place: ArraySlice<UInt8>, _ offset: Int, _ width: Int) -> UInt64 {
        place.dropFirst(offset).prefix(width).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Never more than its room; what is no UTF-8 (a character that was cut) is replaced.
    private static func text(_ place: ArraySlice<UInt8>, _ field: Field) -> String {
        let bytes = place.dropFirst(field.offset).prefix(field.room)
        let count = min(Int(bytes.first ?? 0), field.room - 1)
        return String(decoding: bytes.dropFirst().prefix(count), as: UTF8.self)
    }
}

/// The worker's side. Belongs to one thread.
public final class InHandTable {
    /// Number of a place that is taken.
    public typealias Place = Int

    private let memory: UnsafeMutableRawBufferPointer
    private let places: Int
    /// Places given back, the last first: few pages are ever touched.
    private var free: [Place] = []
    private var untouched = 0

    /// Nil when there is no such file, or it cannot be mapped.
    public init?(mapping file: HeldDescriptor) {
        var facts = stat()
        guard fstat(file.raw, &facts) == 0 else { return nil }
        places = min((Int(facts.st_size) - InHand.headBytes) / InHand.placeBytes, InHand.maximumPlaces)
        let size = InHand.bytes(places: places)
        guard places > 0, let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.raw, 0),
            base != MAP_FAILED
        else { return nil }
        memory = UnsafeMutableRawBufferPointer(start: base, count: size)
    }

    deinit { munmap(memory.baseAddress, memory.count) }

    /// Nil when every place is taken.
    public func begin(_ requestID: String, peer: String, at begun: UInt64) -> Place? {
        let place: Place
        if let last = free.popLast() {
            place = last
        } else if untouched < places {
            place = untouched
            untouched += 1
        } else {
            return nil
        }
        let start = Self.start(of: place)
        memory.storeBytes(of: begun.littleEndian, toByteOffset: start + InHand.begunOffset, as: UInt64.self)
        write(requestID, .requestID, place)
        write(peer, .peer, place)
        for field in [InHand.Field.client, .requestedModel, .backend] { memory[start + field.offset] = 0 }
        publish(place, 1)
        return place
    }

    public func note(client: String, at place: Place) { write(client, .client, place) }
    public func note(requestedModel: String, at place: Place) {
        write(requestedModel, .requestedModel, place)
    }
    public func note(backend: String, at place: Place) { write(backend, .backend, place) }

    /// The worker's counters as they stand.
    public func note(_ figures: WorkerFigures) {
        let counters = (figures.served, figures.failed, figures.inputTokens, figures.outputTokens)
        memory.storeBytes(of: counters.0.littleEndian, as: UInt64.self)
        memory.storeBytes(of: counters.1.littleEndian, toByteOffset: 8, as: UInt64.self)
        memory.storeBytes(of: counters.2.littleEndian, toByteOffset: 16, as: UInt64.self)
        memory.storeBytes(of: counters.3.littleEndian, toByteOffset: 24, as: UInt64.self)
    }

    /// Once for each place begun.
    public func end(_ place: Place) {
        publish(place, 0)
        free.append(place)
    }

    private static func start(of place: Place) -> Int { InHand.headBytes + place * InHand.placeBytes }

    private func publish(_ place: Place, _ state: UInt32) {
        guard let base = memory.baseAddress else { return }
        cs_publish(base + Self.start(of: place), state.littleEndian)
    }

    private func write(_ text: String, _ field: InHand.Field, _ place: Place) {
        var text = text
        let start = Self.start(of: place) + field.offset
        text.withUTF8 { bytes in
            let count = min(bytes.count, field.room - 1)
            memory[start] = UInt8(truncatingIfNeeded: count)
            let room = UnsafeMutableRawBufferPointer(rebasing: memory[(start + 1)..<(start + 1 + count)])
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<count]))
        }
    }
}
