"""A backend that speaks the client's own API: bytes pass, but for the model's name and the credentials."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from harness import anthropic_wire
from harness.backend import Backend, Json, Turn
from harness.client import written
from harness.daemon import Daemon, backend_config
from harness.events import check_grammar
from harness.log import fields

MODEL = anthropic_wire.MODEL
STREAM = [
    anthropic_wire.start(),
    anthropic_wire.frame("ping"),
    *anthropic_wire.thinking("Hm.", "EqQBCgIYAhIM=="),
    *anthropic_wire.text("Guten", ' Tag ☀ "x"\n', index=1),
    *anthropic_wire.call("Read", "", '{"n": 12345678901234567890, "f": 1.50', "}", index=2),
    *anthropic_wire.end("tool_use"),
]


def config(backend: Backend, *, hold: str = "8s", **more: Any) -> Json:
    """One backend of Anthropic's dialect; `claude-x` is its model."""
    whole = backend_config(backend.url)
    whole["backends"][0] |= {"dialect": "anthropic", **more}
    return {**whole, "models": [{"match": "claude-x", "use": MODEL}], "timeouts": {"hold_status": hold}}


def anthropic(answer: Any) -> Backend:
    """A backend that lists the model."""
    return Backend(answer, models=[MODEL])


def body(**more: Any) -> Json:
    return {"model": "claude-x", "max_tokens": 1000, "messages": [{"role": "user", "content": "Hello"}], **more}


def test_a_stream_passes_byte_for_byte_but_for_the_model() -> None:
    with anthropic(anthropic_wire.events(*STREAM)) as backend, Daemon(config(backend)) as daemon:
        stream = daemon.client.stream(model="claude-x")
        stream.rest()
        assert stream.raw == b"".join(STREAM).replace(MODEL.encode(), b"claude-x")
        assert stream.head.headers["x-dragoman-mode"] == "passthrough"
        assert stream.head.headers["x-dragoman-model"] == MODEL
        assert "x-dragoman-dropped" not in stream.head.headers
        entry = fields(daemon.log.wait("exchange"))
        assert (entry["input_tokens"], entry["output_tokens"], entry["outcome"]) == ("25", "15", "completed")


def test_a_request_passes_byte_for_byte_but_for_the_model() -> None:
    """Odd spacing, unknown fields, numbers and escapes: what the client wrote is what the backend reads."""
    sent = (
        b'{ "messages" : [ {"role":"user","content":[{"type":"hologram","x":1.50}, {"type":"text","text":"\\u00e4"}]} ],\n'
        b'"unknown": {"model": "claude-x"}, "model" : "claude-x", "max_tokens": 1e3, "top_k":-0 }\n'
    ).replace(b"1e3", b"1000")
    with anthropic(anthropic_wire.text_answer("Hi.")) as backend, Daemon(config(backend)) as daemon:
        response = daemon.client.post("/v1/messages?beta=true", sent, anthropic_beta="a-1,b-2")
        assert response.status == 200 and response.json == {**anthropic_wire.message({"type": "text", "text": "Hi."}), "model": "claude-x"}
        turn = backend.turn(0)
        assert turn.body == sent.replace(b'"model" : "claude-x"', b'"model" : "%s"' % MODEL.encode())
        assert turn.path == "/v1/messages?beta=true"
        assert turn.headers["anthropic-beta"] == "a-1,b-2" and turn.headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize(
    ("kind", "name", "value"), [("anthropic", "x-api-key", "sk-own"), ("vllm", "authorization", "Bearer sk-own"), ("auto", "authorization", "Bearer sk-own")]
)
def test_the_clients_credentials_stay_here(kind: str, name: str, value: str) -> None:
    with anthropic(anthropic_wire.text_answer("Hi.")) as backend:
        anthropic_wire.models(backend, MODEL)
        whole = config(backend, type=kind, key={"env": "OWN"})
        with Daemon(whole, environment={"OWN": "sk-own"}) as daemon:
            response = daemon.client.post(
                "/v1/messages",
                body(),
                x_api_key="sk-client",
                authorization="Bearer sk-client",
                cookie="session=sk-client",
                x_stainless_lang="python",
                anthropic_dangerous_direct_browser_access="true",
                anthropic_version="2026-10-21",
                x_claude_code_session_id="s1",
                referer="http://sk-client/",
            )
            assert response.status == 200
            turn = backend.turn(0)
            assert turn.headers[name] == value
            assert "sk-client" not in str(turn.headers) and b"sk-client" not in turn.body
            known = {"host", "content-length", "accept", "accept-encoding", "content-type", "user-agent", "anthropic-version"}
            assert set(turn.headers) == known | {name}
            assert turn.headers["anthropic-version"] == "2026-10-21"


