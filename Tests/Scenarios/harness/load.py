"""Clients in numbers: a loop of connects that counts what became of each, and many streams at once."""

from __future__ import annotations

import asyncio
import collections
import resource
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

from harness.client import Address, message, written
from harness.events import Event, Frames


class Loop:
    """A few threads that connect, ask once, read the answer to its end, and start again, until it ends.

    `outcomes` counts `answered` (200), `refused` (nobody listens), `reset`, `cut` (closed without an
    answer), `late` and `status N`.
    """

    def __init__(self, connect: Callable[[], socket.socket], request: bytes, threads: int = 4):
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.slowest = 0.0
        self._connect, self._request = connect, request
        self._stopped = threading.Event()
        self._progress = threading.Condition()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Loop:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> collections.Counter[str]:
        """Lets every request in flight end."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return self.outcomes

    def wait_more(self, count: int, patience: float = 30.0) -> None:
        """Until so many more have been answered."""
        with self._progress:
            goal = self.outcomes["answered"] + count
            assert self._progress.wait_for(lambda: self.outcomes["answered"] >= goal, patience), self.outcomes

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            outcome = self._once()
            with self._progress:
                self.outcomes[outcome] += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
                self._progress.notify_all()

    def _once(self) -> str:
        data = b""
        try:
            with self._connect() as connection:
                connection.sendall(self._request)
                while part := connection.recv(65536):
                    data += part
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "late"
        except OSError:
            return "reset"
        if not data:
            return "cut"
        status = data[9:12].decode()
        return "answered" if status == "200" else f"status {status}"


def dial(address: Address, patience: float = 30.0) -> Callable[[], socket.socket]:
    """A way to connect to this address."""

    def connect() -> socket.socket:
        assert not isinstance(address, str)
        return socket.create_connection(address, patience)

    return connect


def one_message() -> bytes:
    """A whole unstreamed exchange on a connection of its own."""
    return written("POST", "/v1/messages", message(), connection="close")


def allow_descriptors(count: int) -> None:
    """Raises this process's limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def streams(address: Address, count: int, patience: float = 60.0) -> list[list[Event] | str]:
    """So many streamed exchanges at once; each one's events, or what went wrong."""
    assert not isinstance(address, str)
    host, port = address

    async def one() -> list[Event] | str:
        try:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(written("POST", "/v1/messages", message(stream=True), connection="close"))
            data = await reader.read()
            writer.close()
        except OSError as error:
            return repr(error)
        head, _, body = data.partition(b"\r\n\r\n")
        if b" 200 " not in head[:16]:
            return data.decode(errors="replace")
        frames, events = Frames(), list[Event]()
        while body:
            size, _, body = body.partition(b"\r\n")
            length = int(size, 16)
            events += frames.feed(body[:length], 0)
            if length == 0:
                frames.finish()
                return events
            body = body[length + 2 :]
        return "no last chunk"

    async def all_of_them() -> list[list[Event] | str]:
        return await asyncio.wait_for(asyncio.gather(*[one() for _ in range(count)]), patience)

    return asyncio.run(all_of_them())
