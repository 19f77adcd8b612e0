public enum JSONKind: Sendable { case null, bool, number, string, array, object }
