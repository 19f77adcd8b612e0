"""OpenAI's front door on the wire: shapes of every refusal, pings, failover, and the other names of models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from harness import ollama, openai_wire
from harness.backend import Backend, Turn
from harness.daemon import Daemon, backend_config, free_port
from harness.ollama import Ollama

CHAT = "/v1/chat/completions"
HELLO = {"model": "alpha", "messages": [{"role": "user", "content": "Hello"}]}


def ask(daemon: Daemon, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """One request on a connection of its own."""
    with daemon.client.connect() as connection:
        connection.request(method, path, body, anthropic_version="", **headers)
        return connection.response()


def wrong(response: Any) -> tuple[int, str, str | None, str | None]:
    """Status, type, param and code of an error in OpenAI's shape, checked for its shape."""
    assert set(response.json) == {"error"} and set(response.json["error"]) == {"message", "type", "param", "code"}
    assert response.headers["x-request-id"] == response.headers["request-id"]
    error = response.json["error"]
    assert error["message"] and isinstance(error["message"], str)
    return response.status, error["type"], error["param"], error["code"]


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", CHAT, None, (405, "invalid_request_error", None, "method_not_supported")),
        ("POST", "/v1/embeddings", {}, (404, "invalid_request_error", None, "unknown_url")),
        ("POST", "/olla/openai/v1/nothing", {}, (404, "invalid_request_error", None, "unknown_url")),
        ("POST", CHAT, b"{", (400, "invalid_request_error", None, None)),
        ("POST", CHAT, {"model": "alpha"}, (400, "invalid_request_error", "messages", "missing_required_parameter")),
        ("POST", "/chat/completions", {**HELLO, "model": "x"}, (404, "invalid_request_error", None, "model_not_found")),
        ("POST", CHAT, b" " * 70_000, (413, "invalid_request_error", None, "request_too_large")),
        ("GET", "/v1/models/none", None, (404, "invalid_request_error", None, "model_not_found")),
    ],
)
def test_refusals_have_the_shape_of_the_clients_api(method: str, path: str, body: Any, expected: tuple[Any, ...]) -> None:
    with Backend(models=["alpha"]) as backend:
        with Daemon(backend_config(backend.url, limits={"request_body": "64KiB"})) as daemon:
            daemon.log.allow(".")
            assert wrong(ask(daemon, method, path, body)) == expected
        assert backend.turns == []


def test_no_backend_is_503() -> None:
    with Daemon(backend_config(f"http://127.0.0.1:{free_port()}")) as daemon:
        daemon.log.allow(".")
        response = ask(daemon, "POST", CHAT, HELLO)
        assert wrong(response) == (503, "server_error", None, "server_overloaded") and response.headers["retry-after"]


def test_silence_is_filled_with_comments() -> None:
    async def answer(turn: Turn) -> None:
        await turn.until("go")
        await openai_wire.stream(turn, openai_wire.text("late"))

    with Backend(answer, models=["alpha"]) as backend:
        with Daemon(backend_config(backend.url, timeouts={"hold_status": "100ms"})) as daemon, daemon.client.connect() as connection:
            connection.request("POST", CHAT, {**HELLO, "stream": True})
            head = connection.head()
            assert head.status == 200 and head.headers["content-type"].startswith("text/event-stream")
            chunks = connection.chunks()
            assert next(chunks) == b": ping\n\n"
            backend.turn(0).go("go")
            rest = b"".join(chunks)
            assert b'"late"' in rest and rest.endswith(b"data: [DONE]\n\n")


def test_another_backend_is_tried_and_the_journal_tells() -> None:
    with Backend(openai_wire.failing(500, {"error": {"message": "boom"}}), models=["alpha"]) as first:
        with Backend(models=["alpha"]) as second:
            config = backend_config(first.url)
            config["backends"][0]["priority"] = 9
            config["backends"].append({"name": "gpu2", "url": second.url, "type": "openai-compatible", "priority": 1})
            with Daemon(config) as daemon:
                daemon.log.allow(".")
                response = ask(daemon, "POST", CHAT, HELLO)
                assert response.status == 200 and response.json["choices"][0]["message"]["content"] == "Hello there."
                assert response.headers["x-dragoman-backend"] == "gpu2"
                assert response.headers["x-dragoman-mode"] == "passthrough"
                assert (len(first.turns), len(second.turns)) == (1, 1)


