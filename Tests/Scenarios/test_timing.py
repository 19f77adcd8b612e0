"""How long a status is held back, and what a client hears while the backend is silent."""

from __future__ import annotations

import time

import pytest

from harness import openai_wire
from harness.backend import Backend, Turn
from harness.client import Stream, message, written
from harness.daemon import Daemon, backend_config
from harness.events import check_grammar

HOLD = 0.4


@pytest.mark.parametrize("where", ["timeouts", "backend"])
def test_a_held_status_goes_out_in_time_and_what_fails_then_fails_in_the_stream(where: str) -> None:
    async def answer(turn: Turn) -> None:
        await turn.until("fail")
        await turn.reply(500, {"error": {"message": "it broke"}})

    with Backend(answer) as backend:
        config = backend_config(backend.url)
        if where == "timeouts":
            config["timeouts"] = {"hold_status": "400ms"}
        else:
            config["backends"][0]["hold_status"] = "400ms"
        with Daemon(config) as daemon:
            daemon.log.allow(".")
            began = time.monotonic()
            stream = daemon.client.stream()
            assert stream.next().name == "message_start" and stream.next().name == "ping"
            assert HOLD - 0.05 < time.monotonic() - began < HOLD + 0.5
            backend.turn(0).go("fail")
            assert check_grammar(stream.rest(), ends_in_error=True) == []
            assert stream.seen[-1].data["error"]["type"] == "api_error"


def test_a_status_decided_early_is_not_held() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.text("Hel"))
        await turn.until("end")
        await turn.event(openai_wire.finish())
        await turn.done()

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        began = time.monotonic()
        stream = daemon.client.stream()
        stream.until("content_block_delta")
        assert time.monotonic() - began < 0.5
        backend.turn(0).go("end")
        assert check_grammar(stream.rest())[0]["text"] == "Hel"


def test_a_slow_upload_does_not_use_up_the_time_in_which_a_refusal_is_a_status() -> None:
    """Else a conversation over a thin line is never compacted: its overflow comes too late to be a 400."""
    overflow = {"message": "maximum context length is 100 tokens, your prompt contains 400 input tokens"}
    with Backend(openai_wire.failing(400, {"error": overflow})) as backend:
        with Daemon(backend_config(backend.url, timeouts={"hold_status": "400ms"})) as daemon:
            daemon.log.allow(".")
            with daemon.client.connect() as connection:
                request = written("POST", "/v1/messages", message(stream=True))
                connection.send(request[:-10])
                time.sleep(HOLD + 0.1)
                connection.send(request[-10:])
                assert connection.response().error()[:2] == (400, "invalid_request_error")


def test_silence_of_any_kind_is_filled_with_pings_every_ten_seconds() -> None:
    """Before the first token, between tokens, inside a held tool call, while waiting for a permit: all at once."""

    async def answer(turn: Turn) -> None:
        match turn.json["messages"][0]["content"]:
            case "before":
                await turn.until("end")
                await turn.head()
            case "between":
                await turn.head()
                await turn.event(openai_wire.text("Hel"))
                await turn.until("end")
            case "inside":
                await turn.head()
                await turn.event(openai_wire.call("Bash", '{"command":'))
                await turn.until("end")
                await turn.event(openai_wire.arguments(' "ls"}'))
            case "waiting":
                await turn.head()
        await turn.event(openai_wire.finish("tool_calls" if b"inside" in turn.body else "stop"))
        await turn.done()

    tools = [{"name": "Bash", "description": "", "input_schema": {"type": "object", "properties": {}}}]
    with Backend(answer) as backend:
        config = backend_config(backend.url, timeouts={"hold_status": "200ms"})
        config["backends"][0]["max_concurrent"] = 3
        with Daemon(config) as daemon:
            began = time.monotonic()
            streams: list[Stream] = []
            for number, phase in enumerate(("before", "between", "inside")):
                connection = daemon.client.begin(phase, patience=20, tools=tools)
                backend.turn(number)
                streams.append(connection.stream())
            streams.append(daemon.client.begin("waiting", patience=20).stream())
            for stream in streams:
                while stream.until("ping").at - began < 9:
                    pass
                assert stream.seen[-1].at - began < 11.5
                gaps = [after.at - before.at for before, after in zip(stream.seen, stream.seen[1:], strict=False)]
                assert max(gaps) < 10.5, [event.name for event in stream.seen]
            for number in range(3):
                backend.turn(number).go("end")
            for stream in streams:
                check_grammar(stream.rest())
