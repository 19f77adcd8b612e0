// swift-tools-version: 6.2
import PackageDescription

// Inner targets live inside the three source folders so that the compiler keeps the walls between
// them: Translation and Routing see no socket and no clock, Supervisor sees no HTTP and no JSON of clients.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

// The checks that no two accesses to a property overlap cost 3 % of a small request. They are on in the debug
// build, with which the unit tests run.
let hot: [SwiftSetting] =
    strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

let package = Package(
    name: "dragoman",
    products: [
        .executable(name: "dragoman", targets: ["Supervisor"]),
        .executable(name: "dragoman-worker", targets: ["Worker"]),
    ],
    targets: [
        // Shared
        .target(
            name: "CSystem", path: "Sources/Shared/CSystem",
            cSettings: [.define("_GNU_SOURCE"), .unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .systemLibrary(
            name: "CYAML", path: "Sources/Shared/CYAML", pkgConfig: "yaml-0.1",
            providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(
            name: "CSystemd", path: "Sources/Shared/CSystemd", pkgConfig: "libsystemd",
            providers: [.apt(["libsystemd-dev"])]),
        .target(name: "JSON", path: "Sources/Shared/JSON", swiftSettings: strict),
        // Values that both Shared, which reads them, and Translation, which obeys them, must know.
        .target(name: "BackendSettings", path: "Sources/Shared/BackendSettings", swiftSettings: strict),
        .target(
            name: "Shared", dependencies: ["BackendSettings", "CSystem", "CYAML"], path: "Sources/Shared",
            exclude: ["BackendSettings", "CSystem", "CYAML", "CSystemd", "JSON"], swiftSettings: strict),

        // Supervisor
        .target(
            name: "Scheduling", dependencies: ["Shared"], path: "Sources/Supervisor/Scheduling",
            swiftSettings: hot),
        .executableTarget(
            name: "Supervisor", dependencies: ["Shared", "Scheduling", "JSON", "CSystem", "CSystemd"],
            path: "Sources/Supervisor", exclude: ["Scheduling"], swiftSettings: strict),

        // Worker
        .systemLibrary(
            name: "CCurlSystem", path: "Sources/Worker/CCurlSystem", pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(
            name: "CCurl", dependencies: ["CCurlSystem"], path: "Sources/Worker/CCurl",
            cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .target(
            name: "CConcurrency", path: "Sources/Worker/CConcurrency",
            cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .target(
            name: "EventLoop", dependencies: ["CSystem", "CConcurrency"],
            path: "Sources/Worker/EventLoop", swiftSettings: hot),
        .target(name: "HTTP", path: "Sources/Worker/HTTP", swiftSettings: hot),
        .target(
            name: "Upstream", dependencies: ["EventLoop", "CCurl"], path: "Sources/Worker/Upstream",
            swiftSettings: hot),
        .target(
            name: "Translation", dependencies: ["BackendSettings", "JSON"],
            path: "Sources/Worker/Translation",
            swiftSettings: hot),
        .target(
            name: "Routing", dependencies: ["Shared"], path: "Sources/Worker/Routing",
            swiftSettings: hot),
        .executableTarget(
            name: "Worker",
            dependencies: [
                "Shared", "BackendSettings", "CSystem", "JSON", "EventLoop", "HTTP", "Upstream",
                "Translation", "Routing",
            ],
            path: "Sources/Worker",
            exclude: [
                "CConcurrency", "CCurlSystem", "CCurl", "EventLoop", "HTTP", "Upstream", "Translation",
                "Routing",
            ],
            swiftSettings: hot),

        // Tests
        .testTarget(name: "JSONTests", dependencies: ["JSON", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "SharedTests", dependencies: ["Shared", "BackendSettings", "CSystem", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "SupervisorTests",
            dependencies: ["Supervisor", "Shared", "Scheduling", "JSON", "CSystem", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "SchedulingTests",
            dependencies: ["Scheduling", "Shared", "SchedulingTesting", "TestSupport"],
            swiftSettings: strict),
        .testTarget(name: "HTTPTests", dependencies: ["HTTP", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "EventLoopTests",
            dependencies: ["EventLoop", "Upstream", "CSystem", "loop-probe", "LoopTesting", "TestSupport"],
            swiftSettings: strict),
        // Counts the threads of a process that has nothing but the loop; run by EventLoopTests.
        .executableTarget(
            name: "loop-probe", dependencies: ["EventLoop", "Upstream", "CSystem"],
            path: "Tests/LoopProbe", swiftSettings: strict),
        .testTarget(
            name: "TranslationTests",
            dependencies: [
                "Translation", "BackendSettings", "JSON", "TestSupport", "TranslationTesting",
            ],
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(name: "RoutingTests", dependencies: ["Routing", "Shared"], swiftSettings: strict),
        .testTarget(
            name: "WorkerTests",
            dependencies: [
                "Worker", "Shared", "BackendSettings", "JSON", "EventLoop", "HTTP", "Upstream",
                "Translation", "Routing", "LoopTesting",
            ],
            swiftSettings: strict),
        // Randomness with a seed, and the measure of work.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        // Replies driven from end to end, and the grammars of both client APIs; for golden cases and fuzzers.
        .target(
            name: "TranslationTesting", dependencies: ["Translation", "JSON"],
            path: "Tests/TranslationTesting",
            swiftSettings: strict),
        // Random events for the scheduler; for its tests and, a million of them, for `make simulate`.
        .target(
            name: "SchedulingTesting", dependencies: ["Scheduling", "Shared", "TestSupport"],
            path: "Tests/SchedulingTesting", swiftSettings: strict),
        // The one thread that drives the loop in the process of all tests.
        .target(
            name: "LoopTesting", dependencies: ["EventLoop"], path: "Tests/LoopTesting",
            swiftSettings: strict),

        // The scheduler against synthetic coding sessions, for `make simulate`; not installed.
        .executableTarget(
            name: "dragoman-simulate",
            dependencies: ["Scheduling", "Shared", "SchedulingTesting", "TestSupport"],
            path: "Tests/Simulation", swiftSettings: strict),

        // The load generator and mock backend of `make bench`; not installed.
        .executableTarget(
            name: "dragoman-bench", dependencies: ["CSystem"], path: "Tests/Bench",
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

// Built only by Tests/Fuzz/run, with sanitizers and a `main` that comes from the fuzzer's runtime.
if Context.environment["DRAGOMAN_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "dragoman-fuzz",
            dependencies: [
                "JSON", "Shared", "BackendSettings", "HTTP", "Translation", "TestSupport",
                "TranslationTesting",
            ],
            path: "Tests/Fuzz", exclude: ["run"],
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
}
