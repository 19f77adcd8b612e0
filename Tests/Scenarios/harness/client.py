"""A client that sees everything: the bytes, their times, and how the connection ended.

Strict on purpose: chunk framing, Content-Length and header syntax must be exact, or the test fails.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from harness import PATIENCE
from harness.events import Event, Frames

Json = dict[str, Any]
Address = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""


class Closed(Exception):
    """The daemon closed the connection; `bytes_seen` came before that."""

    def __init__(self, how: str, bytes_seen: bytes = b""):
        super().__init__(f"{how} after {len(bytes_seen)} bytes: {bytes_seen[-200:]!r}")
        self.how = how
        """`end` (FIN) or `reset` (RST)."""
        self.bytes_seen = bytes_seen


@dataclass
class Response:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    http: str = "HTTP/1.1"

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    def error(self) -> tuple[int, str, str]:
        """Status, type and message of an error in Anthropic shape, checked for its shape."""
        value = self.json
        assert set(value) == {"type", "error", "request_id"}, value
        assert value["type"] == "error" and set(value["error"]) >= {"type", "message"}, value
        assert value["request_id"] == self.headers["request-id"], "request_id differs from the header"
        assert self.headers["content-type"].startswith("application/json")
        return self.status, value["error"]["type"], value["error"]["message"]


class Connection:
    """One connection to the daemon. Requests may be written byte by byte."""

    def __init__(self, address: Address, patience: float = PATIENCE):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
        else:
            self.socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(patience)
        self.socket.connect(address)
        self._buffer = b""

    @classmethod
    def over(cls, connected: socket.socket) -> Connection:
        """A connection that was made elsewhere."""
        self = cls.__new__(cls)
        self.socket, self._buffer = connected, b""
        return self

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # Writing

    def send(self, data: bytes) -> None:
        """These very bytes."""
        self.socket.sendall(data)

    def request(self, method: str, path: str, body: bytes | Json | None = None, **headers: str) -> None:
        """A request with Content-Length; `host` and others can be given, underscores are hyphens."""
        self.send(written(method, path, body, **headers))

    # Reading

    def _more(self) -> bytes:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            raise Closed("reset", self._buffer) from None
        if not data:
            raise Closed("end", self._buffer)
        self._buffer += data
        return data

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._more()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def head(self) -> Response:
        """The next response head, interim ones (1xx) as well."""
        http, _, rest = self._line().decode("ascii").partition(" ")
        assert http in ("HTTP/1.1", "HTTP/1.0"), http
        headers: dict[str, str] = {}
        while line := self._line().decode("latin-1"):
            name, colon, value = line.partition(":")
            assert colon and name == name.strip(), f"bad header line {line!r}"
            assert name.lower() not in headers, f"{name} twice"
            headers[name.lower()] = value.strip()
        return Response(int(rest[:3]), headers, b"", http)

    def chunks(self) -> Iterator[bytes]:
        """The chunks of a chunked body, each as soon as it is there; ends after the last one."""
        while size := int(self._line(), 16):
            yield self._exactly(size)
            assert self._exactly(2) == b"\r\n", "chunk does not end in CRLF"
        assert self._line() == b"", "trailers were not announced"

    def response(self, head_only: bool = False) -> Response:
        """The next whole final response; interim ones are passed over."""
        response = self.head()
        while 100 <= response.status < 200:
            response = self.head()
        return response if head_only else self.rest(response)

    def rest(self, response: Response) -> Response:
        """The body behind a final head."""
        if response.status in (204, 304):
            return response
        if response.headers.get("transfer-encoding") == "chunked":
            response.body = b"".join(self.chunks())
        elif "content-length" in response.headers:
            response.body = self._exactly(int(response.headers["content-length"]))
        else:
            raise AssertionError(f"a body without a length: {response.headers}")
        return response

    def stream(self) -> Stream:
        """The next response as a stream of events."""
        return Stream(self, self.head())

    def closed(self) -> str:
        """Waits for the daemon to close; `end` or `reset`. Nothing more may come before that."""
        try:
            data = self._more()
        except Closed as closed:
            assert not closed.bytes_seen, f"unread bytes: {closed.bytes_seen!r}"
            return closed.how
        raise AssertionError(f"more came instead of a close: {data!r}")

    # Leaving

    def close(self) -> float:
        """Closes at once; answers when (monotonic seconds)."""
        at = time.monotonic()
        self.socket.close()
        return at

    def half_close(self) -> None:
        """Closes the writing side only."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> float:
        """Cuts the connection (RST)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return self.close()


@dataclass
class Stream:
    """A streamed answer, event by event."""

    connection: Connection
    head: Response
    seen: list[Event] = field(default_factory=list)
    raw: bytes = b""

    def __post_init__(self) -> None:
        if self.head.status != 200:
            rest = b"".join(self.connection.chunks()) if "transfer-encoding" in self.head.headers else b""
            rest = rest or self.connection._exactly(int(self.head.headers.get("content-length", "0")))
            raise AssertionError(f"no stream but {self.head.status}: {rest.decode(errors='replace')}")
        assert self.head.headers["content-type"].startswith("text/event-stream"), self.head.headers
        self._frames = Frames()
        self._chunks = self.connection.chunks()
        self._ready: list[Event] = []

    def next(self) -> Event:
        """The next event."""
        while not self._ready:
            try:
                data = next(self._chunks)
            except StopIteration:
                raise AssertionError("the stream has ended in good order") from None
            self.raw += data
            self._ready += self._frames.feed(data, time.monotonic())
        event = self._ready.pop(0)
        self.seen.append(event)
        return event

    def until(self, name: str) -> Event:
        """Reads on to the next event of this name."""
        while (event := self.next()).name != name:
            pass
        return event

    def rest(self) -> list[Event]:
        """All remaining events, to the orderly end of the body; then every event seen."""
        self.seen += self._ready
        self._ready = []
        for data in self._chunks:
            self.raw += data
            self.seen += self._frames.feed(data, time.monotonic())
        self._frames.finish()
        return self.seen

    def broken(self) -> Closed:
        """Reads to the end, which must be a cut: no last chunk."""
        try:
            self.rest()
        except Closed as closed:
            return closed
        raise AssertionError("the stream ended in good order: " + " ".join(event.name for event in self.seen))


def written(method: str, path: str, body: bytes | Json | None = None, **headers: str) -> bytes:
    """The bytes of a request."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    fields = {"host": "localhost", "anthropic-version": "2023-06-01"}
    if data is not None:
        fields |= {"content-type": "application/json", "content-length": str(len(data))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in fields.items() if value != ""]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (data or b"")


