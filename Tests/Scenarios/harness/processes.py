"""What /proc says of a process: state, children, session, environment, descriptors."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from harness import PATIENCE


def _stat(pid: int) -> list[str]:
    with open(f"/proc/{pid}/stat") as file:
        line = file.read()
    # The name stands in parentheses and may hold anything; fields count from after it (state first).
    return line[line.rindex(")") + 2 :].split()


def _all() -> dict[int, list[str]]:
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found[int(entry)] = _stat(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return _stat(pid)[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    """The living children of a process, oldest first."""
    return sorted(
        (child for child, stat in _all().items() if int(stat[1]) == pid and stat[0] not in "ZX"),
        key=lambda child: (int(_started(child)), child),
    )


def _started(pid: int) -> str:
    try:
        return _stat(pid)[19]
    except (FileNotFoundError, ProcessLookupError):
        return "0"


def in_session(session: int) -> list[int]:
    """The living processes of a session."""
    return [pid for pid, stat in _all().items() if int(stat[3]) == session and stat[0] not in "ZX"]


def environment(pid: int) -> dict[str, str]:
    """The environment a process was started with."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        pairs = file.read().decode(errors="replace").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def descriptors(pid: int) -> dict[int, str]:
    """A process's open descriptors and what they are."""
    found = {}
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/{pid}/fd/{entry}")
        except FileNotFoundError:
            pass
    return found


def memory(pid: int) -> int:
    """Proportional share of memory (PSS), bytes."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("Pss:"))


def wait(what: str, holds: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Until something holds that no event tells of; looks every 2 ms."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, f"did not come true in {patience:g} s: {what}"
        time.sleep(0.002)
