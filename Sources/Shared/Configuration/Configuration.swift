// The settings, every default in sight. Immutable within a generation. Read from YAML by
// ConfigurationFile; the keys of a backend stand in BackendKeys, cross-field rules in ConfigurationMistakes.

public import BackendSettings

/// The whole configuration of one generation. Times are in nanoseconds (`Duration`), sizes in bytes.
public struct Configuration: Sendable, Equatable {
    public var listen: [ListenAddress] = [.tcp(host: "127.0.0.1", port: 8484)]
    public var workers: WorkerCount = .auto
    /// Client connections one worker holds at once; 1…1_000_000.
    public var workerSlots = 1024
    public var access: Access = .loopback
    /// Further Host names accepted on loopback listeners.
    public var hosts: [String] = []
    public var limits = Limits()
    public var timeouts = Timeouts()
    public var supervision = Supervision()
    public var log = LogSettings()
    /// Upstream proxy URL; nil = none. The environment's proxy variables are not obeyed.
    public var proxy: String?
    /// Empty = look for local backends on their usual ports, else the demo.
    public var backends: [Backend] = []
    public var models: [ModelRule] = []
    /// How the backends are one service.
    public var service = Service()

    public init() {}

    public enum ListenAddress: Sendable, Equatable {
        case tcp(host: String, port: UInt16)
        case unix(path: String)
    }

    public enum WorkerCount: Sendable, Equatable {
        case auto
        case fixed(Int)
    }

    public enum Access: Sendable, Equatable {
        /// Refuse to bind anything but loopback and Unix sockets.
        case loopback
        case open
        case keys(Secret)
    }

    /// Where a secret is read from; the secret itself never stands in the configuration.
    public enum Secret: Sendable, Hashable {
        /// A file in $CREDENTIALS_DIRECTORY.
        case credential(String)
        case file(String)
        case environment(String)
    }

    public struct Limits: Sendable, Equatable {
        public var header = 64 << 10
        public var requestBody = 32 << 20
        public init() {}
    }

    public struct Timeouts: Sendable, Equatable {
        public var header: Duration = .seconds(10)
        public var body: Duration = .seconds(60)
        public var keepalive: Duration = .seconds(75)
        public var connect: Duration = .seconds(5)
        public var firstByte: Duration = .seconds(15 * 60)
        /// Upstream silent between bytes.
        public var idle: Duration = .seconds(5 * 60)
        /// How long the status line waits for the backend's decision before 200 and pings go out.
        public var holdStatus: Duration = .seconds(8)
        public var drain: Duration = .seconds(10 * 60)
        public init() {}
    }

    public struct Supervision: Sendable, Equatable {
        public var heartbeat: Duration = .seconds(1)
        public var hungAfter: Duration = .seconds(10)
        public var restartDelayMax: Duration = .seconds(30)
        public init() {}
    }

    public struct LogSettings: Sendable, Equatable {
        public var level: LogLevel = .info
        public var format: LogFormat = .auto
        public init() {}
    }

    public enum LogFormat: String, Sendable, CaseIterable {
        case auto, journal, colour, plain
    }

    public enum BackendType: String, Sendable, CaseIterable {
        case ollama, vllm, llamacpp, lmstudio, sglang, openai, openrouter, deepseek, groq, together
        case fireworks, mistral, gemini, anthropic
        case openaiCompatible = "openai-compatible"
        case auto

        /// Hosted services are farther away, and slower to change.
        public var isHosted: Bool { traits.isHosted }
        /// What servers of this type are known to speak.
        var dialects: [DialectSetting] { traits.dialects }

        private var traits: (isHosted: Bool, dialects: [DialectSetting]) {
            switch self {
            case .ollama: (false, [.auto, .openai, .ollama, .anthropic])
            case .vllm, .llamacpp, .lmstudio, .sglang: (false, [.auto, .openai, .anthropic])
            case .openai, .openrouter, .deepseek, .groq, .together, .fireworks, .mistral, .gemini:
                (true, [.auto, .openai])
            case .anthropic: (true, [.auto, .anthropic])
            case .openaiCompatible, .auto: (false, DialectSetting.allCases)
            }
        }
    }

    /// The words of the dialects, and `auto`.
    public enum DialectSetting: String, Sendable, CaseIterable {
        case auto, openai, ollama, anthropic
    }

    public struct Backend: Sendable, Equatable {
        public var name: String
        /// `http://host[:port][/path]` or https, without a trailing slash and without `/v1`.
        public var url: String
        public var type: BackendType = .auto
        /// A lower class is asked only when no backend of the upper ones is usable; 0…1000.
        public var priority = 100
        /// Its share, relative to the others; 1…100.
        public var weight = 1
        /// Requests in flight at once over the whole service; nil = no limit.
        public var maxConcurrent: Int?
        /// Globs that say which of its models are offered; `!` in front excludes. Empty = all.
        public var models: [String] = []
        public var key: Secret?
        public var dialect: DialectSetting = .auto
        /// What the translation obeys.
        public var conversion = ConversionSettings()
        /// Overrides `timeouts.hold_status` for this backend.
        public var holdStatus: Duration?
        /// The context window that Ollama is asked for.
        public var contextWindow: ContextWindow = .auto

        public init(name: String, url: String) {
            self.name = name
            self.url = url
        }
    }

    /// `num_ctx`.
    public enum ContextWindow: Sendable, Equatable {
        /// By what is known of the model.
        case auto
        case tokens(Int)
    }

    /// `match` is a glob (`*` any run, `?` any one character, case-insensitive); `use` is a model name,
    /// `backend/model` or `auto`.
    public struct ModelRule: Sendable, Equatable {
        public var match: String
        public var use: String

        public init(match: String, use: String) {
            self.match = match
            self.use = use
        }
    }
}

/// Levels mean: error = someone must act; warning = recovered by itself; notice = life-cycle;
/// info = one line per exchange; debug = off by default. Raw values are syslog priorities.
public enum LogLevel: Int, Sendable, Comparable, CaseIterable {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7

    public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}
