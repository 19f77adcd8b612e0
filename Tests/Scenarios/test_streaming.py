"""What comes out for what goes in: texts, tools, thinking; streamed and whole."""

from __future__ import annotations

import json
import re
import time

import pytest

from harness import openai_wire, processes
from harness.backend import Backend, Turn
from harness.client import message
from harness.daemon import Daemon, backend_config
from harness.events import check_grammar

EXACT = """event: message_start
data: {"type":"message_start","message":{"id":"msg_ID","type":"message","role":"assistant","model":"test-model","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":N,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Guten"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" Tag ☀ \\"x\\"\\n"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":8,"cache_creation_input_tokens":0,"cache_read_input_tokens":3,"output_tokens":7}}

event: message_stop
data: {"type":"message_stop"}

"""

TOOLS = [{"name": "Bash", "description": "Runs it.", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}]


def test_a_streamed_reply_is_exact_to_the_byte() -> None:
    """Only the message's id and the estimate of its input are the daemon's own."""

    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.chunk({"role": "assistant", "content": ""}))
        await turn.event(openai_wire.text("Guten"))
        await turn.event(openai_wire.text(' Tag ☀ "x"\n'))
        await turn.event(openai_wire.finish())
        await turn.event(openai_wire.chunk(usage=openai_wire.usage(11, 7, cached=3)))
        await turn.done()

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.stream()
        check_grammar(stream.rest())
        raw = re.sub(r'"id":"msg_[A-Za-z0-9]+"', '"id":"msg_ID"', stream.raw.decode())
        assert re.sub(r'"input_tokens":\d+', '"input_tokens":N', raw, count=1) == EXACT
        assert stream.head.headers["x-dragoman-backend"] == "gpu1"
        assert stream.head.headers["x-dragoman-model"] == "test-model"
        assert stream.head.headers["x-dragoman-mode"] == "translated"
        assert stream.head.headers["cache-control"].startswith("no-c")


def test_events_are_passed_on_as_they_come_not_at_the_end() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        for word in ("one", " two", " three"):
            await turn.event(openai_wire.text(word))
            await turn.until(word)
        await turn.event(openai_wire.finish())
        await turn.done()

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.stream()
        for word in ("one", " two", " three"):
            assert stream.until("content_block_delta").data["delta"]["text"] == word
            backend.turn(0).go(word)
        assert check_grammar(stream.rest())[0]["text"] == "one two three"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_the_backends_bytes_may_be_cut_anywhere(size: int) -> None:
    whole = b"".join(
        b"data: " + json.dumps(frame, ensure_ascii=False).encode() + b"\r\n\r\n"
        for frame in [
            openai_wire.thought("hm ☀"), openai_wire.text("a ☀"), openai_wire.call("Bash", '{"command": "ls ☀"}'),
            openai_wire.finish("tool_calls"),
        ]
    )

    async def answer(turn: Turn) -> None:
        await turn.head()
        for start in range(0, len(whole), size):
            await turn.chunk(whole[start : start + size])
        await turn.done()

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.stream(tools=TOOLS, thinking={"type": "adaptive"})
        thinking, text, tool = check_grammar(stream.rest())
        assert (thinking["thinking"], text["text"], tool["input"]) == ("hm ☀", "a ☀", {"command": "ls ☀"})


