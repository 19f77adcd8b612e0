"""Ollama in its own dialect: what it is asked, and what becomes of its answers and of its silences."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness import network, ollama, openai_wire, processes
from harness.backend import Json, Turn
from harness.client import Stream, message
from harness.daemon import Daemon, backend_config
from harness.events import check_grammar
from harness.log import fields
from harness.ollama import Ollama

TOOLS = [{"name": "Bash", "description": "Runs it.", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}]


def config(url: str, **more: Any) -> Json:
    """One backend of type ollama, with further keys of it."""
    return backend_config(url, backends=[{"name": "gpu1", "url": url, "type": "ollama", **more}])


def asked(daemon: Daemon, body: Json) -> Stream:
    """A stream for this very body."""
    connection = daemon.client.connect()
    connection.request("POST", "/v1/messages", body)
    return connection.stream()


def test_a_stream_and_a_whole_answer() -> None:
    with Ollama() as backend, Daemon(config(backend.url)) as daemon:
        stream = daemon.client.stream(model="claude-x", max_tokens=99)
        assert check_grammar(stream.rest()) == [{"type": "text", "text": "Hello there."}]
        assert stream.head.headers["x-dragoman-mode"] == "translated"
        asked = backend.turn(0)
        assert asked.path == "/api/chat"
        body = asked.json
        assert body["model"] == "qwen3:8b" and body["stream"] is True and body["think"] is False
        assert body["truncate"] is False and body["shift"] is False and "keep_alive" not in body
        assert body["options"] == {"num_ctx": 65536, "num_predict": 99}
        whole = daemon.client.message(model="qwen3:8b").json
        assert whole["content"] == [{"type": "text", "text": "Hello there."}]
        assert whole["usage"]["input_tokens"] == 11 and whole["usage"]["output_tokens"] == 7
        assert backend.turn(1).json["stream"] is False
        assert not any("/v1/" in path for path in backend.paths), backend.paths


def test_thinking_tools_and_what_comes_back_of_them() -> None:
    async def answer(turn: Turn) -> None:
        if turn.json["messages"][-1]["role"] == "tool":
            return await ollama.stream(turn, ollama.line("It is done."), ollama.last())
        call = ollama.call("Bash", {"command": "ls", "n": 1.5})
        await ollama.stream(turn, ollama.line(thinking="Hm."), ollama.line("I look."), call, ollama.last())

    with Ollama(answer) as backend, Daemon(config(backend.url)) as daemon:
        first = message("Look", model="claude-x", tools=TOOLS, thinking={"type": "adaptive"}, stream=True)
        blocks = check_grammar(asked(daemon, first).rest())
        assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use"]
        assert blocks[2]["input"] == {"command": "ls", "n": 1.5}
        result = {"type": "tool_result", "tool_use_id": blocks[2]["id"], "content": "a"}
        first["messages"] += [{"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
        assert check_grammar(asked(daemon, first).rest())[0]["text"] == "It is done."
        said, told = backend.turn(1).json["messages"][1:]
        assert said["thinking"] == "Hm." and said["tool_calls"][0]["function"]["arguments"] == {"command": "ls", "n": 1.5}
        assert told == {"role": "tool", "content": "a", "tool_name": "Bash", "tool_call_id": said["tool_calls"][0]["id"]}
        assert backend.turn(0).json["think"] is True


def test_the_window_is_what_is_loaded_or_what_is_configured() -> None:
    backend = Ollama()
    backend.loaded["qwen3:8b"] = 131072
    with backend:
        with Daemon(config(backend.url)) as daemon:
            daemon.client.message(model="claude-x")
            assert backend.turn(0).json["options"]["num_ctx"] == 131072
            model = daemon.client.get("/v1/models", anthropic_version="2023-06-01").json["data"][0]
            assert model["max_input_tokens"] == 131072
        with Daemon(config(backend.url, num_ctx=16384, keep_alive=-1)) as daemon:
            daemon.client.message(model="claude-x")
            assert backend.turn(1).json["options"]["num_ctx"] == 16384 and backend.turn(1).json["keep_alive"] == -1


def test_what_a_model_cannot_do_is_not_asked_of_it() -> None:
    backend = Ollama()
    backend.show = {"capabilities": ["completion"], "model_info": {"x.context_length": 8192}}
    with backend, Daemon(config(backend.url)) as daemon:
        reply = daemon.client.message(model="claude-x", tools=TOOLS, thinking={"type": "adaptive"})
        assert reply.status == 200
        asked = backend.turn(0).json
        assert "think" not in asked and "tools" not in asked and asked["options"]["num_ctx"] == 8192
        assert {"thinking", "tools"} <= set(reply.headers["x-dragoman-dropped"].split(","))


def test_too_long_a_prompt_is_an_error_that_clients_compact_on() -> None:
    async def refuse(turn: Turn) -> None:
        await turn.reply(400, {"error": "the input length exceeds the context length"})

    backend = Ollama(refuse)
    backend.show["model_info"] = {"x.context_length": 8192}
    with backend, Daemon(config(backend.url)) as daemon:
        daemon.log.allow("exchange")
        status, kind, text = daemon.client.message("word " * 40000, model="claude-x").error()
        assert (status, kind) == (400, "invalid_request_error") and "prompt is too long" in text and "8192" in text
        assert backend.turns == []
        status, kind, text = daemon.client.begin("word " * 6000, model="claude-x").response().error()
        assert (status, kind) == (400, "invalid_request_error") and "prompt is too long" in text


def test_a_prompt_that_was_cut_in_silence_is_told_and_the_next_is_refused() -> None:
    backend = Ollama(ollama.text_answer("Hm.", prompt=4095))
    backend.loaded["qwen3:8b"] = 4096
    with backend, Daemon(config(backend.url) | {"workers": 1}) as daemon:
        assert daemon.client.message("word " * 12000, model="claude-x").status == 200
        entry = fields(daemon.log.wait("backend read only a part of a prompt"))
        assert entry["evaluated_tokens"] == "4095" and int(entry["estimated_tokens"]) > 10000
        status, _, text = daemon.client.message("word " * 12000, model="claude-x").error()
        assert status == 400 and "prompt is too long" in text and "4095" in text
        assert daemon.client.message("short", model="claude-x").status == 200


def test_an_error_in_mid_stream_and_a_model_that_goes_away() -> None:
    async def fails(turn: Turn) -> None:
        failure = {"error": "an error was encountered while running the model: CUDA error"}
        await ollama.stream(turn, ollama.line("Hel"), failure)

    async def unloads(turn: Turn) -> None:
        await ollama.stream(turn, ollama.last("unload"))

    with Ollama(fails) as backend, Daemon(config(backend.url)) as daemon:
        daemon.log.allow("exchange")
        events = daemon.client.stream(model="claude-x").rest()
        check_grammar(events, ends_in_error=True)
        assert events[-1].data["error"]["type"] == "api_error" and "CUDA" in events[-1].data["error"]["message"]
        backend.answer = unloads
        status, kind, _ = daemon.client.begin(model="claude-x").response().error()
        assert (status, kind) == (529, "overloaded_error")


def test_a_client_that_leaves_ends_the_backends_work() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head(content_type="application/x-ndjson")
        await ollama.lines(turn, ollama.line("Hel"))
        await turn.hang()

    with Ollama(answer) as backend, Daemon(config(backend.url)) as daemon:
        stream = daemon.client.stream(model="claude-x")
        stream.until("content_block_delta")
        stream.connection.close()
        backend.turn(0).wait_gone()


@pytest.mark.skipif(network.why_not() is not None, reason=f"the usual ports, all free: {network.why_not()}")
def test_one_that_is_found_is_spoken_to_in_its_own_dialect() -> None:
    with network.private(), Ollama(port=11434) as backend, Daemon("workers: 1\n") as daemon:
        processes.wait("Ollama answers", lambda: daemon.client.message(model="claude-x").json["content"][0]["text"] == "Hello there.")
        assert backend.turns[-1].path == "/api/chat"
        (found,) = daemon.status()["backends"]
        assert found["type"] == "ollama" and found["models"][0]["context_window"] == 65536


def test_through_v1_when_the_configuration_says_so() -> None:
    with Ollama(openai_wire.text_answer("Hello there.")) as backend, Daemon(config(backend.url, dialect="openai")) as daemon:
        daemon.log.allow("silently truncates")
        assert daemon.client.message(model="claude-x").json["content"][0]["text"] == "Hello there."
        assert backend.turn(0).path == "/v1/chat/completions"


def test_a_client_of_openais_api() -> None:
    async def answer(turn: Turn) -> None:
        await ollama.stream(turn, ollama.line("I look."), ollama.call("Bash", {"command": "ls"}), ollama.last())

    tools = [{"type": "function", "function": {"name": "Bash", "parameters": TOOLS[0]["input_schema"]}}]
    body = {"model": "qwen3:8b", "messages": [{"role": "user", "content": "Look"}], "tools": tools, "stream": True}
    with Ollama(answer) as backend, Daemon(config(backend.url)) as daemon:
        reply = daemon.client.post("/v1/chat/completions", body)
        assert reply.status == 200 and reply.body.endswith(b"data: [DONE]\n\n")
        chunks = [json.loads(frame[6:]) for frame in reply.body.split(b"\n\n")[:-2]]
        choices = [choice for chunk in chunks for choice in chunk["choices"]]
        assert "".join(choice["delta"].get("content") or "" for choice in choices) == "I look."
        assert choices[-1]["finish_reason"] == "tool_calls"
        assert backend.turn(0).path == "/api/chat" and backend.turn(0).json["options"]["num_ctx"] == 65536
        assert backend.turn(0).json["tools"][0]["function"]["name"] == "Bash"
