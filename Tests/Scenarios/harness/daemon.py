"""The real executables under test, started as a service manager would start them.

By default the test binds the listening sockets and the daemon inherits them, so that no port is guessed.
When a scenario ends, the daemon is stopped and must leave nothing behind: no process, no descriptor too
many, no line in its log that the scenario did not expect.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from harness import PATIENCE, processes
from harness.client import Address, Client
from harness.log import Log
from harness.notify import NotifySocket

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(os.environ.get("DRAGOMAN_PROGRAM", ROOT / ".build/release/dragoman"))
KEPT = ("PATH", "LANG", "LC_ALL", "HOME")

# bash, because it takes descriptors of two digits; $$ stays the daemon's pid through exec.
ACTIVATE = 'n=3; for fd in $MOVE; do eval "exec $n<&$fd $fd<&-"; n=$((n+1)); done; export LISTEN_PID=$$; unset MOVE; exec "$@"'


class Daemon:
    """One running daemon; `with Daemon(config) as daemon`."""

    def __init__(
        self,
        config: Json | str | None = None,
        *,
        sockets: Sequence[tuple[str, socket.socket]] | None = None,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        inherit: bool = True,
        program: Path = PROGRAM,
        wait: bool = True,
    ):
        self.folder = Path(tempfile.mkdtemp(prefix="dragoman-"))
        self.config = self.folder / "dragoman.yaml"
        self.printed = self.folder / "printed"
        """What it writes to its standard output."""
        self.write(config if config is not None else {})
        self.notify = NotifySocket(str(self.folder / "notify"))
        self.environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        self.environment |= {
            "NOTIFY_SOCKET": self.notify.path,
            "RUNTIME_DIRECTORY": str(self.folder),
            "XDG_RUNTIME_DIR": str(self.folder),
            "TMPDIR": str(self.folder),
            **(environment or {}),
        }
        self.program = program
        self._own = None if sockets is not None or not inherit else listener()
        self.sockets = list(sockets or []) + ([("api", self._own)] if self._own else [])
        self.arguments = ["serve", "--config", str(self.config), *arguments]
        self._wait = wait
        self.leaves_descriptors = False
        """Set by a scenario whose clients are still connected when it ends."""

    # Life

    def __enter__(self) -> Daemon:
        self.start()
        if self._wait:
            try:
                self.ready()
            except BaseException:
                self._end()
                raise
        return self

    def start(self) -> None:
        """Starts the executable with the inherited sockets at 3, 4, …"""
        moved = [fcntl.fcntl(held.fileno(), fcntl.F_DUPFD, 60) for _, held in self.sockets]
        command = [str(self.program), *self.arguments]
        environment = dict(self.environment)
        if moved:
            environment |= {
                "MOVE": " ".join(map(str, moved)),
                "LISTEN_FDS": str(len(moved)),
                "LISTEN_FDNAMES": ":".join(name for name, _ in self.sockets),
            }
            command = ["/bin/bash", "-c", ACTIVATE, "activate", *command]
        with self.printed.open("ab") as printed:
            self.process = subprocess.Popen(
                command,
                env=environment,
                pass_fds=moved,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        for descriptor in moved:
            os.close(descriptor)
        assert self.process.stderr is not None
        self.log = Log(self.process.stderr)

    def ready(self, patience: float = PATIENCE) -> None:
        """Until READY=1."""
        try:
            self.notify.wait_key("READY", "1", patience)
        except AssertionError as missing:
            raise AssertionError(f"{missing}\nits log:\n{self.log}") from None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            print(f"--- the daemon's log ---\n{self.log}\n--- status: {self.notify.statuses()[-1:]}")
            self._end()
            return
        try:
            if self.process.poll() is None:
                assert self.stop() == 0, f"exit status {self.process.returncode} after SIGTERM; its log:\n{self.log}"
            self.leftovers()
            surprises = self.log.surprises()
            assert not surprises, "the log has lines that nobody expected:\n" + "\n".join(surprises)
        finally:
            self._end()

    def _end(self) -> None:
        """Ends whatever is left of this daemon, and only of this one."""
        self.process.kill()
        self.process.wait()
        for pid in processes.in_session(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.notify.close()
        if self._own:
            self._own.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self, patience: float = PATIENCE) -> int:
        """SIGTERM, then the exit status."""
        self.signal(signal.SIGTERM)
        return self.exit_status(patience)

    def signal(self, number: signal.Signals) -> None:
        """To the supervisor."""
        os.kill(self.process.pid, number)

    def exit_status(self, patience: float = PATIENCE) -> int:
        """Waits for the supervisor to end by itself; -N for a signal."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon did not end in {patience:g} s; its log:\n{self.log}") from None

    def leftovers(self, patience: float = 2.0) -> None:
        """Asserts that no process of this daemon is left."""
        pid = self.process.pid
        processes.wait("no process is left behind", lambda: not processes.in_session(pid), patience)

    # What can be seen of it

    @property
    def pid(self) -> int:
        """The supervisor."""
        return self.process.pid

    def workers(self) -> list[int]:
        """The workers alive now, oldest first."""
        return processes.children(self.pid)

    def wait_workers(self, count: int, without: Sequence[int] = (), patience: float = PATIENCE) -> list[int]:
        """Until so many workers are alive, none of them one of `without`."""

        def there() -> bool:
            now = self.workers()
            return len(now) == count and not set(now) & set(without)

        processes.wait(f"{count} workers", there, patience)
        return self.workers()

    def address(self, number: int = 0) -> Address:
        """Where the inherited socket with this number listens."""
        name = self.sockets[number][1].getsockname()
        return name if isinstance(name, str) else (name[0], name[1])

    @property
    def client(self) -> Client:
        """A client of the first door."""
        return Client(self.address())

    @property
    def url(self) -> str:
        """The first door, for SDKs."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The first door's port."""
        address = self.address()
        assert not isinstance(address, str)
        return address[1]

    def write(self, config: Json | str) -> None:
        """The configuration file; a mapping is written as JSON, which is YAML too."""
        self.config.write_text(config if isinstance(config, str) else json.dumps(config, indent=1) + "\n")

    def run(self, *arguments: str, patience: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Another command of the executable, in the daemon's environment (`status`, `check`)."""
        return command(*arguments, environment=self.environment, program=self.program, patience=patience)

    def wait_in_flight(self, count: int) -> None:
        """Until the daemon says that so many exchanges are under way."""
        processes.wait(f"{count} exchanges in flight", lambda: in_flight(self.status()) == count)

    def status(self) -> Json:
        """`dragoman status --json`."""
        done = self.run("status", "--json")
        assert done.returncode == 0, done
        value: Json = json.loads(done.stdout)
        return value

    def learned(self) -> list[Json]:
        """What exchanges have found out of the first backend's models, as status says."""
        found: list[Json] = self.status()["backends"][0]["learned"]
        return found


def in_flight(status: Json) -> int:
    """Exchanges under way, over all workers."""
    return sum(worker["in_flight"] for worker in status["workers"])


def command(
    *arguments: str,
    environment: dict[str, str] | None = None,
    program: Path = PROGRAM,
    patience: float = PATIENCE,
) -> subprocess.CompletedProcess[str]:
    """Runs the executable to its end."""
    if environment is None:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment = {name: value for name, value in environment.items() if name != "NOTIFY_SOCKET"}
    return subprocess.run(
        [str(program), *arguments], env=environment, capture_output=True, text=True, timeout=patience, check=False
    )


def listener(address: Address = ("127.0.0.1", 0), backlog: int = 4096) -> socket.socket:
    """A listening socket, as a socket unit would make it."""
    if isinstance(address, str):
        held = socket.socket(socket.AF_UNIX)
        held.bind(address)
        held.listen(backlog)
        return held
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    return socket.create_server(address, family=family, backlog=backlog)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


def backend_config(url: str, **more: Any) -> Json:
    """The configuration of one backend, with further keys of the top level."""
    backend = {"name": "gpu1", "url": url, "type": "openai-compatible"}
    # Figures of workers come with their heartbeats: often, so that scenarios need not wait for them.
    return {"workers": 2, "backends": [backend], "supervision": {"heartbeat": "50ms"}, **more}
