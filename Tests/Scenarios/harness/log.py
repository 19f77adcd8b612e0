"""The daemon's stderr, line by line, as it comes.

Lines that a test has waited for or allowed are expected; an unexpected warning or error is a failure.
"""

from __future__ import annotations

import re
import shlex
import threading
from typing import IO

from harness import PATIENCE


class Log:
    """Reads a stream to its end in a thread of its own."""

    def __init__(self, stream: IO[bytes]):
        self.lines: list[str] = []
        self._expected: list[str] = [
            # A worker that was still starting when the service ended has nothing to finish.
            'worker died .*served=0 .*killed_for="the service ends at once" connections_lost=0 exchanges_lost=0 ',
            # Whoever expects a death expects what was lost with it.
            "warning exchange lost ",
        ]
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), name="log", daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            with self._changed:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        stream.close()

    def wait(self, pattern: str, count: int = 1, patience: float = PATIENCE) -> str:
        """Until `count` lines match; answers the last of them."""
        self.allow(pattern)
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.find(pattern)) >= count, patience)
            assert enough, f"not in the log: {pattern!r} ({count}×). The log:\n{self}"
            return self.find(pattern)[count - 1]

    def find(self, pattern: str) -> list[str]:
        """The lines that match so far."""
        return [line for line in self.lines if re.search(pattern, line)]

    def allow(self, *patterns: str) -> None:
        """Lines like these are no surprise."""
        self._expected += patterns

    def surprises(self) -> list[str]:
        """Warnings, errors and anything that is no log line at all, unless expected."""
        self._thread.join(PATIENCE)
        return [
            line
            for line in self.lines
            if troubling(line) and not any(re.search(pattern, line) for pattern in self._expected)
        ]

    def __str__(self) -> str:
        return "\n".join(self.lines[-60:])


LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?P<level>debug|info|notice|warning|error) ")


def troubling(line: str) -> bool:
    """Whether this line is a warning or worse, or no line of the log at all."""
    match = LINE.match(line)
    return match is None or match["level"] in ("warning", "error")


def fields(line: str) -> dict[str, str]:
    """The `key=value` pairs of a line."""
    return dict(pair.split("=", 1) for pair in shlex.split(line) if re.match(r"[a-z_]+=", pair))
