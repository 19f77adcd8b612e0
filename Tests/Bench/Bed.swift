// The test bed: mock, nginx and Dragoman on free ports of the loopback, their configuration and logs in one
// temporary folder, load runs as processes of their own.

import CSystem
import Glibc

/// Who is being measured.
enum Subject: String, CaseIterable {
    case direct, nginx, dragoman

    var dialect: Dialect { self == .dragoman ? .anthropic : .openai }
}

final class Bed {
    let folder: String
    let executable: String
    let dragomanPath: String
    let nginxPath: String
    let streams: Int
    let verbose: Bool
    private let signals: Int32
    private(set) var ports: [Subject: Int] = [:]
    private var children: [Subject: Child] = [:]
    /// The listener that outlives Dragoman in the restart phase, as a service manager would hold it.
    private(set) var listener: Int32?
    private var runs = 0

    init(dragoman: String, nginx: String, streams: Int, verbose: Bool) throws {
        dragomanPath = dragoman
        nginxPath = nginx
        self.streams = streams
        self.verbose = verbose
        var own = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &own, own.count)
        guard count > 0 else { throw BenchError.system("/proc/self/exe") }
        executable = String(decoding: own[..<count], as: UTF8.self)
        var template = Array("/tmp/dragoman-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchError.system("mkdtemp") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // nginx's workers run as another user when the suite runs as root.
        chmod(folder, 0o755)
        Sockets.raiseOpenFiles()
        signals = cs_signal_descriptor([SIGINT, SIGTERM, SIGHUP], 3)
    }

    func port(_ subject: Subject) -> Int { ports[subject] ?? 0 }

    func tree(_ subject: Subject) -> ProcessTree? { children[subject]?.tree }

    func child(_ subject: Subject) -> Child? { children[subject] }

    /// Ends everything and removes the folder.
    func clear() {
        for subject in [Subject.dragoman, .nginx, .direct] { stop(subject) }
        if verbose { return }
        for name in [
            "nginx.conf", "dragoman.yaml", "mock.log", "nginx.log", "dragoman.log", "load.log", "nginx.pid",
        ] {
            unlink("\(folder)/\(name)")
        }
        for kind in ["body", "proxy", "fastcgi", "uwsgi", "scgi"] { rmdir("\(folder)/\(kind)") }
        rmdir(folder)
    }

    func stop(_ subject: Subject) {
        children.removeValue(forKey: subject)?.end()
    }

    func startMock() throws {
        let log = "\(folder)/mock.log"
        children[.direct] = try Child("mock", executable, ["mock"], log: log)
        for _ in 0..<500 {
            if let text = Files.readText(log), text.hasSuffix("\n"),
                let port = text.split(whereSeparator: \.isWhitespace).last.flatMap({ Int($0) })
            {
                ports[.direct] = port
                return
            }
            usleep(5000)
        }
        throw BenchError("the mock did not start; see \(log)")
    }

    /// Starts a subject and returns the milliseconds to its first good answer.
    func start(
        _ subject: Subject, activated: Bool = false, logLevel: String = "warning", backends: Int = 1
    ) throws -> Double {
        stop(subject)
        let begin: UInt64
        switch subject {
        case .direct:
            try startMock()
            return 0
        case .nginx:
            ports[.nginx] = try Sockets.freePort()
            try Files.write(nginxConfiguration, to: "\(folder)/nginx.conf")
            begin = cs_now()
            children[.nginx] = try Child(
                "nginx", nginxPath, ["-p", folder, "-c", "\(folder)/nginx.conf"], log: "\(folder)/nginx.log")
        case .dragoman:
            if activated, listener == nil {
                let bound = try Sockets.listen(port: 0)
                listener = bound.fd
                ports[.dragoman] = bound.port
            } else if !activated {
                ports[.dragoman] = try Sockets.freePort()
            }
            try Files.write(
                dragomanConfiguration(logLevel, backends: backends), to: "\(folder)/dragoman.yaml")
            begin = cs_now()
            children[.dragoman] = try Child(
                "dragoman", dragomanPath, ["serve", "--config", "\(folder)/dragoman.yaml"],
                log: "\(folder)/dragoman.log", listener: activated ? listener : nil)
        }
        try waitUntilReady(subject)
        return Double(cs_now() - begin) / 1e6
    }