class Client:
    """Asks the daemon at one address; each call is a connection of its own."""

    def __init__(self, address: Address):
        self.address = address

    def connect(self, patience: float = PATIENCE) -> Connection:
        """A fresh connection."""
        return Connection(self.address, patience)

    def ask(self, method: str, path: str, body: bytes | Json | None = None, **headers: str) -> Response:
        """One request on one connection."""
        with self.connect() as connection:
            connection.request(method, path, body, **headers)
            return connection.response(head_only=method == "HEAD")

    def get(self, path: str, **headers: str) -> Response:
        """GET."""
        return self.ask("GET", path, None, **headers)

    def post(self, path: str, body: bytes | Json, **headers: str) -> Response:
        """POST."""
        return self.ask("POST", path, body, **headers)

    def message(self, words: str = "Hello", **more: Any) -> Response:
        """One unstreamed message exchange."""
        return self.post("/v1/messages", message(words, **more))

    def stream(self, words: str = "Hello", patience: float = PATIENCE, **more: Any) -> Stream:
        """One streamed message exchange, as far as its head."""
        return self.begin(words, patience, **more).stream()

    def begin(self, words: str = "Hello", patience: float = PATIENCE, **more: Any) -> Connection:
        """A streamed message exchange of which nothing is read yet."""
        connection = self.connect(patience)
        connection.request("POST", "/v1/messages", message(words, stream=True, **more))
        return connection


def message(words: str = "Hello", **more: Any) -> Json:
    """The body of a message request."""
    return {
        "model": "test-model",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": words}],
        **more,
    }