def test_betas_of_several_lines_go_along_all() -> None:
    with anthropic(anthropic_wire.text_answer("Hi.")) as backend, Daemon(config(backend)) as daemon, daemon.client.connect() as connection:
        head, _, rest = written("POST", "/v1/messages", body()).partition(b"\r\n")
        connection.send(head + b"\r\nAnthropic-Beta: one-1\r\nanthropic-beta: two-2,three-3\r\n" + rest)
        assert connection.response().status == 200
        assert backend.turn(0).headers["anthropic-beta"] == "one-1,two-2,three-3"


def test_what_dragoman_would_answer_itself_is_the_backends_to_decide() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    with anthropic(anthropic_wire.text_answer("Found.")) as backend, Daemon(config(backend)) as daemon:
        for more in ({"tools": [search]}, {"max_tokens": 0}):
            assert daemon.client.post("/v1/messages", body(**more)).json["content"][0]["text"] == "Found."
        assert backend.turn(0).json["tools"] == [search] and backend.turn(1).json["max_tokens"] == 0


def test_one_mebibyte_in_one_event() -> None:
    words = "☀x" * (1 << 18)
    answer = anthropic_wire.events(anthropic_wire.start(), *anthropic_wire.text(words), *anthropic_wire.end())
    with anthropic(answer) as backend, Daemon(config(backend)) as daemon:
        assert check_grammar(daemon.client.stream(model="claude-x").rest())[0]["text"] == words


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_backends_bytes_may_be_cut_anywhere(size: int) -> None:
    whole = b"".join(STREAM)
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    with anthropic(anthropic_wire.events(*parts)) as backend, Daemon(config(backend)) as daemon:
        stream = daemon.client.stream(model="claude-x")
        stream.rest()
        assert stream.raw == whole.replace(MODEL.encode(), b"claude-x")


def test_events_are_passed_on_as_they_come() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.chunk(anthropic_wire.start() + anthropic_wire.text("one")[0])
        for word in ("one", "two"):
            await turn.chunk(anthropic_wire.frame("content_block_delta", index=0, delta={"type": "text_delta", "text": word}))
            await turn.until(word)
        await turn.chunk(b"".join([anthropic_wire.text()[-1], *anthropic_wire.end()]))
        await turn.end()

    with anthropic(answer) as backend, Daemon(config(backend)) as daemon:
        stream = daemon.client.stream(model="claude-x")
        for word in ("one", "two"):
            assert stream.until("content_block_delta").data["delta"]["text"] == word
            backend.turn(0).go(word)
        check_grammar(stream.rest())


def test_silence_before_the_first_event_is_bridged_by_pings_alone() -> None:
    async def answer(turn: Turn) -> None:
        await turn.until("speak")
        await anthropic_wire.text_answer("Late.")(turn)

    with anthropic(answer) as backend, Daemon(config(backend, hold="100ms")) as daemon:
        stream = daemon.client.stream(model="claude-x")
        assert stream.next().name == "ping"
        backend.turn(0).go("speak")
        assert stream.next().name == "message_start"
        names = [event.name for event in stream.rest()]
        assert names.count("message_start") == 1 and names[-1] == "message_stop"


def test_pings_of_ours_stand_between_events_never_in_one() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.chunk(anthropic_wire.start())
        late = b"".join([*anthropic_wire.text("Late."), *anthropic_wire.end()])
        await turn.chunk(late[:20])
        await turn.until("go on")
        await turn.chunk(late[20:])
        await turn.end()

    with anthropic(answer) as backend, Daemon(config(backend)) as daemon:
        stream = daemon.client.stream(model="claude-x")
        assert stream.next().name == "message_start"
        ping = stream.next()
        assert ping.name == "ping" and 9 < ping.at - stream.seen[0].at < 12
        backend.turn(0).go("go on")
        assert check_grammar(stream.rest())[0]["text"] == "Late."


