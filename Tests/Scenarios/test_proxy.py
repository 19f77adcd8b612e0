"""Backends behind TLS and a proxy: what the proxy says to CONNECT is never taken for the backend's answer."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from harness import tunnel
from harness.client import Response
from harness.daemon import Daemon, backend_config, free_port
from harness.tunnel import Proxy, SecureBackend

pytestmark = pytest.mark.skipif(tunnel.why_not() is not None, reason=tunnel.why_not() or "")


def oops(message: str) -> bytes:
    return json.dumps({"error": {"message": message}}).encode()


ANSWERS = [
    pytest.param(401, {}, oops("Incorrect API key provided."), (502, "api_error", None, "false"), id="401"),
    pytest.param(404, {}, b'{"detail":"Not Found"}', (502, "api_error", None, "false"), id="404"),
    pytest.param(503, {"content-type": "text/html", "retry-after": "7"}, b"<html>busy", (529, "overloaded_error", "7", "true"), id="503"),
    pytest.param(500, {"content-type": "text/plain"}, b"it broke", (500, "api_error", None, None), id="500"),
    pytest.param(429, {"retry-after": "9"}, oops("slow down"), (429, "rate_limit_error", "9", None), id="429"),
]


def told(response: Response) -> tuple[int, str, str | None, str | None]:
    """What decides for a client."""
    status, kind, _ = response.error()
    return status, kind, response.headers.get("retry-after"), response.headers.get("x-should-retry")


@pytest.mark.parametrize(("status", "headers", "body", "expected"), ANSWERS)
def test_a_refusal_is_the_same_directly_and_through_a_proxy(
    status: int, headers: dict[str, str], body: bytes, expected: tuple[int, str, str | None, str | None]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pem = tunnel.certificate(folder)
        executable = tunnel.program(folder, folder / "crt")
        with SecureBackend(pem) as backend, Proxy() as proxy:
            backend.status, backend.headers, backend.body = status, headers, body
            url = f"https://127.0.0.1:{backend.port}"
            messages = []
            for more in ({}, {"proxy": f"http://127.0.0.1:{proxy.port}"}):
                with Daemon(backend_config(url, **more), program=executable) as daemon:
                    daemon.log.allow(".")
                    for stream in (True, False):
                        response = daemon.client.message(stream=stream)
                        assert told(response) == expected, response
                        messages.append(response.error()[2])
            assert len(set(messages)) == 1
            assert proxy.tunnels >= 2


@pytest.mark.parametrize(
    ("answer", "status", "retry"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 6\r\n\r\nsorry\n", 502, "false"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", 502, "false"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 529, None),
    ],
)
def test_a_proxy_that_refuses_the_tunnel_is_named(answer: bytes, status: int, retry: str | None) -> None:
    with Proxy() as proxy:
        proxy.answer = answer
        more = {"proxy": f"http://127.0.0.1:{proxy.port}", "models": [{"match": "*", "use": "gpu1/some"}]}
        with Daemon(backend_config(f"https://127.0.0.1:{free_port()}", **more)) as daemon:
            daemon.log.allow(".")
            response = daemon.client.message()
            seen, _, message = response.error()
            assert (seen, response.headers.get("x-should-retry")) == (status, retry), response
            assert f"the proxy http://127.0.0.1:{proxy.port} answered CONNECT with status {answer.split()[1].decode()}" in message
