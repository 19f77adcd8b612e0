"""Refusals of every kind, each in the API's shape under its own request id, on connections that stay usable."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest

from harness import openai_wire
from harness.backend import Backend, Turn
from harness.client import message, written
from harness.daemon import Daemon, backend_config, free_port
from harness.events import check_grammar

TYPES = {
    "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error", "rate_limit_error",
    "timeout_error", "api_error", "overloaded_error", "conflict_error", "request_too_large",
}  # fmt: skip

# Method, path, body, headers, status.
OURS: list[tuple[str, str, Any, dict[str, str], int]] = [
    ("POST", "/v1/messages", b"{", {}, 400),
    ("POST", "/v1/messages", b"", {}, 400),
    ("POST", "/v1/messages", b"\xff\xfe", {}, 400),
    ("POST", "/v1/messages", b"[" * 100_000, {}, 400),
    ("POST", "/v1/messages", message(max_tokens=-1), {}, 400),
    ("POST", "/v1/messages", message(model=""), {}, 400),
    ("POST", "/v1/messages", message(model="nobody-has-this"), {}, 404),
    ("POST", "/v1/messages", message(model="m\r\nx: y"), {}, 404),
    ("POST", "/v1/messages", message(stream="yes"), {}, 400),
    ("POST", "/v1/messages", message(), {"content_encoding": "br"}, 400),
    ("POST", "/v1/messages/count_tokens", b"{}", {}, 400),
    ("POST", "/v1/messages/batches", {"requests": []}, {}, 404),
    ("POST", "/v1/files", b"x", {}, 404),
    ("POST", "/v1/complete", b"{}", {}, 404),
    ("GET", "/v1/foo", None, {}, 404),
    ("GET", "/v1/messages", None, {}, 405),
    ("PUT", "/v1/models", b"{}", {}, 405),
    ("GET", "/v1/models/none", None, {"anthropic_version": "2023-06-01"}, 404),
    ("GET", "/%2e%2e/etc/passwd", None, {}, 404),
]


def test_our_own_refusals_leave_the_connection_usable() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, daemon.client.connect() as connection:
        daemon.log.allow(".")
        for method, path, body, headers, status in OURS:
            began = time.monotonic()
            connection.request(method, path, body, **headers)
            answer = connection.response()
            found, kind, words = answer.error()
            assert (found, kind in TYPES, bool(words)) == (status, True, True), (method, path, answer.body)
            assert answer.headers["request-id"].startswith("req_")
            assert time.monotonic() - began < 2
        connection.request("POST", "/v1/messages", message())
        assert connection.response().status == 200 and len(backend.turns) == 1


def test_a_refusal_and_a_request_in_one_write_are_both_answered() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, daemon.client.connect() as connection:
        body = json.dumps(message()).encode()
        connection.send(written("POST", "/v1/messages", b"{") + written("POST", "/v1/messages", body))
        assert connection.response().error()[:2] == (400, "invalid_request_error")
        assert connection.response().status == 200


def test_headers_of_betas_may_come_twice_and_mean_nothing() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, daemon.client.connect() as connection:
        body = json.dumps(message()).encode()
        head, _, _ = written("POST", "/v1/messages?beta=true", body).partition(b"\r\n\r\n")
        twice = b"\r\nanthropic-beta: a-2099-01-01,b\r\nanthropic-beta: c\r\nx-stainless-retry-count: 1\r\nx-claude-code-session-id: 1"
        connection.send(head + twice + b"\r\n\r\n" + body)
        assert connection.response().status == 200
        assert not [name for name in backend.turns[0].headers if name.startswith(("anthropic", "x-stainless", "x-claude"))]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 418, 422, 429, 431, 499, 500, 501, 502, 503, 504, 507, 520, 529])
def test_a_backends_refusals_are_told_in_the_apis_shape(status: int, streamed: bool) -> None:
    answer = openai_wire.failing(status, {"error": {"message": "some words"}})
    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        daemon.log.allow(".")
        found, kind, words = daemon.client.post("/v1/messages", message(stream=streamed)).error()
        assert kind in TYPES and words and found in (400, 402, 404, 409, 413, 429, 500, 502, 504, 529), (status, found, kind)
        assert len(backend.turns) >= 1


def test_a_failure_behind_the_head_is_told_under_the_heads_request_id() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.text("Hel"), {"error": {"message": "out of memory", "code": 500}})
        await turn.end()

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        daemon.log.allow(".")
        stream = daemon.client.stream()
        events = stream.rest()
        check_grammar(events, ends_in_error=True)
        assert set(events[-1].data) == {"type", "error", "request_id"}
        assert events[-1].data["request_id"] == stream.head.headers["request-id"]
        assert events[-1].data["error"] == {"type": "api_error", "message": "out of memory"}


def test_a_backend_that_is_away_is_told_in_the_apis_shape() -> None:
    config = backend_config(f"http://127.0.0.1:{free_port()}", models=[{"match": "*", "use": "gpu1/test-model"}])
    with Daemon(config) as daemon:
        daemon.log.allow(".")
        for streamed in (True, False):
            found, kind, words = daemon.client.post("/v1/messages", message(stream=streamed)).error()
            assert (found, kind) == (529, "overloaded_error") and words


@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_that_is_compressed_although_nobody_asked_is_refused_in_words(streamed: bool) -> None:
    async def answer(turn: Turn) -> None:
        frames = [openai_wire.text("Hi"), openai_wire.finish(), openai_wire.chunk(usage=openai_wire.usage())]
        events = b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames) + b"data: [DONE]\n\n"
        whole = events if streamed else json.dumps(openai_wire.completion({"content": "Hi"})).encode()
        kind = "text/event-stream" if streamed else "application/json"
        await turn.reply(200, gzip.compress(whole), kind, content_encoding="gzip")

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        daemon.log.allow(".")
        found, kind, words = daemon.client.post("/v1/messages", message(stream=streamed)).error()
        assert (found, kind) == (502, "api_error") and "compressed" in words
        assert backend.turns[0].headers.get("accept-encoding", "identity") == "identity"


def test_an_overflow_is_told_as_one_whatever_other_backends_there_are() -> None:
    """The conversation is too long everywhere: clients have to hear that, not that all have failed."""
    words = "This model's maximum context length is 4096 tokens. However, your request has 5000 input tokens."
    overflow = openai_wire.failing(400, {"error": {"message": words, "type": "BadRequestError", "code": 400}})
    with Backend(overflow) as one, Backend(overflow) as other:
        config = {"backends": [{"name": "one", "url": one.url}, {"name": "other", "url": other.url}], "listen": ["127.0.0.1:0"]}
        with Daemon(config | {"models": [{"match": "*", "use": "test-model"}]}) as daemon:
            daemon.log.allow(".")
            for streamed in (True, False):
                answer = daemon.client.post("/v1/messages", message(stream=streamed))
                assert answer.error()[:2] == (400, "invalid_request_error")
                assert answer.error()[2].startswith("prompt is too long: 5000 tokens > 4096 maximum")
