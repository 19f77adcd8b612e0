"""A model that does not take something refuses it once: it is asked without, that is remembered, and shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness import openai_wire, processes
from harness.backend import Answer, Backend, Json, Turn
from harness.daemon import Daemon, backend_config
from harness.events import check_grammar
from harness.log import fields

TOOL = {"name": "Read", "description": "Reads.", "input_schema": {"type": "object", "properties": {"p": {"type": "string", "pattern": "^\\w+$"}}}}
IMAGE: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
LOOK = [{"role": "user", "content": [{"type": "text", "text": "look"}, IMAGE]}]
SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


def has_images(body: Json) -> bool:
    return any(isinstance(message.get("content"), list) for message in body["messages"])


def refusing(words: str, takes_not: Callable[[Json], Any], status: int = 400, model: str = "") -> Answer:
    """Refuses what it does not take, for one model or for all, and answers everything else."""
    answer = openai_wire.text_answer("Hello there.")

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
        "tool_choice is not supported with this model",
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
        "This model does not support response_format",
        400,
        lambda body: "response_format" in body,
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        "output_config.format",
        id="response_format",
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
            return [one.get("lacks") for one in daemon.learned()][:1] == [[feature]]

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
            return bool(daemon.learned())

        processes.wait("the verdict stands in the status", known)
        before = len(backend.turns)
        for _ in range(8):
            assert daemon.client.message(tools=[TOOL]).status == 200
        assert not any("tools" in turn.json for turn in backend.turns[before:])


def other(text: str) -> Json:
    """The first words of another conversation."""
    return {"messages": [{"role": "user", "content": text}]}


# What may be about this one request: in which words; by what the backend knows it; the request.
DOUBTFUL = [
    pytest.param(
        "schema_keywords",
        "Failed to initialize samplers: failed to parse grammar",
        lambda body: "pattern" in str(body.get("tools")),
        {"tools": [TOOL]},
        id="schema",
    ),
    pytest.param(
        "structured_output",
        "'response_format.type' must be 'text'",
        lambda body: "response_format" in body,
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        id="response_format",
    ),
    pytest.param(
        "tool_choice",
        "Thinking mode does not support this tool_choice",
        lambda body: body.get("tool_choice") == "required",
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        id="tool_choice",
    ),
]


@pytest.mark.parametrize(("feature", "words", "takes_not", "request_"), DOUBTFUL)
def test_words_that_leave_a_doubt_need_two_conversations(feature: str, words: str, takes_not: Callable[[Json], Any], request_: Json) -> None:
    with Backend(refusing(words, takes_not)) as backend, Daemon(config_of(backend)) as daemon:
        for _ in range(3):
            assert daemon.client.message(**request_, **other("one")).status == 200
        assert [bool(takes_not(turn.json)) for turn in backend.turns] == [True, False] * 3, "one conversation proves nothing"
        assert not daemon.log.find(f"feature={feature}")
        for _ in range(2):
            assert daemon.client.message(**request_, **other("two")).status == 200
        assert [bool(takes_not(turn.json)) for turn in backend.turns[6:]] == [True, False, False]
        daemon.log.wait(f"feature={feature}")


def test_a_kind_of_image_that_is_refused_makes_no_model_blind() -> None:
    def is_webp(body: Json) -> bool:
        return "image/webp" in str(body)

    words = "image_url not supported: unsupported image type: image/webp"
    webp = {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "UklGRg=="}}
    with Backend(refusing(words, is_webp)) as backend, Daemon(config_of(backend)) as daemon:
        daemon.log.allow(".")
        refused = daemon.client.message(messages=[{"role": "user", "content": [webp]}])
        assert refused.error()[0] == 400 and words in refused.error()[2], "the client can do something about it"
        assert daemon.client.message(messages=LOOK).status == 200
        assert "image_url" in str(backend.turn(1).json), "other kinds are sent as before"
        assert not daemon.learned()


# What a model refuses to give at once, in the words of those who say so.
TOO_LONG = [
    "max_tokens is too large: {asked}. This model supports at most {limit} completion tokens, whereas you provided {asked}.",
    "Invalid max_tokens value, the valid range of max_tokens is [1, {limit}]",
    "`max_tokens` must be less than or equal to `{limit}`, the maximum value for `max_tokens` is less than the `context_window` for this model",
    "body.max_tokens: Input should be less than or equal to {limit}",
]


@pytest.mark.parametrize("words", TOO_LONG)
def test_fewer_tokens_are_asked_for_once_the_model_has_said_how_many_it_gives(words: str) -> None:
    async def answer(turn: Turn) -> None:
        asked = turn.json["max_tokens"]
        if asked > 8192:
            return await turn.reply(400, {"error": {"message": words.format(asked=asked, limit=8192), "type": "invalid_request_error"}})
        await openai_wire.text_answer("Hello there.")(turn)

    with Backend(answer) as backend:
        config = backend_config(backend.url, workers=2)
        with Daemon(config) as daemon:
            first = daemon.client.message(max_tokens=32_000, stream=True)
            assert first.status == 200 and first.headers["x-dragoman-dropped"] == "max_tokens"
            assert [turn.json["max_tokens"] for turn in backend.turns] == [32_000, 8192]
            assert fields(daemon.log.wait(first.headers["request-id"]))["retried_without"] == "max_tokens>8192"
            processes.wait("the limit stands in the status", lambda: [one.get("output_limit") for one in daemon.learned()][:1] == [8192])
            assert "8192 tokens at most" in daemon.run("status").stdout
            # Whichever worker answers.
            for _ in range(8):
                assert daemon.client.message(max_tokens=32_000).status == 200
            assert all(turn.json["max_tokens"] == 8192 for turn in backend.turns[1:]), "no worker asks for more"
            assert daemon.client.message(max_tokens=100).status == 200
            assert backend.turn(-1).json["max_tokens"] == 100


def test_a_limit_that_is_refused_itself_is_told() -> None:
    words = "max_tokens is too large: 32000. This model supports at most 8192 completion tokens."
    answer = openai_wire.failing(400, {"error": {"message": words}})
    with Backend(answer) as backend, Daemon(backend_config(backend.url, workers=1)) as daemon:
        daemon.log.allow(".")
        assert daemon.client.message(max_tokens=32_000).error() == (400, "invalid_request_error", words)
        assert len(backend.turns) == 2 and not daemon.learned()


def test_a_newer_name_of_the_length_is_learnt() -> None:
    words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    with Backend(refusing(words, lambda body: "max_tokens" in body)) as backend, Daemon(backend_config(backend.url, workers=1)) as daemon:
        for _ in range(2):
            assert daemon.client.message(max_tokens=99).status == 200
        assert [turn.json.get("max_completion_tokens") for turn in backend.turns] == [None, 99, 99]


def test_an_api_for_openais_clients_lowers_a_length_that_nobody_asked_for() -> None:
    words = "max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-haiku"

    async def answer(turn: Turn) -> None:
        if turn.json["max_tokens"] > 8192:
            return await turn.reply(400, {"type": "error", "error": {"type": "invalid_request_error", "message": words}})
        whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": "test-model", "content": [{"type": "text", "text": "Hi"}]}
        await turn.reply(200, {**whole, "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 1}})

    with Backend(answer) as backend:
        config = backend_config(backend.url, workers=1)
        config["backends"][0]["type"] = "anthropic"
        config["models"] = [{"match": "*", "use": "gpu1/test-model"}]
        with Daemon(config) as daemon:
            for _ in range(2):
                answered = daemon.client.post("/v1/chat/completions", {"model": "test-model", "messages": [{"role": "user", "content": "Hi"}]})
                assert answered.status == 200, answered.body
            assert [turn.json["max_tokens"] for turn in backend.turns] == [32_000, 8192, 8192]


def test_missing_reasoning_is_about_one_history_and_no_verdict() -> None:
    """As DeepSeek: while it thinks, every turn has to bring its reasoning back."""
    words = "The `reasoning_content` in the thinking mode must be passed back to the API."

    def misses(body: Json) -> bool:
        thinks = body.get("thinking", {}).get("type") != "disabled"
        return thinks and any(message["role"] == "assistant" and not message.get("reasoning_content") for message in body["messages"])

    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    thinking = {"type": "enabled", "budget_tokens": 2000}
    with Backend(refusing(words, misses)) as backend:
        config = backend_config(backend.url, workers=1)
        config["backends"][0]["type"] = "deepseek"
        with Daemon(config) as daemon:
            for _ in range(2):
                answered = daemon.client.message(messages=history, thinking=thinking)
                assert answered.status == 200 and answered.headers["x-dragoman-dropped"] == "thinking"
            assert daemon.client.message(thinking=thinking).status == 200
            kinds = [turn.json["thinking"]["type"] for turn in backend.turns]
            assert kinds == ["enabled", "disabled", "enabled", "disabled", "enabled"], "others think as before"
            assert not daemon.learned()


def test_several_features_are_refused_one_after_the_other() -> None:
    async def answer(turn: Turn) -> None:
        for key, words in [("tools", "does not support tools"), ("chat_template_kwargs", "does not support thinking"), ("response_format", "response_format is not supported")]:
            if key in turn.json:
                return await turn.reply(400, {"error": {"message": words}})
        await openai_wire.text_answer("Hello there.")(turn)

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
    with Backend(openai_wire.failing(400, {"error": {"message": "does not support tools"}})) as backend:
        with Daemon(backend_config(backend.url, workers=1)) as daemon:
            daemon.log.allow(".")
            for _ in range(2):
                assert daemon.client.message(tools=[TOOL]).error()[:2] == (400, "invalid_request_error")
            assert ["tools" in turn.json for turn in backend.turns] == [True, False, True, False]
            assert not daemon.log.find("feature=tools")


def test_what_was_not_asked_for_is_not_retried() -> None:
    with Backend(openai_wire.failing(400, {"error": {"message": "does not support tools"}})) as backend:
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
            assert not daemon.learned(), "it is no verdict"
