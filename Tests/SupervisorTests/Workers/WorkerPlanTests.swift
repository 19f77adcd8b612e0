// What a worker is started with.

import Testing

@testable import Supervisor

@Suite("Worker plan") struct WorkerPlanTests {
    @Test("a worker keeps the contract's variables, nothing else: no secret, nor where one lies")
    func environment() {
        let all = [
            "PATH": "/bin", "HOME": "/h", "LISTEN_FDS": "1", "NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "1",
            "GPU_KEY": "k", "CREDENTIALS_DIRECTORY": "/c", "OTHER": "x", "JOURNAL_STREAM": "8:1",
        ]
        #expect(WorkerPlan.kept { all[$0] } == ["PATH=/bin", "HOME=/h", "JOURNAL_STREAM=8:1"])
    }
}
