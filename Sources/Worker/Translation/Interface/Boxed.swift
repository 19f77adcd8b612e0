// For values of many fields that are handed on from type to type and hardly ever changed: copying one costs a
// reference count instead of every field.

/// A value on the heap that its copies share, until one of them is changed.
@propertyWrapper
public struct Boxed<Value: Sendable>: Sendable {
    /// Unchecked: written to only while nobody else holds it.
    private final class Box: @unchecked Sendable {
        var value: Value

        init(_ value: Value) { self.value = value }
    }

    private var box: Box

    public init(wrappedValue: Value) { box = Box(wrappedValue) }

    public var wrappedValue: Value {
        _read { yield box.value }
        _modify {
            if !isKnownUniquelyReferenced(&box) { box = Box(box.value) }
            yield &box.value
        }
    }

    /// The box, for one who shares it.
    public var projectedValue: Boxed<Value> {
        get { self }
        set { self = newValue }
    }
}
