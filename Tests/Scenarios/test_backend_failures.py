"""A backend that refuses, breaks, hangs or dies: the client hears it truly, in the right place and words."""

from __future__ import annotations

import time
from typing import Any

import pytest

from harness import openai_wire
from harness.backend import Answer, Backend, Turn
from harness.client import Closed, message
from harness.daemon import Daemon, backend_config, free_port
from harness.events import check_grammar
from harness.log import fields
from harness.openai_wire import failing

VLLM_OVERFLOW = (
    "This model's maximum context length is 4096 tokens. However, you requested 1000 output tokens and your "
    "prompt contains at least 5000 input tokens, for a total of at least 6000 tokens."
)
LLAMA_OVERFLOW = {
    "error": {
        "code": 400,
        "message": "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 5000,
        "n_ctx": 4096,
    }
}
HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>no</h1></body></html>"


def oops(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "some_type", "param": None, "code": None, **more}}


# What the backend answers, then what the client gets: status, type, words in the message, further headers.
REFUSALS = [
    pytest.param(failing(400, oops("bad thing")), 400, "invalid_request_error", "bad thing", {"x-should-retry": "false"}, id="400"),
    pytest.param(
        failing(422, {"detail": [{"msg": "odd field", "loc": ["body"]}]}), 400, "invalid_request_error", "odd field", {}, id="422"
    ),
    pytest.param(
        failing(400, oops(VLLM_OVERFLOW)), 400, "invalid_request_error", "prompt is too long: 5000 tokens > 4096 maximum", {}, id="overflow of vLLM"
    ),
    pytest.param(
        failing(400, LLAMA_OVERFLOW), 400, "invalid_request_error", "prompt is too long: 5000 tokens > 4096 maximum", {}, id="overflow of llama.cpp"
    ),
    pytest.param(
        failing(500, LLAMA_OVERFLOW), 400, "invalid_request_error", "prompt is too long: 5000 tokens > 4096 maximum", {}, id="overflow as 500"
    ),
    pytest.param(
        failing(400, oops("too much", code="context_length_exceeded")), 400, "invalid_request_error", "prompt is too long", {}, id="overflow by code"
    ),
    pytest.param(
        failing(401, oops("bad key sk-123")), 502, "api_error", "credentials", {"x-should-retry": "false"}, id="401 with our key"
    ),
    pytest.param(failing(402, oops("pay")), 402, "billing_error", "pay", {"x-should-retry": "false"}, id="402"),
    pytest.param(
        failing(404, oops("The model `x` does not exist.", code="model_not_found")), 404, "not_found_error", "x", {}, id="404 of a model"
    ),
    pytest.param(failing(404, b"nothing here", "text/plain"), 502, "api_error", "/v1/chat/completions", {"x-should-retry": "false"}, id="404 of a path"),
    pytest.param(failing(413, HTML, "text/html"), 413, "request_too_large", "", {}, id="413"),
    pytest.param(failing(429, oops("slow down"), retry_after="2.2"), 429, "rate_limit_error", "slow down", {"retry-after": "3"}, id="429"),
    pytest.param(
        failing(429, oops("slow down"), x_ratelimit_reset_requests="1m3.5s"), 429, "rate_limit_error", "slow down", {"retry-after": "60"}, id="429 with a reset"
    ),
    pytest.param(
        failing(429, oops("no credit", code="insufficient_quota")), 402, "billing_error", "no credit", {"x-should-retry": "false"}, id="quota"
    ),
    pytest.param(
        failing(200, b"\x1f\x8b\x08", content_encoding="GZIP"), 502, "api_error", "compressed (gzip)", {"x-should-retry": "false"}, id="compressed"
    ),
    pytest.param(
        failing(429, b"\x1f\x8b\x08", content_encoding="gzip", retry_after="3"), 429, "rate_limit_error", "429", {"retry-after": "3"}, id="429 compressed"
    ),
    pytest.param(
        failing(200, oops("not so", code=400), content_encoding="identity"), 400, "invalid_request_error", "not so", {}, id="identity is no compression"
    ),
    pytest.param(failing(500, oops("it broke")), 500, "api_error", "it broke", {}, id="500"),
    pytest.param(failing(502, HTML, "text/html"), 502, "api_error", "502 Bad Gateway", {}, id="502 in HTML"),
    pytest.param(
        failing(503, oops("Loading model", code=503)), 529, "overloaded_error", "Loading model", {"retry-after": "5", "x-should-retry": "true"}, id="503"
    ),
    pytest.param(failing(504, b""), 504, "timeout_error", "", {}, id="504"),
    pytest.param(
        failing(200, HTML, "text/html"), 502, "api_error", "gpu1 answered with a web page (502 Bad Gateway) instead of JSON; check that its API is at 127.0.0.1:",
        {"x-should-retry": "false"}, id="a web page with status 200"
    ),
    pytest.param(
        failing(200, b"Ollama is running", "text/plain"), 502, "api_error", "gpu1 answered with text (Ollama is running) instead of JSON",
        {"x-should-retry": "false"}, id="text with status 200"
    ),
    pytest.param(failing(200, b"{not json"), 502, "api_error", "", {}, id="garbage with status 200"),
    pytest.param(failing(200, oops("hidden failure", code=500)), 500, "api_error", "hidden failure", {}, id="an error with status 200"),
]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("answer", "status", "kind", "words", "headers"), REFUSALS)
def test_a_refusal_before_the_first_token_is_a_status(
    answer: Answer, status: int, kind: str, words: str, headers: dict[str, str], stream: bool
) -> None:
    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        daemon.log.allow(".")
        response = daemon.client.message(stream=stream)
        seen_status, seen_kind, message = response.error()
        assert (seen_status, seen_kind) == (status, kind)
        assert words in message and "sk-123" not in message
        assert headers.items() <= response.headers.items(), response.headers
        assert daemon.client.get("/health").status == 200