    private func waitUntilReady(_ subject: Subject) throws {
        let request = RequestBodies.request(
            dialect: subject.dialect, port: port(subject), stream: false, size: 300, directive: Directive())
        let limit = cs_now() + 15_000_000_000
        var last = "no connection"
        while cs_now() < limit {
            if children[subject]?.runs != true { break }
            if let client = OneShot(port: port(subject)), client.send(request), let answer = client.receive()
            {
                if answer.status == 200 { return }
                last = "\(answer.status) \(String(decoding: answer.body.prefix(300), as: UTF8.self))"
            }
            usleep(300)
        }
        let log = (Files.readText("\(folder)/\(subject.rawValue).log") ?? "").suffix(2000)
        throw BenchError("\(subject.rawValue) did not get ready: \(last)\n\(log)")
    }

    private var nginxConfiguration: String {
        """
        worker_processes 2; daemon off; pid \(folder)/nginx.pid; error_log stderr crit; worker_rlimit_nofile 65536;
        events { worker_connections 20000; multi_accept on; }
        http {
          access_log off; client_max_body_size 64m; client_body_buffer_size 1m;
          client_body_temp_path \(folder)/body; proxy_temp_path \(folder)/proxy; fastcgi_temp_path \(folder)/fastcgi;
          uwsgi_temp_path \(folder)/uwsgi; scgi_temp_path \(folder)/scgi;
          keepalive_timeout 300; keepalive_requests 1000000;
          upstream backend { server 127.0.0.1:\(port(.direct)); keepalive 2000; keepalive_requests 1000000; }
          server {
            listen 127.0.0.1:\(port(.nginx)) backlog=4096;
            location / {
              proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
              proxy_buffering off; proxy_read_timeout 300s;
            }
          }
        }

        """
    }

    /// - Parameter backends: so many names for the one mock.
    private func dragomanConfiguration(_ logLevel: String, backends: Int) -> String {
        let list = (1...max(1, backends)).map { number in
            """
              - name: bench\(number)
                url: http://127.0.0.1:\(port(.direct))
                type: openai-compatible

            """
        }
        return """
            listen: ["127.0.0.1:\(port(.dragoman))"]
            workers: 2
            worker_slots: \(max(1024, streams))
            log: {level: \(logLevel), format: plain}
            backends:
            \(list.joined())
            """
    }

    /// Seconds of CPU of the suite and of all it has started, the ended ones included.
    var cpuSeconds: Double {
        children.values.reduce(Self.ownCPU(RUSAGE_SELF) + Self.ownCPU(RUSAGE_CHILDREN)) {
            $0 + $1.tree.cpuSeconds
        }
    }

    private static func ownCPU(_ who: __rusage_who) -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(who.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    /// Throws when someone wants the suite to end.
    func checkInterrupted() throws {
        var sender: pid_t = 0
        if signals >= 0, cs_next_signal(signals, &sender) > 0 { throw BenchError("interrupted") }
    }

    func pause(_ seconds: Double) throws {
        let end = cs_now() + UInt64(seconds * 1e9)
        while cs_now() < end {
            try checkInterrupted()
            usleep(10_000)
        }
    }

    /// Starts a load run against one subject; `finish` waits for it.
    func beginLoad(_ subjects: [Subject], _ arguments: [String]) throws -> LoadRunning {
        runs += 1
        let output = "\(folder)/load-\(runs).json"
        let targets = subjects.flatMap { ["--target", "\($0.rawValue)=\($0.dialect.rawValue)@\(port($0))"] }
        let child = try Child(
            "load", executable, ["load"] + targets + arguments + ["--out", output], log: "\(folder)/load.log")
        return LoadRunning(child: child, output: output)
    }

    /// `sample` is called about once a second meanwhile.
    func finish(_ load: LoadRunning, sample: () -> Void = {}) throws -> LoadReport {
        var next = cs_now() + 1_000_000_000
        while load.child.runs {
            try checkInterrupted()
            if cs_now() > next {
                next = cs_now() + 1_000_000_000
                sample()
            }
            usleep(10_000)
        }
        guard load.child.exitCode == 0, let bytes = Files.read(load.output) else {
            throw BenchError("a load run failed; see \(folder)/load.log")
        }
        if !verbose { unlink(load.output) }
        return LoadReport(bytes)
    }
}
