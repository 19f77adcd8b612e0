"""A model that does not take something refuses it once: it is asked without, that is remembered, and shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness import processes, said
from harness.backend import Answer, Backend, Json, Turn
from harness.daemon import Daemon, backend_config
from harness.events import check_grammar
from harness.log import fields

TOOL = {"name": "Read", "description": "Reads.", "input_schema": {"type": "object", "properties": {"p": {"type": "string", "pattern": "^\\w+$"}}}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
LOOK = [{"role": "user", "content": [{"type": "text", "text": "look"}, IMAGE]}]
SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


def has_images(body: Json) -> bool:
    return any(isinstance(message.get("content"), list) for message in body["messages"])


def refusing(words: str, takes_not: Callable[[Json], Any], status: int = 400, model: str = "") -> Answer:
    """Refuses what it does not take, for one model or for all, and answers everything else."""
    answer = said.text_answer("Hello there.")

    async def script(turn: Turn) -> None:
        if takes_not(turn.json) and model in ("", turn.json["model"]):
            await turn.reply(status, {"error": {"message": words, "type": "invalid_request_error", "code": None}})
        else:
            await answer(turn)

    return script


# What a backend refuses and in which words; by what it knows it; the request; what is dropped, by what name.
CASES = [
    pytest.param(
        "tools", '"m" does not support tools', 400, lambda body: "tools" in body, {"tools": [TOOL]}, "tools", id="tools of Ollama"
    ),
    pytest.param(
        "tools", "tools param requires --jinja flag", 500, lambda body: "tools" in body, {"tools": [TOOL]}, "tools", id="tools of llama.cpp"
    ),
    pytest.param(
        "tools", "No endpoints found that support tool use.", 404, lambda body: "tools" in body, {"tools": [TOOL]}, "tools", id="tools of OpenRouter"
    ),
    pytest.param(
        "thinking",
        '"m" does not support thinking',
        400,
        lambda body: "chat_template_kwargs" in body,
        {"thinking": {"type": "adaptive"}},
        "thinking",
        id="thinking",
    ),
    pytest.param(
        "tool_choice",
        "Thinking mode does not support this tool_choice",
        400,
        lambda body: body.get("tool_choice") == "required",
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        "tool_choice",
        id="tool_choice",
    ),
    pytest.param(
        "images",
        "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `image_url`, expected `text`",
        422,
        has_images,
        {"messages": LOOK},
        "messages.0.content.1",
        id="images",
    ),
    pytest.param(
        "structured_output",
        "'response_format.type' must be 'text'",
        400,
        lambda body: "response_format" in body,
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        "output_config.format",
        id="response_format",
    ),
    pytest.param(
        "schema_keywords",
        "Failed to initialize samplers: failed to parse grammar",
        400,
        lambda body: "pattern" in str(body.get("tools")),
        {"tools": [TOOL]},
        "tools.input_schema",
        id="schema",
    ),
]


def config_of(backend: Backend) -> Json:
    config = backend_config(backend.url, workers=1)
    config["backends"][0]["type"] = "vllm"
    return config


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("feature", "words", "status", "takes_not", "request_", "dropped"), CASES)
def test_what_is_refused_is_left_out_once_asked_remembered_and_shown(
    feature: str, words: str, status: int, takes_not: Callable[[Json], Any], request_: Json, dropped: str, stream: bool
) -> None:
    with Backend(refusing(words, takes_not, status)) as backend, Daemon(config_of(backend)) as daemon:
        for number in range(3):
            response = daemon.client.message(stream=stream, **request_)
            assert response.status == 200, response.body
            assert dropped in response.headers["x-dragoman-dropped"].split(",")
            told = fields(daemon.log.wait(response.headers["request-id"]))
            assert told.get("retried_without") == (feature if number == 0 else None)
            assert told["outcome"] == "completed" and "attempts" not in told
        # The first request twice, the others once.
        assert len(backend.turns) == 4
        assert [bool(takes_not(turn.json)) for turn in backend.turns] == [True, False, False, False]
        verdict = fields(daemon.log.wait(f"feature={feature}"))
        assert (verdict["backend"], verdict["model"]) == ("gpu1", "test-model") and verdict["consequence"]
        assert len(daemon.log.find(f"feature={feature}")) == 1, "told once"

        def shown() -> bool:
            return bool(daemon.status()["backends"][0].get("learnt", [{}])[0].get("lacks") == [feature])

        processes.wait("the verdict stands in the status", shown)
        assert feature in daemon.run("status").stdout


def test_stream_options_are_left_out_and_the_usage_is_an_estimate() -> None:
    answer = refusing("Unrecognized request argument supplied: stream_options", lambda body: "stream_options" in body)
    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.stream()
        assert stream.head.headers["x-dragoman-dropped"] == "stream_options"
        check_grammar(stream.rest())
        assert "stream_options" not in backend.turn(1).json


def test_a_verdict_is_of_one_model_of_one_backend() -> None:
    answer = refusing("small does not support tools", lambda body: "tools" in body, model="small")
    with Backend(answer, models=["small", "large"]) as backend:
        with Backend(models=["small"]) as other:
            config = backend_config(backend.url, workers=1)
            config["backends"].append({"name": "gpu2", "url": other.url, "type": "openai-compatible"})
            with Daemon(config) as daemon:
                for model in ("gpu1/small", "gpu1/large", "gpu2/small", "gpu1/small"):
                    assert daemon.client.message(model=model, tools=[TOOL]).status == 200
                assert [(turn.json["model"], "tools" in turn.json) for turn in backend.turns] == [
                    ("small", True),
                    ("small", False),
                    ("large", True),
                    ("small", False),
                ]
                assert "tools" in other.turn(0).json


def test_other_workers_know_it_too() -> None:
    answer = refusing("does not support tools", lambda body: "tools" in body)
    with Backend(answer) as backend, Daemon(backend_config(backend.url, workers=4)) as daemon:
        assert daemon.client.message(tools=[TOOL]).status == 200

        def known() -> bool:
            return bool(daemon.status()["backends"][0].get("learnt"))

        processes.wait("the verdict stands in the status", known)
        before = len(backend.turns)
        for _ in range(8):
            assert daemon.client.message(tools=[TOOL]).status == 200
        assert not any("tools" in turn.json for turn in backend.turns[before:])


def test_several_features_are_refused_one_after_the_other() -> None:
    async def answer(turn: Turn) -> None:
        for key, words in [("tools", "does not support tools"), ("chat_template_kwargs", "does not support thinking"), ("response_format", "response_format is not supported")]:
            if key in turn.json:
                return await turn.reply(400, {"error": {"message": words}})
        await said.text_answer("Hello there.")(turn)

    request: Json = {"tools": [TOOL], "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    with Backend(answer) as backend, Daemon(config_of(backend)) as daemon:
        response = daemon.client.message(**request)
        assert response.status == 200
        told = fields(daemon.log.wait(response.headers["request-id"]))
        assert told["retried_without"] == "tools,thinking,structured_output"
        assert len(backend.turns) == 4
        assert daemon.client.message(**request).status == 200
        assert len(backend.turns) == 5


def test_a_backend_that_refuses_the_same_again_is_not_believed() -> None:
    """Words that the request itself contains may come back in an error of another kind."""
    with Backend(said.failing(400, {"error": {"message": "does not support tools"}})) as backend:
        with Daemon(backend_config(backend.url, workers=1)) as daemon:
            daemon.log.allow(".")
            for _ in range(2):
                assert daemon.client.message(tools=[TOOL]).error()[:2] == (400, "invalid_request_error")
            assert ["tools" in turn.json for turn in backend.turns] == [True, False, True, False]
            assert not daemon.log.find("feature=tools")


def test_what_was_not_asked_for_is_not_retried() -> None:
    with Backend(said.failing(400, {"error": {"message": "does not support tools"}})) as backend:
        with Daemon(backend_config(backend.url)) as daemon:
            daemon.log.allow(".")
            assert daemon.client.message().error() == (400, "invalid_request_error", "does not support tools")
            assert len(backend.turns) == 1


def test_what_a_model_says_of_itself_spares_the_refusal() -> None:
    async def models(turn: Turn) -> None:
        plain = {"id": "plain", "object": "model", "capabilities": {"function_calling": False, "vision": False}}
        await turn.reply(200, {"object": "list", "data": [plain]})

    with Backend() as backend:
        backend.gets["/v1/models"] = models
        with Daemon(backend_config(backend.url)) as daemon:
            response = daemon.client.message(model="plain", tools=[TOOL], messages=LOOK)
            assert response.status == 200
            assert response.headers["x-dragoman-dropped"] == "tools,messages.0.content.1"
            assert len(backend.turns) == 1
            sent = backend.turn(0).json
            assert "tools" not in sent and "[image omitted" in sent["messages"][0]["content"]
            assert "learnt" not in daemon.status()["backends"][0], "it is no verdict"
