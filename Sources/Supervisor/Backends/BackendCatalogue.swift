// Which backends there are, by number, and what each of them is and has, as the prober listed it last. Pure.
// Holds: a name keeps its number for the life of this process; a list is known whole or not at all; whatever
// a prober tells, there are at most `maximumBackends` and `maximumModels`.

import Shared

struct BackendCatalogue: Sendable {
    /// Configured and found together.
    static let maximumBackends = Configuration.maximumBackends
    /// Models of all backends together.
    static let maximumModels = 16_384

    struct Entry: Sendable {
        let announcement: BackendAnnouncement
        /// Nil where it was found on a usual port.
        let configured: Configuration.Backend?
        /// What the prober found it to be and to speak; "" = as configured.
        fileprivate(set) var foundType = ""
        fileprivate(set) var foundDialect = ""
        /// In the backend's own order; nil before its first list.
        fileprivate(set) var models: [ModelFacts]?
        /// Its list was longer than there is room for.
        fileprivate(set) var isCut = false

        var number: BackendNumber { announcement.number }
        var name: String { announcement.name }
        var url: String { announcement.url }

        var type: String {
            if !foundType.isEmpty { return foundType }
            let type = configured?.type ?? .auto
            return (type == .auto ? .openaiCompatible : type).rawValue
        }

        /// What it is spoken to in.
        var dialect: Configuration.DialectSetting {
            if let found = Configuration.DialectSetting(rawValue: foundDialect), found != .auto {
                return found
            }
            if let dialect = configured?.dialect, dialect != .auto { return dialect }
            switch Configuration.BackendType(rawValue: type) {
            case .ollama: return .ollama
            case .anthropic: return .anthropic
            default: return .openai
            }
        }

        /// The model's name as the backend knows it.
        func model(_ digest: ModelDigest) -> String? {
            models?.first { ModelDigest(of: $0.id) == digest }?.id
        }
    }

    /// What a list has changed.
    struct Change: Equatable, Sendable {
        let backend: BackendNumber
        /// There was none before.
        let isFirst: Bool
        /// Other names than before.
        let hasOtherNames: Bool
        /// It is too long now, and was not before.
        let wasCutNow: Bool
    }

    private struct Draft: Sendable {
        let type: String
        let dialect: String
        var models: [ModelFacts] = []
        var names: Set<String> = []
        var isCut = false
    }

    /// By number.
    private(set) var entries: [Entry] = []
    /// Lists whose last part has not come yet.
    private var drafts: [BackendNumber: Draft] = [:]

    init(_ configured: [Configuration.Backend]) {
        for backend in configured.prefix(Self.maximumBackends) {
            add(backend.name, backend.url, priority: backend.priority, configured: backend)
        }
    }

    subscript(_ number: BackendNumber) -> Entry? {
        entries.indices.contains(Int(number.value)) ? entries[Int(number.value)] : nil
    }

    /// By priority, then in the order of the file or of their discovery.
    var byPreference: [Entry] {
        entries.sorted { left, right in
            let (a, b) = (left.announcement.priority, right.announcement.priority)
            return a == b ? left.number < right.number : a > b
        }
    }

    // MARK: Backends

    /// Found on a usual port; nil when it is known already, by name or by address, or there is no room.
    mutating func discover(name: String, url: String, priority: UInt32) -> Entry? {
        guard entries.count < Self.maximumBackends, !name.isEmpty,
            !entries.contains(where: { $0.name == name || $0.url == url })
        else { return nil }
        return add(name, url, priority: Int(priority), configured: nil)
    }

    @discardableResult
    private mutating func add(
        _ name: String, _ url: String, priority: Int, configured: Configuration.Backend?
    ) -> Entry {
        let number = BackendNumber(UInt16(clamping: entries.count))
        let announcement = BackendAnnouncement(
            number, name: name, url: url, priority: UInt32(clamping: priority),
            isDiscovered: configured == nil)
        let entry = Entry(announcement: announcement, configured: configured)
        entries.append(entry)
        return entry
    }

    // MARK: Lists

    /// - Returns: nil while the list is not whole, and where it says what is known.
    mutating func take(_ part: ListingPart) -> Change? {
        let number = part.backend
        guard self[number] != nil else { return nil }
        if part.isFirst { drafts[number] = Draft(type: part.type, dialect: part.dialect) }
        guard var draft = drafts.removeValue(forKey: number) else { return nil }
        for model in part.models where draft.names.insert(model.id).inserted {
            if draft.models.count >= ListingPart.maximumModels {
                draft.isCut = true
                // Its names need not be remembered.
                draft.names.remove(model.id)
            } else {
                draft.models.append(model)
            }
        }
        guard part.isLast else {
            drafts[number] = draft
            return nil
        }
        return settle(draft, number)
    }

    /// Another prober tells everything from its beginning.
    mutating func forgetDrafts() { drafts = [:] }

    private mutating func settle(_ draft: Draft, _ number: BackendNumber) -> Change? {
        let index = Int(number.value)
        guard entries.indices.contains(index) else { return nil }
        let others = entries.reduce(0) { $0 + ($1.number == number ? 0 : $1.models?.count ?? 0) }
        let room = max(0, Self.maximumModels - others)
        let models = draft.models.count > room ? Array(draft.models.prefix(room)) : draft.models
        let isCut = draft.isCut || models.count < draft.models.count
        let before = entries[index]
        entries[index].foundType = draft.type
        entries[index].foundDialect = draft.dialect
        entries[index].models = models
        entries[index].isCut = isCut
        guard
            before.models != models || before.foundType != draft.type
                || before.foundDialect != draft.dialect
        else { return nil }
        return Change(
            backend: number, isFirst: before.models == nil,
            hasOtherNames: before.models.map { !$0.elementsEqual(models) { $0.id == $1.id } } ?? true,
            wasCutNow: isCut && !before.isCut)
    }

    /// The list as it is told to workers; nothing before there is one.
    func parts(of number: BackendNumber) -> [ListingPart] {
        guard let entry = self[number], let models = entry.models else { return [] }
        let starts = Array(stride(from: 0, to: max(models.count, 1), by: ListingPart.models))
        return starts.map { start in
            ListingPart(
                number, type: entry.foundType, dialect: entry.foundDialect, isFirst: start == 0,
                isLast: start == starts.last,
                models: Array(models.dropFirst(start).prefix(ListingPart.models)))
        }
    }
}
