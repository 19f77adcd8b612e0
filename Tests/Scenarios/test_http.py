"""The HTTP side of the doors: framing, limits, addresses, who may come in, and the shape of refusals."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime

import pytest

from harness import processes
from harness.backend import Backend
from harness.client import Closed, message, written
from harness.daemon import Daemon, backend_config

BODY = json.dumps(message()).encode()


def test_one_connection_serves_many_requests_also_sent_all_at_once() -> None:
    """Keep-alive after plain, streamed and refused answers; then five requests in one write."""
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, daemon.client.connect() as connection:
        for stream in (False, True, False):
            connection.request("POST", "/v1/messages", message(stream=stream))
            assert connection.response().status == 200
        connection.request("GET", "/nowhere")
        assert connection.response().status == 404
        connection.send(written("GET", "/health") * 2 + written("POST", "/v1/messages", BODY) * 3)
        assert [connection.response().status for _ in range(5)] == [200] * 5
        assert len(backend.turns) == 6


def test_a_request_may_come_byte_by_byte() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, daemon.client.connect() as connection:
        for byte in written("POST", "/v1/messages", BODY):
            connection.send(bytes([byte]))
        assert connection.response().json["content"] == [{"type": "text", "text": "Hello there."}]


def test_a_chunked_request_body_is_read() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, daemon.client.connect() as connection:
        connection.request("POST", "/v1/messages", transfer_encoding="chunked", content_type="application/json")
        for start in range(0, len(BODY), 7):
            part = BODY[start : start + 7]
            connection.send(b"%x;ignored=1\r\n%s\r\n" % (len(part), part))
        connection.send(b"0\r\n\r\n")
        assert connection.response().status == 200
        connection.request("GET", "/health")
        assert connection.response().status == 200


def test_expect_100_continue_is_answered_before_the_body_comes() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, daemon.client.connect() as connection:
        connection.send(written("POST", "/v1/messages", None, content_length=str(len(BODY)), expect="100-continue"))
        assert connection.head().status == 100
        connection.send(BODY)
        assert connection.response().status == 200


def test_head_requests_have_no_body() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, daemon.client.connect() as connection:
        for path in ("/", "/api/hello", "/health"):
            connection.request("HEAD", path)
            assert connection.response(head_only=True).status == 200, path
        connection.request("GET", "/health")
        assert connection.response().status == 200


def test_http_1_0_and_connection_close_end_the_connection() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        with daemon.client.connect() as connection:
            connection.request("GET", "/health", connection="close")
            assert connection.response().headers["connection"] == "close"
            assert connection.closed() == "end"
        with daemon.client.connect() as connection:
            connection.send(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert connection.response().status == 200
            assert connection.closed() == "end"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"GET /health HTTP/1.1\r\n\r\n", 400, id="no Host"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, id="two Hosts"),
        pytest.param(b"GET  /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, id="two spaces"),
        pytest.param(b"GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n", 505, id="another HTTP"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n", 400, id="space before the colon"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: localhost\r\n folded: 1\r\n\r\n", 400, id="folded header"),
        pytest.param(
            b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            id="two lengths: smuggling",
        ),
        pytest.param(
            b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
            400,
            id="two Content-Lengths",
        ),
        pytest.param(
            b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400, id="negative length"
        ),
        pytest.param(
            b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            501,
            id="gzip coding",
        ),
        pytest.param(
            b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
            400,
            id="a body without an end",
        ),
        pytest.param(
            b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;\r\n",
            400,
            id="a chunk extension that is none",
        ),
        pytest.param(
            b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            400,
            id="a chunk size that is none",
        ),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70000, 431, id="header too long"),
        pytest.param(
            b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X: 1\r\n" * 5000, 431, id="too many headers"
        ),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 20 + b"\r\n\r\n", 400, id="TLS hello"),
    ],
)
def test_broken_requests_get_their_status_in_our_shape_and_the_connection_ends(request_bytes: bytes, status: int) -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        with daemon.client.connect() as connection:
            connection.send(request_bytes)
            response = connection.response()
            assert response.error()[0] == status
            assert response.headers["connection"] == "close"
            assert connection.closed() in ("end", "reset")
        assert daemon.client.get("/health").status == 200
        daemon.log.allow(".*")
        assert backend.turns == []


def test_a_body_beyond_the_limit_is_413_before_it_is_read() -> None:
    with Backend() as backend:
        with Daemon(backend_config(backend.url, limits={"request_body": "100KiB"})) as daemon:
            with daemon.client.connect() as connection:
                connection.send(written("POST", "/v1/messages", None, content_length=str(200 << 10)))
                assert connection.response().error()[:2] == (413, "request_too_large")
            with daemon.client.connect() as connection:
                connection.request("POST", "/v1/messages", transfer_encoding="chunked")
                with pytest.raises((BrokenPipeError, ConnectionResetError)):
                    for _ in range(10000):
                        connection.send(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
            padded = message("x" * (90 << 10))
            assert daemon.client.post("/v1/messages", padded).status == 200


def test_a_slow_head_is_ended_and_so_is_a_slow_body() -> None:
    """A head gets 408 or a close after `timeouts.header`; a body that stops coming 408 after `timeouts.body`."""
    timeouts = {"header": "300ms", "body": "300ms"}
    with Backend() as backend, Daemon(backend_config(backend.url, timeouts=timeouts)) as daemon:
        for sent in (b"GET /health HTT", written("POST", "/v1/messages", None, content_length="50") + b'{"model"'):
            with daemon.client.connect() as connection:
                began = time.monotonic()
                connection.send(sent)
                try:
                    assert connection.response().error()[0] == 408
                except Closed as closed:
                    assert closed.how == "end"
                assert 0.25 < time.monotonic() - began < 2


def test_an_idle_connection_is_closed_in_time() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url, timeouts={"keepalive": "300ms"})) as daemon:
        with daemon.client.connect() as connection:
            connection.request("GET", "/health")
            assert connection.response().status == 200
            began = time.monotonic()
            assert connection.closed() == "end"
            assert 0.25 < time.monotonic() - began < 2


def test_the_same_doors_under_the_prefixes_that_people_type() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        paths = ["/v1/messages", "/v1/messages?beta=true", "/v1/v1/messages", "/messages", "/anthropic/v1/messages"]
        for path in [*paths, "/olla/anthropic/v1/messages"]:
            assert daemon.client.post(path, message()).status == 200, path
            counted = daemon.client.post(path.partition("?")[0] + "/count_tokens", message())
            assert counted.status == 200 and counted.json["input_tokens"] > 0, path
        for path in ("/anthropic/v1/models", "/olla/anthropic/v1/models", "/olla/openai/v1/models"):
            assert daemon.client.get(path).json["data"][0]["id"] == "test-model", path
        for path in ("/api/hello", "/anthropic/api/hello"):
            assert daemon.client.get(path).status == 200, path
            assert daemon.client.ask("HEAD", path).status == 200, path


def test_what_is_not_there_says_so_in_our_shape() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        assert daemon.client.get("/nowhere").error()[:2] == (404, "not_found_error")
        assert daemon.client.post("/v1/complete", {}).error()[:2] == (404, "not_found_error")
        refused = daemon.client.get("/v1/messages")
        assert refused.error()[0] == 405 and "POST" in refused.headers["allow"]
        refused = daemon.client.ask("DELETE", "/v1/models")
        assert refused.error()[0] == 405 and "GET" in refused.headers["allow"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"{}", b'{"model":"m","max_tokens":1,"messages":"no"}'])
def test_bodies_that_are_no_request_are_400(body: bytes) -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, daemon.client.connect() as connection:
        connection.request("POST", "/v1/messages", body)
        assert connection.response().error()[:2] == (400, "invalid_request_error")
        connection.request("GET", "/health")
        assert connection.response().status == 200, "the connection stays usable"


def test_every_answer_has_a_request_id_of_its_own() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        answers = [daemon.client.get("/health"), daemon.client.get("/nowhere"), daemon.client.message()]
        answers += [daemon.client.stream().head, daemon.client.post("/v1/messages", b"{")]
        identifiers = [answer.headers["request-id"] for answer in answers]
        assert len(set(identifiers)) == 5 and all(identifier.startswith("req_") for identifier in identifiers)


def test_foreign_host_names_are_refused_on_loopback() -> None:
    """A web page that rebinds its own name to 127.0.0.1 gets nothing."""
    with Backend() as backend, Daemon(backend_config(backend.url, hosts=["gateway.lan"])) as daemon:
        port = daemon.port
        for host in ("localhost", f"localhost:{port}", "127.0.0.1", f"127.0.0.1:{port}", "[::1]", "LOCALHOST", "gateway.lan"):
            assert daemon.client.get("/health", host=host).status == 200, host
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", f"evil.example:{port}", "10.0.0.1"):
            assert daemon.client.post("/v1/messages", message(), host=host).error()[:2] == (403, "permission_error"), host
        assert "access-control-allow-origin" not in daemon.client.get("/health", origin="http://evil.example").headers


def test_keys_are_asked_for_and_either_header_brings_one() -> None:
    with Backend() as backend:
        daemon = Daemon(None)
        keys = daemon.folder / "keys"
        keys.write_text("first-key\n\n# a comment\nsecond-key\n")
        keys.chmod(0o600)
        daemon.write(backend_config(backend.url, access={"keys": {"file": str(keys)}}))
        with daemon:
            client = daemon.client
            assert client.post("/v1/messages", message()).error()[:2] == (401, "authentication_error")
            assert client.post("/v1/messages", message(), x_api_key="wrong").error()[0] == 401
            assert client.post("/v1/messages", message(), x_api_key="first-key").status == 200
            assert client.post("/v1/messages", message(), authorization="Bearer second-key").status == 200
            assert client.get("/v1/models").error()[0] == 401
            assert client.get("/health").status == 200
            assert all("first-key" not in value for turn in backend.turns for value in turn.headers.values())
            daemon.log.allow("401|key")
            assert not daemon.log.find("first-key|second-key")


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21", ""])
def test_both_versions_of_the_api_and_none_are_served(version: str) -> None:
    """What only the newer version refuses (sampling parameters) is taken with all of them."""
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        answer = daemon.client.post("/v1/messages", message(temperature=0.5), anthropic_version=version)
        assert answer.status == 200
        assert backend.turns[0].json["temperature"] == 0.5


def test_errors_that_clients_tell_apart_carry_their_code() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        thread = daemon.client.post("/v1/messages", message(thread={"type": "continue", "previous_message_id": "msg_1"}))
        encoded = daemon.client.post("/v1/messages", BODY, content_encoding="zstd")
        assert [answer.status for answer in (thread, encoded)] == [400, 400]
        assert thread.json["error"]["details"] == {"error_code": "thread_unsupported_request"}
        assert encoded.json["error"]["details"] == {"error_code": "request_body_encoding_unsupported"}
        assert not backend.turns


def test_requests_of_web_pages_are_refused_on_loopback() -> None:
    """A page cannot read the answer, but it could spend what the backends cost."""
    with Backend() as backend, Daemon(backend_config(backend.url, hosts=["gateway.lan"])) as daemon:
        client = daemon.client
        for origin in ("https://evil.example", "null", "http://localhost:1", f"https://evil.example:{daemon.port}"):
            assert client.post("/v1/messages", message(), origin=origin).error()[:2] == (403, "permission_error"), origin
        for site in ("cross-site", "same-site"):
            assert client.post("/v1/messages", message(), sec_fetch_site=site).error()[0] == 403, site
        assert backend.turns == []
        for origin in (f"http://localhost:{daemon.port}", f"http://127.0.0.1:{daemon.port}", "http://gateway.lan:3000"):
            assert client.post("/v1/messages", message(), origin=origin).status == 200, origin
        assert client.post("/v1/messages", message(), sec_fetch_site="same-origin").status == 200
        daemon.log.allow("status=403")


def test_every_answer_has_its_date() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        answers = [daemon.client.get("/health"), daemon.client.get("/nowhere"), daemon.client.message()]
        answers.append(daemon.client.stream().head)
        for answer in answers:
            said = parsedate_to_datetime(answer.headers["date"]).timestamp()
            assert abs(said - time.time()) < 10


def test_bodies_of_endpoints_that_take_none_cost_no_memory() -> None:
    """Without a key, and each a byte short of its end."""
    size = 8 << 20
    with Backend() as backend, Daemon(backend_config(backend.url, workers=1)) as daemon:
        worker = daemon.workers()[0]
        before = processes.memory(worker)
        held = [daemon.client.connect() for _ in range(8)]
        for connection in held:
            connection.send(written("POST", "/api/event_logging/batch", None, content_length=str(size)))
            # Answered at once: what is still sent is read over.
            assert connection.response().headers["connection"] == "close"
            connection.send(b"x" * (size - 1))
        assert daemon.client.get("/health").status == 200
        assert processes.memory(worker) - before < size
        for connection in held:
            connection.close()


def test_a_client_that_pipelines_without_end_keeps_no_memory_here() -> None:
    """Each write is the end of one request and the beginning of the next."""
    get = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 60000 + b"\r\n\r\n"
    half = len(get) // 2
    with Backend() as backend, Daemon(backend_config(backend.url, workers=1)) as daemon:
        worker = daemon.workers()[0]
        before = processes.memory(worker)
        with daemon.client.connect() as connection:
            connection.send(get[:half])
            for _ in range(600):
                connection.send(get[half:] + get[:half])
                assert connection.response().status == 200
            assert processes.memory(worker) - before < 4 << 20, "36 MB have come"
