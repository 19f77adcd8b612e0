// The version of both executables; they are released together.

/// As `--version` prints it.
public let dragomanVersion = "0.1.0"
