"""A small machine: this machine's systemd as process 1 of its own namespaces, over a throw-away root.

`with Machine() as machine` boots in a fraction of a second. Nothing that happens inside outlives it and
nothing of it is seen outside: own processes, network (loopback only), mounts, host name, cgroups.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from harness import network
from harness.notify import NotifySocket
from harness.processes import wait

HERE = Path(__file__).resolve().parent
SYSTEMD = Path("/lib/systemd/systemd")
# Host-wide powers that no test needs.
WITHHELD = "-sys_module,-sys_rawio,-sys_time,-sys_boot,-syslog,-mac_admin,-mac_override,-wake_alarm"
BOOT_TIME = 20.0


def hierarchy() -> Path | None:
    """This process's place in the cgroup2 hierarchy."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] == "cgroup2" and fields[3] == "/":
            own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
            return Path(fields[4] + own)
    return None


def why_not() -> str | None:
    """What this host lacks to boot a machine; nil when it can."""
    if os.geteuid() != 0:
        return "needs root"
    if not SYSTEMD.exists():
        return "needs the package systemd"
    for program in ("unshare", "nsenter", "setpriv", "pivot_root"):
        if not shutil.which(program):
            return f"needs {program} (package util-linux)"
    place = hierarchy()
    if place is None or not os.access(place, os.W_OK):
        return "needs a writable cgroup2 hierarchy"
    tried = subprocess.run(["unshare", "-mpf", "mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True, text=True, check=False)
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


class Machine:
    """One machine; ended when the `with` ends, whatever happens."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.exchange = self.folder / "exchange"
        """Seen inside as /run/host."""
        place = hierarchy()
        assert place is not None
        self._cgroup = place / self.folder.name
        self.init = 0
        """Process 1, as this host numbers it."""

    def __enter__(self) -> Machine:
        (self.folder / "disk").mkdir()
        self.exchange.mkdir()
        # Services run as users of their own and may look at what is handed in.
        self.folder.chmod(0o755)
        self._cgroup.mkdir()
        self._notify = NotifySocket(str(self.exchange / "notify"))
        self._said = self.folder / "boot.log"
        command = [
            *("setpriv", "--pdeathsig", "KILL", f"--bounding-set={WITHHELD}"),
            *("unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--fork", "--kill-child"),
            *("--propagation", "private", str(HERE / "boot.sh"), str(self.folder)),
        ]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", 'echo 0 >"$0/cgroup.procs" && exec "$@"', str(self._cgroup), *command],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._notify.wait_key("READY", "1", BOOT_TIME)
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
            self.init = int(children.read_text().split()[0])
        except BaseException as error:
            words = self._said.read_text(errors="replace")
            self._end()
            raise AssertionError(f"the machine did not boot: {error}; it said: {words}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            with contextlib.suppress(Exception):
                print("--- the machine's journal ---\n" + self.run("journalctl", "--no-pager", "-n", "80").stdout)
        self._end()

    def _end(self) -> None:
        # When process 1 is killed the kernel kills all the rest; before it is known, --kill-child does it.
        if self.init:
            os.kill(self.init, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()
        self._notify.close()

        def removed() -> bool:
            for folder, _, _ in os.walk(self._cgroup, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            return not self._cgroup.exists()

        wait("the machine's cgroups are empty", removed)
        shutil.rmtree(self.folder)

    # Inside

    def run(self, *command: str, check: bool = False, patience: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs a command inside to its end."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.init), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--", *command],
            cwd="/",
            env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER": "", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def systemctl(self, *arguments: str) -> str:
        """`systemctl`, which must succeed; what it printed."""
        return self.run("systemctl", *arguments, check=True).stdout

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.systemctl("show", "--value", "-p", name, unit).strip()

    def wait_show(self, unit: str, name: str, value: str, patience: float = 20.0) -> None:
        """Until a property has this value."""
        deadline = time.monotonic() + patience
        while (now := self.show(unit, name)) != value:
            assert time.monotonic() < deadline, f"{unit}: {name} is {now!r}, not {value!r}"

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file inside."""
        handed = self.exchange / "handed-in"
        handed.write_text(text)
        self.run("install", "-D", "-m", oct(mode)[2:], "/run/host/handed-in", path, check=True)
        handed.unlink()

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Sockets that this thread makes meanwhile belong to the machine's network, also afterwards."""
        with open(f"/proc/{self.init}/ns/net") as namespace, network.inside(namespace.fileno()):
            yield

    def connect(self, port: int) -> socket.socket:
        """A connection to a port inside."""
        with self.network():
            made = socket.socket()
        made.settimeout(30)
        made.connect(("127.0.0.1", port))
        return made

