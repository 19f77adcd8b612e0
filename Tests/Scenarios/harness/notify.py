"""The service manager's notify socket: it keeps every message, in order, with its sender."""

from __future__ import annotations

import array
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness import PATIENCE


@dataclass(frozen=True)
class Notice:
    """One datagram, as its `KEY=value` pairs."""

    at: float
    pid: int
    pairs: dict[str, str]


class NotifySocket:
    """A NOTIFY_SOCKET at `path`."""

    def __init__(self, path: str):
        self.path = path
        self.notices: list[Notice] = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind("\0" + path[1:] if path.startswith("@") else path)
        self._thread = threading.Thread(target=self._listen, name="notify", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            data, control, _, _ = self._socket.recvmsg(65536, 4096)
            if data == b"that is all":
                return
            pid = 0
            for level, kind, value in control:
                if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                    pid = struct.unpack("iII", value[:12])[0]
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:  # A barrier: closing answers it.
                    for descriptor in array.array("i", value):
                        os.close(descriptor)
            pairs = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
            with self._changed:
                self.notices.append(Notice(time.monotonic(), pid, pairs))
                self._changed.notify_all()

    def close(self) -> None:
        """Ends listening."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"that is all", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def wait(self, what: str, matches: Callable[[Notice], bool], patience: float = PATIENCE, after: int = 0) -> int:
        """Until a notice matches, from number `after` on; answers its number."""

        def found() -> int | None:
            return next((n for n, notice in enumerate(self.notices) if n >= after and matches(notice)), None)

        with self._changed:
            number = self._changed.wait_for(lambda: (n := found()) is not None and [n], patience)
            assert number, f"the service manager was not told: {what}; it heard {[n.pairs for n in self.notices]}"
            return number[0]

    def wait_key(self, key: str, value: str, patience: float = PATIENCE, after: int = 0) -> int:
        """Until `key=value` was said."""
        return self.wait(f"{key}={value}", lambda notice: notice.pairs.get(key) == value, patience, after)

    def statuses(self) -> list[str]:
        """Every STATUS= so far."""
        return [notice.pairs["STATUS"] for notice in self.notices if "STATUS" in notice.pairs]
