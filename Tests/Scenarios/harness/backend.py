"""A scripted OpenAI-compatible server: what it answers, when, and to the byte, stands in the test.

`Backend(answer)` listens on a free loopback port in a thread of its own. For each POST it runs
`answer(turn)`; a `Turn` holds the request and the verbs of an answer. It notices, with the time, when the
other side closes, whatever the script is doing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from harness import PATIENCE

Json = dict[str, Any]
Answer = Callable[["Turn"], Awaitable[None]]


class Gone(Exception):
    """The other side closed while a script was still at work. Ends the script silently."""


class Turn:
    """One request to the backend and the answer that a script gives to it."""

    def __init__(self, connection: _Connection, method: str, path: str, headers: dict[str, str], body: bytes):
        self._connection = connection
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.connection = connection.number
        self.began = time.monotonic()
        self._marks: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self.ended = threading.Event()

    @property
    def json(self) -> Json:
        """The request's body."""
        value: Json = json.loads(self.body)
        return value

    # Verbs of a script (inside the backend's loop).

    async def send(self, data: bytes) -> None:
        """These very bytes, in one write."""
        await self._connection.write(data)

    async def head(self, status: int = 200, content_type: str = "text/event-stream", **more: str) -> None:
        """The head of a chunked answer."""
        lines = [f"HTTP/1.1 {status} Scripted", f"content-type: {content_type}", "transfer-encoding: chunked"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def chunk(self, data: bytes) -> None:
        """One HTTP chunk."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def event(self, *frames: Json) -> None:
        """SSE frames, all in one write."""
        await self.chunk(b"".join(b"data: " + json.dumps(f, ensure_ascii=False).encode() + b"\n\n" for f in frames))

    async def end(self) -> None:
        """The last chunk: the answer is whole, the connection can be used again."""
        await self.send(b"0\r\n\r\n")

    async def done(self) -> None:
        """`[DONE]`, then the last chunk."""
        await self.send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    async def reply(self, status: int, body: bytes | Json, content_type: str = "application/json", **more: str) -> None:
        """A whole answer with Content-Length."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Scripted", f"content-type: {content_type}", f"content-length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode() + data)

    async def until(self, mark: str) -> None:
        """Waits for the test to say `turn.go(mark)`; ends the script if the other side leaves meanwhile."""
        await self._connection.wait_for(self._mark("go " + mark).is_set)

    def reached(self, mark: str) -> None:
        """Tells the test, which waits with `turn.wait(mark)`."""
        self._mark(mark).set()

    async def hang(self) -> None:
        """Stays silent until the other side closes."""
        await self._connection.wait_for(lambda: False)

    def close(self) -> None:
        """Closes the connection in order (FIN)."""
        self._connection.close()

    def reset(self) -> None:
        """Cuts the connection (RST)."""
        self._connection.reset()

    # Verbs of a test (outside the loop).

    def go(self, mark: str) -> None:
        """Lets the script pass `until(mark)`."""
        self._mark("go " + mark).set()
        self._connection.wake()

    def wait(self, mark: str, patience: float = PATIENCE) -> None:
        """Until the script has `reached(mark)`."""
        assert self._mark(mark).wait(patience), f"the backend's script did not reach {mark!r}"

    def wait_gone(self, patience: float = PATIENCE) -> float:
        """Until the other side has closed this connection; answers when (monotonic seconds)."""
        assert self._connection.gone.wait(patience), "the connection to the backend was not closed"
        return self._connection.gone_at

    @property
    def gone(self) -> bool:
        """Whether the other side has closed."""
        return self._connection.gone.is_set()

    def _mark(self, name: str) -> threading.Event:
        with self._lock:
            return self._marks.setdefault(name, threading.Event())


class Backend:
    """The server; `with Backend(answer) as backend`. `answer` can be exchanged at any time."""

    def __init__(self, answer: Answer | None = None, models: list[str] | None = None, port: int = 0):
        from harness.openai_wire import text_answer

        self.answer: Answer = answer or text_answer("Hello there.")
        self.models = ["test-model"] if models is None else models
        self.gets: dict[str, Answer] = {}
        """Answers to GET by path; anything else but /v1/models is a 404."""
        self.posts: dict[str, Answer] = {}
        """Answers to POST by path; these are no turns."""
        self.connections = 0
        self.open = 0
        """Connections open now."""
        self.most_open = 0
        """Most POSTs in answer at once."""
        self.answering = 0
        self.turns: list[Turn] = []
        self.paths: list[str] = []
        """Every request line seen, as `METHOD path`."""
        self.changed = threading.Condition()
        self.loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=4096)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.failures: list[BaseException] = []
        self._served: dict[_Connection, asyncio.Task[None]] = {}
        self._thread = threading.Thread(target=self._run, name="backend", daemon=True)

    def __enter__(self) -> Backend:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        if kind is None and self.failures:
            raise self.failures[0]

    def stop(self) -> None:
        """Closes the door and every connection."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    def turn(self, number: int, patience: float = PATIENCE) -> Turn:
        """The POST with this number (from 0), waiting for it to come."""
        with self.changed:
            came = self.changed.wait_for(lambda: len(self.turns) > number, patience)
            assert came, f"request {number} did not reach the backend ({len(self.turns)} did)"
            return self.turns[number]

    def wait(self, what: str, holds: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Until something holds of this backend."""
        with self.changed:
            assert self.changed.wait_for(holds, patience), f"the backend never saw: {what}"

    def notice(self) -> None:
        """Wakes those that wait for a change."""
        with self.changed:
            self.changed.notify_all()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        serving = self.loop.run_until_complete(self.loop.create_server(lambda: _Connection(self), sock=self._socket))
        self.loop.run_forever()
        serving.close()
        for connection in list(self._served):
            connection.abort()
        self.loop.run_until_complete(asyncio.gather(*self._served.values(), return_exceptions=True))
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def begin(self, connection: _Connection) -> None:
        """Serves a new connection."""
        task = self.loop.create_task(self._serve(connection))
        self._served[connection] = task
        task.add_done_callback(lambda _: self._served.pop(connection, None))

    async def _serve(self, connection: _Connection) -> None:
        try:
            while (turn := await connection.request()) is not None:
                self.paths.append(f"{turn.method} {turn.path}")
                self.notice()
                if turn.path in self.posts:
                    await self.posts[turn.path](turn)
                elif turn.method == "POST":
                    with self.changed:
                        self.turns.append(turn)
                        self.answering += 1
                        self.most_open = max(self.most_open, self.answering)
                        self.changed.notify_all()
                    try:
                        await self.answer(turn)
                    finally:
                        self.answering -= 1
                        turn.ended.set()
                        self.notice()
                else:
                    await self._get(turn)
        except Gone:
            pass
        except Exception as error:  # A mistake in a script is the test's failure, not the daemon's.
            self.failures.append(error)
        finally:
            connection.close()

    async def _get(self, turn: Turn) -> None:
        path = turn.path.partition("?")[0]
        if path in self.gets:
            await self.gets[path](turn)
        elif path == "/v1/models":
            data = [{"id": name, "object": "model", "created": 1700000000, "owned_by": "test"} for name in self.models]
            await turn.reply(200, {"object": "list", "data": data})
        else:
            await turn.reply(404, {"error": {"message": "not found", "type": "not_found"}})


