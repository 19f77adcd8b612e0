// What a backend type accepts and how it behaves: data, one value per type.

public struct Profile: Sendable {
    public var name: String

    public init(name: String) { self.name = name }
}
