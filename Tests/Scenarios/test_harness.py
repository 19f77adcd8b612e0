"""The parties themselves: a checker that cannot fail, or a backend that sees nothing, would prove nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from harness import openai_wire
from harness.backend import Backend, Turn
from harness.client import Client, Closed
from harness.events import Event, Frames, check_grammar

Json = Mapping[str, Any]

START: Json = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 1,
            "output_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    },
}
OPEN: Json = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
SAY = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}
SHUT = {"type": "content_block_stop", "index": 0}
DELTA: Json = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": START["message"]["usage"],
}
STOP = {"type": "message_stop"}
THINK = {
    "type": "content_block_start",
    "index": 0,
    "content_block": {"type": "thinking", "thinking": "", "signature": ""},
}
TOOL = {
    "type": "content_block_start",
    "index": 0,
    "content_block": {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}},
}
HALF = {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}}
FAIL = {"type": "error", "error": {"type": "api_error", "message": "broke"}, "request_id": "req_1"}
CALLED = dict(DELTA) | {"delta": {"stop_reason": "tool_use", "stop_sequence": None}}


def events(*data: Json) -> list[Event]:
    return [Event(one["type"], dict(one)) for one in data]


def test_the_grammar_accepts_a_good_stream() -> None:
    assert check_grammar(events(START, OPEN, SAY, SHUT, DELTA, STOP)) == [{"type": "text", "text": "hi"}]
    check_grammar(events(START, {"type": "ping"}, OPEN, SAY, FAIL), ends_in_error=True)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param([OPEN, SAY, SHUT, DELTA, STOP], id="no start"),
        pytest.param([START, START, DELTA, STOP], id="two starts"),
        pytest.param([START, SAY, DELTA, STOP], id="delta outside a block"),
        pytest.param([START, OPEN, OPEN, SHUT, DELTA, STOP], id="blocks overlap"),
        pytest.param([START, dict(OPEN) | {"index": 1}, DELTA, STOP], id="first index is 1"),
        pytest.param([START, OPEN, SAY, DELTA, STOP], id="block never stops"),
        pytest.param([START, OPEN, SAY, SHUT, STOP], id="no message_delta"),
        pytest.param([START, OPEN, SAY, SHUT, DELTA], id="no message_stop"),
        pytest.param([START, OPEN, SAY, SHUT, DELTA, STOP, STOP], id="two stops"),
        pytest.param([START, DELTA, STOP, {"type": "ping"}], id="ping after the end"),
        pytest.param([START, OPEN, HALF, SHUT, DELTA, STOP], id="wrong delta for a text block"),
        pytest.param([START, TOOL, HALF, SHUT, CALLED, STOP], id="input is no JSON"),
        pytest.param([START, THINK, SHUT, DELTA, STOP], id="thinking without signature"),
        pytest.param([START, OPEN, SAY, SHUT, CALLED, STOP], id="tool_use without a call"),
        pytest.param([START, {"type": "made_up"}, DELTA, STOP], id="unknown event"),
        pytest.param([START, OPEN, SAY, SHUT, FAIL], id="error where none is due"),
        pytest.param([START, dict(DELTA) | {"usage": {"output_tokens": 1}}, STOP], id="usage incomplete"),
    ],
)
def test_the_grammar_rejects(stream: list[Json]) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check_grammar(events(*stream))


@pytest.mark.parametrize(
    "frame", [b"data: {}\n\n", b"event: ping\r\ndata: {}\r\n\r\n\n\n", b'event: ping\ndata: {"type":"pong"}\n\n']
)
def test_the_frames_reject(frame: bytes) -> None:
    with pytest.raises((AssertionError, ValueError, KeyError)):
        Frames().feed(frame, 0)


def test_the_backend_says_what_its_script_says_and_sees_the_other_side_leave() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.text("Hel"))
        turn.reached("half")
        await turn.hang()

    with Backend(answer) as backend:
        connection = Client(("127.0.0.1", backend.port)).connect()
        connection.request("POST", "/v1/chat/completions", {"model": "m"})
        head = connection.head()
        assert head.headers["content-type"] == "text/event-stream"
        assert json.loads(next(connection.chunks())[6:])["choices"][0]["delta"] == {"content": "Hel"}
        turn = backend.turn(0)
        turn.wait("half")
        assert turn.json == {"model": "m"} and not turn.gone
        left = connection.close()
        assert 0 <= turn.wait_gone() - left < 0.05


def test_the_backend_can_cut_and_hold() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.until("cut")
        turn.reset()

    with Backend(answer) as backend:
        connection = Client(("127.0.0.1", backend.port)).connect()
        connection.request("POST", "/v1/chat/completions", {})
        connection.head()
        began = time.monotonic()
        backend.turn(0).go("cut")
        with pytest.raises(Closed) as closed:
            list(connection.chunks())
        assert closed.value.how == "reset" and time.monotonic() - began < 1