REFUSALS = [
    pytest.param(400, anthropic_wire.error("invalid_request_error", "odd"), {}, 400, "invalid_request_error", "odd", {}, id="400"),
    pytest.param(
        401, anthropic_wire.error("authentication_error", "sk-own is wrong"), {}, 502, "api_error", "credentials",
        {"x-should-retry": "false"}, id="401"
    ),
    pytest.param(404, anthropic_wire.error("not_found_error", "model: x"), {}, 404, "not_found_error", "model: x", {}, id="404"),
    pytest.param(404, {"detail": "Not Found"}, {}, 502, "api_error", "/v1/messages", {"x-should-retry": "false"}, id="404 of the path"),
    pytest.param(
        429, anthropic_wire.error("rate_limit_error", "slow"), {"retry_after": "7", "x_should_retry": "true"}, 429, "rate_limit_error", "slow",
        {"retry-after": "7", "x-should-retry": "true"}, id="429",
    ),
    pytest.param(
        529, anthropic_wire.error(), {"x_should_retry": "false"}, 529, "overloaded_error", "Overloaded",
        {"x-should-retry": "false"}, id="529"
    ),
    pytest.param(
        400, {"error": {"message": "x", "type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096}}, {}, 400,
        "invalid_request_error", "prompt is too long: 5000 tokens > 4096 maximum", {}, id="overflow of llama.cpp",
    ),
    pytest.param(503, {"error": {"message": "Loading model", "code": 503}}, {}, 529, "overloaded_error", "Loading model", {}, id="503"),
]  # fmt: skip


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("status", "refusal", "more", "seen", "kind", "words", "headers"), REFUSALS)
def test_a_refusal(
    status: int, refusal: Json, more: dict[str, str], seen: int, kind: str, words: str, headers: dict[str, str], stream: bool
) -> None:
    answer = anthropic_wire.failing(status, refusal, request_id="req_upstream", **more)
    with anthropic(answer) as backend, Daemon(config(backend)) as daemon:
        daemon.log.allow(".")
        response = daemon.client.post("/v1/messages", body(stream=stream))
        assert response.error()[:2] == (seen, kind) and words in response.error()[2]
        assert response.json["request_id"] == response.headers["request-id"] != "req_upstream"
        assert headers.items() <= response.headers.items(), response.headers
        assert "sk-own" not in response.body.decode()
        assert fields(daemon.log.wait("exchange"))["upstream_request_id"] == "req_upstream"


def test_an_error_in_mid_stream_ends_it_and_carries_our_request_id() -> None:
    error = anthropic_wire.frame("error", error=anthropic_wire.error()["error"])
    frames = [anthropic_wire.start(), *anthropic_wire.text("Hel")[:2], error, *anthropic_wire.end()]
    with anthropic(anthropic_wire.events(*frames)) as backend, Daemon(config(backend)) as daemon:
        daemon.log.allow("exchange")
        stream = daemon.client.stream(model="claude-x")
        assert check_grammar(stream.rest(), ends_in_error=True) == [{"type": "text", "text": "Hel"}]
        assert stream.seen[-1].data["error"] == anthropic_wire.error()["error"]
        assert stream.seen[-1].data["request_id"] == stream.head.headers["request-id"]
        assert fields(daemon.log.wait("exchange"))["outcome"] == "upstream_failed"


@pytest.mark.parametrize("how", ["end", "close", "reset"])
def test_a_stream_that_is_cut_off_never_looks_complete(how: str) -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        whole = b"".join([anthropic_wire.start(), *anthropic_wire.text("Hel"), *anthropic_wire.end()[:1], anthropic_wire.end()[1][:30]])
        await turn.chunk(whole)
        await turn.until("cut")
        if how == "end":
            await turn.end()
        elif how == "close":
            turn.close()
        else:
            turn.reset()

    with anthropic(answer) as backend, Daemon(config(backend)) as daemon:
        daemon.log.allow("exchange")
        stream = daemon.client.stream(model="claude-x")
        stream.until("message_delta")
        backend.turn(0).go("cut")
        names = [event.name for event in stream.rest()]
        assert names[-1] == "error" and "message_stop" not in names
        assert fields(daemon.log.wait("exchange"))["outcome"] == "truncated"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_client_that_leaves_takes_the_backend_along(stream: bool) -> None:
    async def answer(turn: Turn) -> None:
        if stream:
            await turn.head()
            await turn.chunk(anthropic_wire.start())
        turn.reached("working")
        await turn.hang()

    with anthropic(answer) as backend, Daemon(config(backend)) as daemon:
        connection = daemon.client.connect()
        connection.request("POST", "/v1/messages", body(stream=stream))
        turn = backend.turn(0)
        turn.wait("working")
        if stream:
            assert connection.stream().next().name == "message_start"
        left = connection.close()
        assert turn.wait_gone() - left < 0.5


def test_the_next_backend_is_tried_before_the_first_byte_and_never_after() -> None:
    with (
        anthropic(anthropic_wire.failing(500, anthropic_wire.error())) as first,
        anthropic(anthropic_wire.text_answer("Second.")) as second,
    ):
        whole = config(first, priority=200)
        whole["backends"].append({"name": "gpu2", "url": second.url, "type": "openai-compatible", "dialect": "anthropic"})
        with Daemon(whole) as daemon:
            daemon.log.allow("exchange")
            stream = daemon.client.stream(model="claude-x")
            assert check_grammar(stream.rest())[0]["text"] == "Second."
            assert stream.head.headers["x-dragoman-backend"] == "gpu2"
            error = anthropic_wire.frame("error", error=anthropic_wire.error()["error"])
            first.answer = anthropic_wire.events(anthropic_wire.start(), *anthropic_wire.text("Hel")[:2], error)
            stream = daemon.client.stream(model="claude-x")
            assert stream.rest()[-1].name == "error" and len(second.turns) == 1


def test_a_whole_answer_to_a_streamed_request_becomes_events() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"a": 1}}
    said = anthropic_wire.message({"type": "text", "text": "Hi."}, call, reason="tool_use")
    said["usage"] |= {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    with anthropic(anthropic_wire.failing(200, said)) as backend, Daemon(config(backend)) as daemon:
        stream = daemon.client.stream(model="claude-x")
        text, tool = check_grammar(stream.rest())
        assert text["text"] == "Hi." and tool["input"] == {"a": 1}
        assert stream.seen[0].data["message"]["model"] == "claude-x"
        assert fields(daemon.log.wait("exchange"))["repaired"] == "whole-answer"


def test_a_backend_of_unknown_kind_is_asked_what_it_speaks() -> None:
    """Its list is in Anthropic's shape: bytes pass, and what it says of its window is used."""
    with anthropic(anthropic_wire.text_answer("Hi.")) as backend:
        anthropic_wire.models(backend, MODEL, max_input_tokens=300)
        whole = config(backend, dialect="auto", type="auto")
        with Daemon(whole) as daemon:
            response = daemon.client.post("/v1/messages", body())
            assert response.status == 200 and response.headers["x-dragoman-mode"] == "passthrough"
            long = body(messages=[{"role": "user", "content": "word " * 2000}])
            status, kind, words = daemon.client.post("/v1/messages", long).error()
            assert (status, kind) == (400, "invalid_request_error") and words.startswith("prompt is too long: ")
            assert len(backend.turns) == 1


def test_anthropic_itself_is_asked_with_its_headers() -> None:
    async def listing(turn: Turn) -> None:
        if turn.headers.get("x-api-key") != "sk-own" or "anthropic-version" not in turn.headers:
            return await turn.reply(401, anthropic_wire.error("authentication_error", "x-api-key header is required"))
        await turn.reply(200, {"data": [{"type": "model", "id": MODEL}], "has_more": False})

    with anthropic(anthropic_wire.text_answer("Hi.")) as backend:
        backend.gets["/v1/models"] = listing
        for kind in ("anthropic", "auto"):
            whole = config(backend, dialect="auto", type=kind, key={"env": "OWN"})
            with Daemon(whole, environment={"OWN": "sk-own"}) as daemon:
                began = time.monotonic()
                assert daemon.client.post("/v1/messages", body()).status == 200
                assert backend.turns[-1].headers["x-api-key"] == "sk-own" and time.monotonic() - began < 5