async def error_frame_first(turn: Turn) -> None:
    await turn.head()
    await turn.event(oops("no slot is free", code=503))
    await turn.done()


async def bytes_that_are_no_http(turn: Turn) -> None:
    await turn.send(b"\x00\x01\x02 what?\r\n\r\n")
    turn.close()


async def nothing_and_gone(turn: Turn) -> None:
    turn.close()


async def head_and_gone(turn: Turn) -> None:
    await turn.head()
    turn.reset()


async def clean_end_without_a_word(turn: Turn) -> None:
    await turn.head()
    await turn.end()


@pytest.mark.parametrize(
    ("answer", "statuses"),
    [
        pytest.param(error_frame_first, {529}, id="an error as first frame"),
        pytest.param(bytes_that_are_no_http, {502}, id="no HTTP"),
        pytest.param(nothing_and_gone, {529, 502}, id="closed without an answer"),
        pytest.param(head_and_gone, {529, 502}, id="reset after the head"),
        pytest.param(clean_end_without_a_word, {502, 500}, id="an empty stream"),
    ],
)
def test_a_stream_that_fails_before_it_begins_is_still_a_status(answer: Answer, statuses: set[int]) -> None:
    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        daemon.log.allow(".")
        assert daemon.client.message(stream=True).error()[0] in statuses


def test_a_backend_that_is_not_there_is_529_with_retry_after() -> None:
    with Daemon(backend_config(f"http://127.0.0.1:{free_port()}", models=[{"match": "*", "use": "gpu1/some"}])) as daemon:
        daemon.log.allow(".")
        for stream in (True, False):
            began = time.monotonic()
            response = daemon.client.message(stream=stream)
            assert response.error()[:2] == (529, "overloaded_error")
            assert response.headers["retry-after"] == "5"
            assert time.monotonic() - began < 3


def test_a_backend_that_stays_silent_is_504_in_time() -> None:
    async def answer(turn: Turn) -> None:
        await turn.hang()

    timeouts = {"first_byte": "300ms"}
    with Backend(answer) as backend, Daemon(backend_config(backend.url, timeouts=timeouts)) as daemon:
        daemon.log.allow(".")
        for number, stream in enumerate((True, False)):
            began = time.monotonic()
            assert daemon.client.message(stream=stream).error()[:2] == (504, "timeout_error")
            assert 0.25 < time.monotonic() - began < 2
            backend.turn(number).wait_gone()


async def resets(turn: Turn) -> None:
    turn.reset()