@pytest.mark.parametrize("stream", [True, False])
def test_clients_that_declare_functions_read_function_call(stream: bool) -> None:
    async def answer(turn: Turn) -> None:
        await ollama.stream(turn, ollama.call("look", {"at": "it"}), ollama.call("look", {"at": "more"}), ollama.last())

    with Ollama(answer) as backend, Daemon(backend_config("", backends=[{"name": "gpu1", "url": backend.url, "type": "ollama"}])) as daemon:
        said_first = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
        messages = [*HELLO["messages"], said_first, {"role": "function", "name": "look", "content": "seen"}]
        body = {"model": "qwen3:8b", "messages": messages, "functions": [{"name": "look", "parameters": {}}], "stream": stream}
        response = ask(daemon, "POST", CHAT, body)
        call: dict[str, str] = {}
        if stream:
            assert response.body.endswith(b"data: [DONE]\n\n")
            choices = [json.loads(event[6:])["choices"][0] for event in response.body.decode().split("\n\n")[:-2]]
            for choice in choices:
                assert "tool_calls" not in choice["delta"]
                for name, part in choice["delta"].get("function_call", {}).items():
                    call[name] = call.get(name, "") + part
        else:
            choices = response.json["choices"]
            assert "tool_calls" not in choices[0]["message"] and choices[0]["message"]["content"] is None
            call = choices[0]["message"]["function_call"]
        assert choices[-1]["finish_reason"] == "function_call"
        assert (call["name"], json.loads(call["arguments"])) == ("look", {"at": "it"})


def test_a_key_that_is_wrong_is_told_in_the_words_of_each_api(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("good\n")
    with Backend(models=["alpha"]) as backend:
        with Daemon(backend_config(backend.url, access={"keys": {"file": str(keys)}})) as daemon:
            daemon.log.allow(".")
            for headers in ({}, {"authorization": "Bearer bad"}):
                response = ask(daemon, "POST", CHAT, HELLO, **headers)
                assert wrong(response) == (401, "invalid_request_error", None, "invalid_api_key")
                assert "API key" in response.json["error"]["message"]
            assert daemon.client.message(model="alpha").error() == (401, "authentication_error", "invalid x-api-key")
            assert ask(daemon, "POST", CHAT, HELLO, authorization="Bearer good").status == 200


def test_models_have_names_that_clients_of_the_messages_api_show() -> None:
    names = ["qwen3-coder:30b", "org/mini:1", "claude-like"]
    with Backend(models=names) as backend, Daemon(backend_config(backend.url)) as daemon:
        listed = {entry["id"]: entry for entry in daemon.client.get("/v1/models?limit=1000").json["data"]}
        assert list(listed) == [
            "qwen3-coder:30b",
            "claude-local-qwen3-coder:30b",
            "org/mini:1",
            "claude-local-org/mini:1",
            "claude-like",
        ]
        assert listed["claude-local-org/mini:1"]["display_name"] == "org/mini:1"
        for path in ("claude-local-org%2Fmini:1", "claude-local-org/mini%3A1"):
            assert daemon.client.get(f"/v1/models/{path}").json["id"] == "claude-local-org/mini:1"
        decorated = ("anthropic/org/mini:1", "org/mini:1[1m]", "anthropic/claude-local-org/mini:1[1m]")
        for name in ("claude-local-org/mini:1", *decorated):
            entry = daemon.client.get(f"/v1/models/{quote(name, safe='')}").json
            assert (entry["id"], entry["display_name"]) == (name, "org/mini:1")
            response = daemon.client.message(model=name)
            assert response.json["model"] == name and response.headers["x-dragoman-model"] == "org/mini:1"
            assert backend.turns[-1].json["model"] == "org/mini:1"
        assert json.loads(ask(daemon, "GET", "/v1/models").body)["data"][1]["id"] == "org/mini:1"
