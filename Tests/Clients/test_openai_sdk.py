"""The OpenAI SDK with strict validation, against backends of each dialect: what it parses has every field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pydantic
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from harness import said
from harness.backend import Backend, Turn
from harness.daemon import Daemon, backend_config

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def sdk(url: str) -> openai.OpenAI:
    """A strict client that does not try again."""
    return openai.OpenAI(base_url=url + "/v1", api_key="made-up", max_retries=0, timeout=10, _strict_response_validation=True)


@pytest.fixture
def parties() -> Iterator[tuple[Backend, openai.OpenAI]]:
    """A backend of the OpenAI dialect, the daemon before it, and the SDK before that."""
    with Backend(models=["alpha", "beta"]) as backend, Daemon(backend_config(backend.url)) as daemon, sdk(daemon.url) as client:
        daemon.log.allow(".")
        yield backend, client


def test_models(parties: tuple[Backend, openai.OpenAI]) -> None:
    _, client = parties
    assert [model.id for model in client.models.list()] == ["alpha", "beta"]
    assert client.models.retrieve("alpha").object == "model"
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("gamma")
    assert raised.value.code == "model_not_found" and raised.value.type == "invalid_request_error"


def test_a_completion(parties: tuple[Backend, openai.OpenAI]) -> None:
    backend, client = parties
    completion = client.chat.completions.create(model="alpha", messages=HELLO, temperature=0.5, seed=7)
    choice = completion.choices[0]
    assert choice.message.content == "Hello there." and choice.finish_reason == "stop"
    assert completion.usage and (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (11, 7)
    assert completion._request_id and completion._request_id.startswith("req_")
    # What a backend of the same API is asked is what the client asked.
    assert backend.turn(0).json == {"model": "alpha", "messages": HELLO, "temperature": 0.5, "seed": 7}


def test_a_stream_with_counts(parties: tuple[Backend, openai.OpenAI]) -> None:
    backend, client = parties
    backend.answer = said.text_answer("One two three")
    chunks = list(client.chat.completions.create(model="beta", messages=HELLO, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "One two three"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage and chunks[-1].usage.prompt_tokens == 11


def test_a_stream_of_tool_calls(parties: tuple[Backend, openai.OpenAI]) -> None:
    backend, client = parties

    async def answer(turn: Turn) -> None:
        frames = [said.text("I look."), said.call("weather", '{"ci'), said.arguments('ty": "Wien"}'), said.call("weather", "{}", 1)]
        await said.stream(turn, *frames, reason="tool_calls")

    backend.answer = answer
    with client.chat.completions.stream(model="alpha", messages=HELLO, tools=[WEATHER]) as stream:
        for _ in stream:
            pass
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content == "I look."
    calls = choice.message.tool_calls or []
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("weather", {"city": "Wien"}),
        ("weather", {}),
    ]
    assert len({call.id for call in calls}) == 2


class City(pydantic.BaseModel):
    """The form of an answer."""

    name: str
    size: int


def test_structured_output(parties: tuple[Backend, openai.OpenAI]) -> None:
    backend, client = parties
    backend.answer = said.text_answer('{"name":"Wien","size":2}')
    completion = client.chat.completions.parse(model="alpha", messages=HELLO, response_format=City)
    assert completion.choices[0].message.parsed == City(name="Wien", size=2)
    asked = backend.turn(0).json["response_format"]
    assert asked["type"] == "json_schema" and asked["json_schema"]["schema"]["required"] == ["name", "size"]


@pytest.mark.parametrize(
    ("status", "body", "raises", "code"),
    [
        pytest.param(400, {"message": "bad temperature"}, openai.BadRequestError, None, id="bad request"),
        pytest.param(
            400,
            {"message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens."},
            openai.BadRequestError,
            "context_length_exceeded",
            id="overflow",
        ),
        pytest.param(429, {"message": "slow down"}, openai.RateLimitError, "rate_limit_exceeded", id="rate limit"),
        pytest.param(500, {"message": "boom"}, openai.InternalServerError, None, id="server error"),
        pytest.param(503, {"message": "loading"}, openai.InternalServerError, "server_overloaded", id="overloaded"),
    ],
)
def test_errors_are_typed(
    parties: tuple[Backend, openai.OpenAI], status: int, body: dict[str, Any], raises: type[openai.APIStatusError], code: str | None
) -> None:
    backend, client = parties
    backend.answer = said.failing(status, {"error": body})
    for stream in (False, True):
        with pytest.raises(raises) as raised:
            client.chat.completions.create(model="alpha", messages=HELLO, stream=stream)
        assert raised.value.status_code == status and raised.value.code == code
        assert body["message"][:20] in raised.value.message


def test_an_unknown_model_names_the_nearest(parties: tuple[Backend, openai.OpenAI]) -> None:
    backend, client = parties
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="alpah", messages=HELLO)
    assert raised.value.code == "model_not_found" and "the nearest is alpha" in raised.value.message
    assert backend.turns == []


def test_an_error_in_mid_stream_is_raised(parties: tuple[Backend, openai.OpenAI]) -> None:
    backend, client = parties

    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(said.text("Hel"))
        await turn.event({"error": {"message": "out of memory", "code": 500}})
        await turn.end()

    backend.answer = answer
    seen = ""
    with pytest.raises(openai.APIError, match="out of memory"):
        for chunk in client.chat.completions.create(model="alpha", messages=HELLO, stream=True):
            seen += chunk.choices[0].delta.content or ""
    assert seen == "Hel"


def test_the_demo_answers() -> None:
    with Daemon() as daemon, sdk(daemon.url) as client:
        daemon.log.allow(".")
        whole = client.chat.completions.create(model="demo", messages=HELLO)
        assert "demo" in (whole.choices[0].message.content or "")
        with client.chat.completions.stream(
            model="demo", messages=HELLO, tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "weather"}}
        ) as stream:
            for _ in stream:
                pass
            message = stream.get_final_completion().choices[0].message
        assert message.tool_calls and message.tool_calls[0].function.name == "weather"
        followed = client.chat.completions.create(
            model="demo",
            messages=[
                *HELLO,
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            ],
        )
        assert "sunny" in (followed.choices[0].message.content or "")