async def ends_without_last_chunk(turn: Turn) -> None:
    turn.close()


async def ends_in_good_order_but_unfinished(turn: Turn) -> None:
    await turn.end()


async def says_that_it_failed(turn: Turn) -> None:
    await turn.event(oops("out of memory", code=500))
    await turn.done()


async def falls_silent(turn: Turn) -> None:
    await turn.hang()


async def sends_garbage(turn: Turn) -> None:
    await turn.send(b"zz\r\nnonsense\r\n")
    await turn.hang()


@pytest.mark.parametrize(
    "breaks",
    [resets, ends_without_last_chunk, ends_in_good_order_but_unfinished, says_that_it_failed, falls_silent, sends_garbage],
)
@pytest.mark.parametrize("inside", ["text", "tool call"])
def test_a_stream_that_breaks_ends_in_an_error_event_never_in_a_made_up_end(breaks: Answer, inside: str) -> None:
    """Text so far is kept by a stop of its block; a half tool call is never completed."""

    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.text("half an ans"))
        if inside == "tool call":
            await turn.event(openai_wire.call("Bash", '{"command": "rm -r'))
        await turn.until("break")
        await breaks(turn)

    tools = [{"name": "Bash", "description": "", "input_schema": {"type": "object", "properties": {}}}]
    with Backend(answer) as backend, Daemon(backend_config(backend.url, timeouts={"idle": "500ms"})) as daemon:
        daemon.log.allow(".")
        stream = daemon.client.stream(tools=tools)
        stream.until("content_block_delta")
        backend.turn(0).go("break")
        try:
            events = stream.rest()
        except Closed as closed:
            raise AssertionError("cut instead of an error event") from closed
        blocks = check_grammar(events, ends_in_error=True)
        assert [block["type"] for block in blocks] == ["text"]
        assert events[-1].data["request_id"] == stream.head.headers["request-id"]
        told = daemon.log.wait("request_id=" + stream.head.headers["request-id"])
        assert fields(told)["outcome"] in ("truncated", "upstream_failed", "timed_out"), told


def test_a_backend_that_never_ends_after_its_finish_is_let_go_soon() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.text("all of it"), openai_wire.finish())
        await turn.until("later")
        await turn.event(openai_wire.chunk(usage=openai_wire.usage(5, 3)))
        await turn.hang()

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        began = time.monotonic()
        stream = daemon.client.stream()
        stream.until("content_block_delta")
        backend.turn(0).go("later")
        events = stream.rest()
        check_grammar(events)
        assert 2 < time.monotonic() - began < 6
        backend.turn(0).wait_gone()
        assert events[-2].data["usage"]["input_tokens"] == 5
        assert fields(daemon.log.wait(stream.head.headers["request-id"]))["outcome"] == "completed"


def test_counts_that_come_late_are_waited_for() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.text("all of it"), openai_wire.finish())
        turn.reached("finish")
        await turn.until("count")
        await turn.event(openai_wire.chunk(usage=openai_wire.usage(5, 3)))
        await turn.done()

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        began = time.monotonic()
        stream = daemon.client.stream()
        stream.until("content_block_delta")
        backend.turn(0).wait("finish")
        backend.turn(0).go("count")
        assert stream.rest()[-2].data["usage"]["output_tokens"] == 3
        assert time.monotonic() - began < 2.5


def test_a_pooled_connection_found_dead_is_tried_once_more_on_a_fresh_one() -> None:
    """The backend closes an idle connection just as the next request goes out on it."""

    async def answer(turn: Turn) -> None:
        if turn.connection == first and len(backend.turns) > 1:
            turn.reset()
        else:
            await openai_wire.text_answer("Hello there.")(turn)

    with Backend() as backend:
        with Daemon(backend_config(backend.url, workers=1)) as daemon:
            assert daemon.client.message().status == 200
            first = backend.turn(0).connection
            backend.answer = answer
            assert daemon.client.message().status == 200
            assert [turn.connection == first for turn in backend.turns] == [True, True, False]


def test_upstream_connections_are_used_again() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url, workers=1)) as daemon:
        for stream in (False, True, False, True):
            assert daemon.client.message(stream=stream).status == 200
        assert len({turn.connection for turn in backend.turns}) == 1