def test_a_whole_reply_is_the_same_message_unstreamed() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        response = daemon.client.message()
        value = response.json
        assert response.status == 200 and response.headers["content-type"] == "application/json"
        assert value.pop("id").startswith("msg_")
        usage = value.pop("usage")
        assert (usage["input_tokens"], usage["output_tokens"]) == (11, 7)
        assert value == {
            "type": "message",
            "role": "assistant",
            "model": "test-model",
            "content": [{"type": "text", "text": "Hello there."}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
        }


def test_thinking_comes_before_the_text_and_is_signed() -> None:
    async def answer(turn: Turn) -> None:
        await openai_wire.stream(turn, openai_wire.thought("let me"), openai_wire.thought(" see"), openai_wire.text("42"))

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.stream(thinking={"type": "enabled", "budget_tokens": 1024})
        thinking, text = check_grammar(stream.rest())
        assert thinking["thinking"] == "let me see" and thinking["signature"]
        assert text == {"type": "text", "text": "42"}


def test_a_tool_round_trip_keeps_ids_order_and_number_text() -> None:
    """Two parallel calls, their results, one of them an error; the backend sees what it said, unchanged."""
    written = '{"z": 1, "a": 12345678901234567890, "f": 1.50}'

    async def answer(turn: Turn) -> None:
        if len(backend.turns) == 1:
            calls = [openai_wire.call("Bash", "", 0, "call_a"), openai_wire.arguments(written[:9]), openai_wire.arguments(written[9:])]
            second = openai_wire.call("Bash", "{}", 1, "call_b")
            await openai_wire.stream(turn, openai_wire.text("Both."), *calls, second, reason="tool_calls")
        else:
            await openai_wire.stream(turn, openai_wire.text("Done."))

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.stream(tools=TOOLS)
        text, first, second = check_grammar(stream.rest())
        raw = "".join(
            event.data["delta"]["partial_json"]
            for event in stream.seen
            if event.name == "content_block_delta" and event.data["index"] == 1
        )
        assert json.loads(raw) == json.loads(written) and "12345678901234567890" in raw and "1.50" in raw
        assert list(first["input"]) == ["z", "a", "f"] and second["input"] == {}
        assert first["id"] != second["id"]

        results = [
            {"type": "tool_result", "tool_use_id": first["id"], "content": "fine"},
            {"type": "tool_result", "tool_use_id": second["id"], "content": "no such file", "is_error": True},
        ]
        messages = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": [text, first, second]},
            {"role": "user", "content": [*results, {"type": "text", "text": "go on"}]},
        ]
        check_grammar(daemon.client.stream(messages=messages, tools=TOOLS).rest())
        sent = backend.turn(1).json["messages"]
        assert [one["role"] for one in sent] == ["user", "assistant", "tool", "tool", "user"]
        assert [call["function"]["name"] for call in sent[1]["tool_calls"]] == ["Bash", "Bash"]
        assert [call["id"] for call in sent[1]["tool_calls"]] == [sent[2]["tool_call_id"], sent[3]["tool_call_id"]]
        assert "fine" in sent[2]["content"] and "no such file" in sent[3]["content"]
        assert sent[4]["content"] == "go on"


def test_schemas_and_tool_inputs_keep_their_bytes() -> None:
    """Key order and number text as the client wrote them, so that prompt caches hold."""
    schema = '{"type":"object","properties":{"zz":{"type":"number","maximum":1.0e3},"aa":{"type":"string"}},"required":["zz"]}'
    body = (
        '{"model":"test-model","max_tokens":10,"stream":true,"tools":[{"name":"T","description":"d","input_schema":%s}],'
        '"messages":[{"role":"user","content":"x"}]}' % schema
    ).encode()
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, daemon.client.connect() as connection:
        connection.request("POST", "/v1/messages", body)
        connection.stream().rest()
        assert b'"maximum":1.0e3},"aa"' in backend.turn(0).body


def test_the_backend_gets_a_faithful_request() -> None:
    """System as one first message without the attribution block, inline system folded, sampling carried."""
    request = {
        "model": "test-model",
        "max_tokens": 77,
        "stream": True,
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=1; cch=1;"},
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {"role": "user", "content": "Hello"},
            {"role": "system", "content": "The date is today."},
        ],
        "context_management": {"edits": []},
        "metadata": {"user_id": "{}"},
    }
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, daemon.client.connect() as connection:
        connection.request("POST", "/v1/messages?beta=true", request)
        check_grammar(connection.stream().rest())
        sent = backend.turn(0).json
        assert backend.turn(0).path == "/v1/chat/completions"
        assert [one["role"] for one in sent["messages"]] == ["system", "user"]
        assert sent["messages"][0]["content"] == "Be brief."
        assert "Hello" in sent["messages"][1]["content"] and "The date is today." in sent["messages"][1]["content"]
        assert (sent["max_tokens"], sent["temperature"], sent["stop"]) == (77, 0.5, ["END"])
        assert sent["stream"] is True and sent["stream_options"] == {"include_usage": True}
        assert "expect" not in backend.turn(0).headers


