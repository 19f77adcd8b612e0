"""The OpenAI SDK with strict validation, against backends of each dialect: what it parses has every field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pydantic
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from harness import anthropic_wire, openai_wire
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
    backend.answer = openai_wire.text_answer("One two three")
    chunks = list(client.chat.completions.create(model="beta", messages=HELLO, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "One two three"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage and chunks[-1].usage.prompt_tokens == 11


def test_a_stream_of_tool_calls(parties: tuple[Backend, openai.OpenAI]) -> None:
    backend, client = parties

    async def answer(turn: Turn) -> None:
        call = [openai_wire.call("weather", '{"ci'), openai_wire.arguments('ty": "Wien"}')]
        frames = [openai_wire.text("I look."), *call, openai_wire.call("weather", "{}", 1)]
        await openai_wire.stream(turn, *frames, reason="tool_calls")

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
    backend.answer = openai_wire.text_answer('{"name":"Wien","size":2}')
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
    backend.answer = openai_wire.failing(status, {"error": body})
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
        await turn.event(openai_wire.text("Hel"))
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


# Backends of other dialects


def lines(*said_lines: dict[str, Any]) -> bytes:
    """Lines of JSON, as Ollama sends them."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in said_lines)


def ollama_line(content: str = "", done: bool = False, **message: Any) -> dict[str, Any]:
    """One line of Ollama's answer; the last has the counts."""
    counts = {"done_reason": "stop", "prompt_eval_count": 11, "eval_count": 7} if done else {}
    return {"model": "m", "message": {"role": "assistant", "content": content, **message}, "done": done, **counts}


async def ollama_answer(turn: Turn) -> None:
    """Thinks, speaks and calls the weather tool; whole or streamed, as asked."""
    call = {"function": {"name": "weather", "arguments": {"city": "Wien"}}}
    if turn.path == "/api/show":
        await turn.reply(200, {"capabilities": ["completion", "tools", "thinking"], "model_info": {}})
    elif turn.json["stream"]:
        await turn.head(content_type="application/x-ndjson")
        await turn.chunk(lines(ollama_line(thinking="Hm."), ollama_line("I look.")))
        await turn.chunk(lines(ollama_line(tool_calls=[call]), ollama_line(done=True)))
        await turn.end()
    else:
        await turn.reply(200, ollama_line("I look.", done=True, thinking="Hm.", tool_calls=[call]))


async def anthropic_answer(turn: Turn) -> None:
    """The same in the words of the Messages API."""
    usage = {"input_tokens": 11, "output_tokens": 7}
    if turn.json["stream"]:
        frames = [
            *anthropic_wire.thinking("Hm.", "EqQB=="),
            *anthropic_wire.text("I look.", index=1),
            *anthropic_wire.call("weather", '{"city":', ' "Wien"}', index=2),
        ]
        end = anthropic_wire.end("tool_use", input_tokens=11, output_tokens=7)
        await anthropic_wire.events(anthropic_wire.start(input_tokens=11), *frames, *end)(turn)
    else:
        content = [
            {"type": "thinking", "thinking": "Hm.", "signature": "EqQB=="},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_01", "name": "weather", "input": {"city": "Wien"}},
        ]
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
        await turn.reply(200, {**message, "stop_reason": "tool_use", "stop_sequence": None, "usage": usage})


@pytest.fixture(params=["ollama", "anthropic"])
def translated(request: pytest.FixtureRequest) -> Iterator[tuple[str, Backend, openai.OpenAI]]:
    """A backend of another dialect, the daemon before it, and the SDK before that."""
    dialect: str = request.param
    with Backend(ollama_answer if dialect == "ollama" else anthropic_answer, models=["alpha"]) as backend:

        async def tags(turn: Turn) -> None:
            await turn.reply(200, {"models": [{"name": "alpha", "model": "alpha"}]})

        backend.gets["/api/tags"] = tags
        config = backend_config(backend.url)
        config["backends"][0]["dialect"] = dialect
        with Daemon(config) as daemon, sdk(daemon.url) as client:
            daemon.log.allow(".")
            yield dialect, backend, client


def asked(backend: Backend) -> Turn:
    """The last request for an answer."""
    return [turn for turn in backend.turns if turn.path != "/api/show"][-1]


def test_a_translated_stream(translated: tuple[str, Backend, openai.OpenAI]) -> None:
    dialect, backend, client = translated
    with client.chat.completions.stream(
        model="alpha", messages=HELLO, tools=[WEATHER], stream_options={"include_usage": True}
    ) as stream:
        for _ in stream:
            pass
        completion = stream.get_final_completion()
    check(completion.choices[0], completion.usage)
    turn = asked(backend)
    assert turn.path == ("/api/chat" if dialect == "ollama" else "/v1/messages")
    assert "made-up" not in str(turn.headers) and turn.json["model"] == "alpha"


def test_a_translated_completion_and_its_next_turn(translated: tuple[str, Backend, openai.OpenAI]) -> None:
    dialect, backend, client = translated
    completion = client.chat.completions.create(model="alpha", messages=HELLO, tools=[WEATHER], seed=7)
    choice = completion.choices[0]
    check(choice, completion.usage)
    calls = choice.message.tool_calls or []
    client.chat.completions.create(
        model="alpha",
        tools=[WEATHER],
        messages=[
            {"role": "system", "content": "Be brief."},
            *HELLO,
            choice.message.to_dict(),  # type: ignore[list-item]
            {"role": "tool", "tool_call_id": calls[0].id, "content": "sunny"},
        ],
    )
    sent = asked(backend).json
    if dialect == "ollama":
        assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool"]
        assert sent["messages"][2]["tool_calls"][0]["function"]["arguments"] == {"city": "Wien"}
        assert sent["messages"][3]["content"] == "sunny"
    else:
        assert sent["system"] == [{"type": "text", "text": "Be brief."}] and sent["max_tokens"] == 32000
        assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
        assert sent["messages"][1]["content"][-1]["id"] == "toolu_01"
        assert sent["messages"][2]["content"] == [{"type": "tool_result", "tool_use_id": "toolu_01", "content": "sunny"}]
        assert asked(backend).headers["anthropic-version"] == "2023-06-01"


def check(choice: Any, usage: Any) -> None:
    """The answer that both backends give."""
    assert choice.message.content == "I look." and choice.message.reasoning_content == "Hm."
    assert choice.finish_reason == "tool_calls"
    assert [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls] == [
        ("weather", {"city": "Wien"})
    ]
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (11, 7, 18)


def test_translated_structured_output_is_asked_for(translated: tuple[str, Backend, openai.OpenAI]) -> None:
    dialect, backend, client = translated
    with pytest.raises(pydantic.ValidationError):
        client.chat.completions.parse(model="alpha", messages=HELLO, response_format=City)
    sent = asked(backend).json
    schema = sent["format"] if dialect == "ollama" else sent["output_config"]["format"]["schema"]
    assert schema["required"] == ["name", "size"]


def test_translated_errors_are_typed(translated: tuple[str, Backend, openai.OpenAI]) -> None:
    dialect, backend, client = translated
    overflow = "prompt is too long: 210000 tokens > 200000 maximum"
    body: dict[str, Any] = {"type": "error", "error": {"type": "invalid_request_error", "message": overflow}}
    backend.answer = openai_wire.failing(400, {"error": overflow} if dialect == "ollama" else body)
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="alpha", messages=HELLO)
    assert raised.value.code == "context_length_exceeded" and raised.value.param == "messages"
    assert "maximum context length is 200000 tokens" in raised.value.message
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="alpha", messages=HELLO, n=2)
    assert refused.value.param == "n"