def test_a_backend_that_stays_away_is_not_waited_for() -> None:
    """The first failures may be a restart; then the client is told to give up, in words that name the backend."""
    with Daemon(backend_config(f"http://127.0.0.1:{free_port()}", models=[{"match": "*", "use": "gpu1/some"}], workers=1)) as daemon:
        daemon.log.allow(".")
        for _ in range(4):
            response = daemon.client.message()
            assert (response.status, response.headers.get("x-should-retry")) == (529, None)
        response = daemon.client.message()
        assert response.error()[:2] == (502, "api_error")
        assert response.headers["x-should-retry"] == "false" and "retry-after" not in response.headers
        assert response.error()[2].startswith("The backend gpu1 cannot be reached: ")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("status", [200, 400, 404, 413, 429, 500, 503])
def test_a_backend_that_echoes_its_key_does_not_give_it_to_clients(status: int, stream: bool) -> None:
    key = "sk-gateway-own/42"

    async def answer(turn: Turn) -> None:
        said_key = turn.headers["authorization"]
        assert key in said_key
        await turn.reply(status, oops(f"model: no use of {said_key}", code=said_key), x_request_id=f"id {said_key}")

    with Backend(answer) as backend:
        config = backend_config(backend.url)
        config["backends"][0]["key"] = {"env": "GPU_KEY"}
        with Daemon(config, environment={"GPU_KEY": key}) as daemon:
            daemon.log.allow(".")
            body = {"model": "test-model", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
            for path in ("/v1/messages", "/v1/chat/completions"):
                response = daemon.client.post(path, body)
                assert response.status >= 400 and key.encode() not in response.body, response
                assert "***" in response.body.decode() and not any(key in value for value in response.headers.values())
            assert daemon.stop() == 0
            assert key not in "\n".join(daemon.log.lines)


def test_a_stream_without_a_byte_is_asked_for_as_a_whole_answer() -> None:
    """Some servers fail inside their stream; they say why to those who ask without one."""

    async def answer(turn: Turn) -> None:
        if turn.json["stream"]:
            await turn.head()
            await turn.end()
        elif "long" in turn.json["messages"][-1]["content"]:
            await turn.reply(400, oops(VLLM_OVERFLOW))
        else:
            await turn.reply(200, openai_wire.completion({"role": "assistant", "content": "Here I am."}))

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        daemon.log.allow(".")
        response = daemon.client.message("long", stream=True)
        assert response.error() == (400, "invalid_request_error", response.error()[2])
        assert "prompt is too long: 5000 tokens > 4096 maximum" in response.error()[2]
        stream = daemon.client.stream("short")
        events = stream.rest()
        check_grammar(events)
        assert "Here I am." in "".join(str(event.data) for event in events)
        assert [turn.json["stream"] for turn in backend.turns] == [True, False, True, False]
        body = {"model": "test-model", "stream": True, "stream_options": {"include_usage": True}, "messages": [{"role": "user", "content": "short"}]}
        chat = daemon.client.post("/v1/chat/completions", body)
        assert chat.status == 200 and b"Here I am." in chat.body and chat.body.rstrip().endswith(b"[DONE]")


def test_llama_cpp_is_always_asked_for_a_stream_so_that_a_leaving_client_frees_its_slot() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.text("Hel"))
        if "wait" in turn.json["messages"][-1]["content"]:
            await turn.hang()
        await turn.event(openai_wire.text("lo."), openai_wire.finish(), openai_wire.chunk(usage=openai_wire.usage()))
        await turn.done()

    with Backend(answer) as backend:
        config = backend_config(backend.url)
        config["backends"][0]["type"] = "llamacpp"
        with Daemon(config) as daemon:
            response = daemon.client.message()
            assert response.status == 200 and response.json["content"] == [{"type": "text", "text": "Hello."}]
            assert response.json["usage"]["input_tokens"] == 11
            assert backend.turn(0).json["stream"] is True
            waiting = daemon.client.connect()
            waiting.request("POST", "/v1/messages", message("wait"))
            assert backend.turn(1).json["stream"] is True
            waiting.close()
            backend.turn(1).wait_gone()