class _Connection(asyncio.Protocol):
    """One accepted connection: always reading, so that a close is seen when it comes."""

    def __init__(self, backend: Backend):
        self.backend = backend
        self.number = 0
        self.gone = threading.Event()
        self.gone_at = 0.0
        self._buffer = bytearray()
        self._woken = asyncio.Event()
        self._writable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # asyncio does this only for sockets that it has made itself.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = self.backend.connections
        self.backend.connections += 1
        self.backend.open += 1
        self.backend.notice()
        self.backend.begin(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._woken.set()

    def eof_received(self) -> bool:
        self._left()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.backend.open -= 1
        self._left()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._woken.set()

    def _left(self) -> None:
        if not self.gone.is_set():
            self.gone_at = time.monotonic()
            self.gone.set()
        self._woken.set()
        self.backend.notice()

    def wake(self) -> None:
        """From another thread: look again at what is waited for."""
        with contextlib.suppress(RuntimeError):  # The loop may have ended.
            self.backend.loop.call_soon_threadsafe(self._woken.set)

    async def wait_for(self, holds: Callable[[], bool]) -> None:
        while not holds():
            if self.gone.is_set():
                raise Gone
            self._woken.clear()
            if not holds():
                await self._woken.wait()

    async def write(self, data: bytes) -> None:
        if self.gone.is_set():
            raise Gone
        self._transport.write(data)
        await self.wait_for(lambda: self._writable)

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def reset(self) -> None:
        raw: socket.socket = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def request(self) -> Turn | None:
        """The next request; nil when the other side has closed in between."""
        try:
            await self.wait_for(lambda: b"\r\n\r\n" in self._buffer)
        except Gone:
            return None
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        assert "transfer-encoding" not in headers, "the backend expects Content-Length from the gateway"
        length = int(headers.get("content-length", "0"))
        self._buffer = bytearray(rest)
        await self.wait_for(lambda: len(self._buffer) >= length)
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return Turn(self, method, path, headers, body)