@pytest.mark.parametrize(
    ("reason", "expected"), [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal")]
)
def test_finish_reasons_have_their_counterparts(reason: str, expected: str) -> None:
    async def answer(turn: Turn) -> None:
        await openai_wire.stream(turn, openai_wire.text("so far"), reason=reason)

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.stream()
        check_grammar(stream.rest())
        assert stream.seen[-2].data["delta"]["stop_reason"] == expected


def test_a_slow_reader_slows_the_backend_and_memory_stays_bounded() -> None:
    """200 MB offered to a client that does not read: the backend is made to wait, the worker stays small."""
    from harness import processes

    block = openai_wire.text("x" * 65536)
    offered = 0

    async def answer(turn: Turn) -> None:
        nonlocal offered
        await turn.head()
        for _ in range(3200):
            await turn.event(block)
            offered += 1
        await turn.event(openai_wire.finish())
        await turn.done()

    with Backend(answer) as backend, Daemon(backend_config(backend.url, workers=1)) as daemon:
        (worker,) = daemon.workers()
        before = processes.memory(worker)
        stream = daemon.client.stream()
        settled, last = 0, -1
        while settled < 20:  # Until nothing more is taken for 20 looks.
            settled, last = (settled + 1, last) if offered == last else (0, offered)
            backend.turn(0).ended.wait(0.02)
        assert offered < 1600, "the backend was not slowed down"
        assert processes.memory(worker) - before < 32 << 20
        stream.connection.close()
        backend.turn(0).wait_gone()


def test_an_answer_of_any_size_leaves_the_worker_time_for_others() -> None:
    """A backend that streams without being asked, faster than it is read: all of it is one message."""

    async def answer(turn: Turn) -> None:
        if turn.json.get("messages", [{}])[0].get("content") == "Hello":
            await openai_wire.text_answer("short")(turn)
            return
        part = b"data: " + json.dumps(openai_wire.text("y" * 1000)).encode() + b"\n\n"
        await turn.head()
        for _ in range(40):
            await turn.chunk(part * 1000)
        turn.reached("sent")
        await turn.event(openai_wire.finish())
        await turn.done()

    supervision = {"heartbeat": "50ms", "hung_after": "2s"}
    with Backend(answer) as backend, Daemon(backend_config(backend.url, workers=1, supervision=supervision)) as daemon:
        with daemon.client.connect(60) as connection:
            connection.request("POST", "/v1/messages", message("long"))
            backend.turn(0)
            while not backend.turns[0].ended.is_set():
                began = time.monotonic()
                assert daemon.client.message().status == 200
                assert time.monotonic() - began < 1
            size = int(connection.head().headers["content-length"])
            assert size > 40_000_000
            assert daemon.status()["restarts"] == 0


def test_an_unstreamed_answer_without_end_is_an_error_not_all_memory() -> None:
    async def answer(turn: Turn) -> None:
        part = b"data: " + json.dumps(openai_wire.text("y" * 1000)).encode() + b"\n\n"
        await turn.head()
        while True:
            await turn.chunk(part * 1000)

    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        with daemon.client.connect(60) as connection:
            connection.request("POST", "/v1/messages", message("long"))
            assert connection.response().error()[:2] == (502, "api_error")
        backend.turn(0).wait_gone()
        daemon.log.wait("larger|upstream_failed")


def test_an_open_stream_takes_little_memory() -> None:
    """What a worker keeps of a request while its model speaks; thousands do at a time."""
    count = 200

    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.chunk({"role": "assistant", "content": ""}))
        await turn.event(openai_wire.text("Well"))
        await turn.until("end")

    with Backend(answer) as backend, Daemon(backend_config(backend.url, workers=1, worker_slots=count + 20)) as daemon:
        [worker] = daemon.workers()
        warm = [daemon.client.stream() for _ in range(20)]
        for stream in warm:
            stream.until("content_block_delta")
        before = processes.memory(worker)
        streams = [daemon.client.stream() for _ in range(count)]
        for stream in streams:
            stream.until("content_block_delta")
        # The bytes of the request are gone by now, and so is what only its conversion needed.
        assert (processes.memory(worker) - before) / count < 44_000
        for stream in warm + streams:
            stream.connection.close()
