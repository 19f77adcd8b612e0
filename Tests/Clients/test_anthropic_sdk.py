"""The Anthropic SDK with strict validation: what it parses has every field in its right type."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest

from harness import openai_wire
from harness.backend import Backend, Turn
from harness.daemon import Daemon, backend_config, free_port
from harness.ollama import Ollama

WEATHER: anthropic.types.ToolParam = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
HELLO: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Hello"}]


def sdk(url: str) -> anthropic.Anthropic:
    """A strict client that does not try again."""
    return anthropic.Anthropic(base_url=url, api_key="made-up", max_retries=0, timeout=10, _strict_response_validation=True)


@pytest.fixture
def parties() -> Iterator[tuple[Backend, anthropic.Anthropic]]:
    """A backend, the daemon before it, and the SDK before that."""
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon, sdk(daemon.url) as client:
        daemon.log.allow(".")
        yield backend, client


def test_a_message(parties: tuple[Backend, anthropic.Anthropic]) -> None:
    _, client = parties
    message = client.messages.create(model="claude-local", max_tokens=100, messages=HELLO, system="Be brief.")
    assert message.content[0].type == "text" and message.content[0].text == "Hello there."
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 11, 7)


def test_a_stream_with_thinking_text_and_a_call(parties: tuple[Backend, anthropic.Anthropic]) -> None:
    backend, client = parties

    async def answer(turn: Turn) -> None:
        call = [openai_wire.call("weather", '{"ci'), openai_wire.arguments('ty": "Wien"}')]
        frames = [openai_wire.thought("sun"), openai_wire.text("I look."), *call]
        await openai_wire.stream(turn, *frames, reason="tool_calls")

    backend.answer = answer
    thinking: anthropic.types.ThinkingConfigEnabledParam = {"type": "enabled", "budget_tokens": 1024}
    with client.messages.stream(
        model="claude-local", max_tokens=2000, messages=HELLO, tools=[WEATHER], thinking=thinking
    ) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_message()
    assert "input_json" in kinds and "text" in kinds
    thought, text, call = message.content
    assert thought.type == "thinking" and thought.thinking == "sun" and thought.signature
    assert text.type == "text" and text.text == "I look."
    assert call.type == "tool_use" and call.name == "weather" and call.input == {"city": "Wien"}
    assert message.stop_reason == "tool_use" and message.usage.output_tokens == 7


@pytest.mark.parametrize("streamed", [True, False])
def test_a_conversation_with_a_tool(parties: tuple[Backend, anthropic.Anthropic], streamed: bool) -> None:
    """What the SDK gives back unchanged, thinking included, is accepted on the next turn."""
    backend, client = parties
    backend.answer = openai_wire.call_answer("weather", {"city": "Wien"})
    messages = list(HELLO)
    if streamed:
        with client.messages.stream(model="test-model", max_tokens=100, messages=messages, tools=[WEATHER]) as stream:
            first = stream.get_final_message()
    else:
        first = client.messages.create(model="test-model", max_tokens=100, messages=messages, tools=[WEATHER])  # type: ignore[assignment]
    call = first.content[-1]
    assert call.type == "tool_use" and call.input == {"city": "Wien"}
    messages.append({"role": "assistant", "content": first.content})
    messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]})
    backend.answer = openai_wire.text_answer("It is sunny.")
    second = client.messages.create(model="test-model", max_tokens=100, messages=messages, tools=[WEATHER])
    assert second.content[0].type == "text" and second.content[0].text == "It is sunny."
    sent = backend.turns[-1].json["messages"]
    assert sent[-1]["role"] == "tool" and sent[-1]["content"] == "sunny"
    assert sent[-1]["tool_call_id"] == sent[-2]["tool_calls"][0]["id"]


def test_counting(parties: tuple[Backend, anthropic.Anthropic]) -> None:
    _, client = parties
    small = client.messages.count_tokens(model="test-model", messages=HELLO).input_tokens
    large = client.messages.count_tokens(model="test-model", messages=HELLO, tools=[WEATHER], system="Long. " * 100).input_tokens
    assert 0 < small < large


def test_models(parties: tuple[Backend, anthropic.Anthropic]) -> None:
    _, client = parties
    assert [model.id for model in client.models.list()] == ["test-model", "claude-local-test-model"]
    assert client.models.retrieve("test-model").type == "model"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("none")


def test_a_model_of_which_much_is_known() -> None:
    with Ollama() as backend, Daemon(backend_config("", backends=[{"name": "o", "url": backend.url}])) as daemon:
        with sdk(daemon.url) as client:
            model = client.models.retrieve("qwen3:8b")
            assert model.capabilities is not None and model.max_input_tokens == 65536
            assert model.capabilities.thinking.types.adaptive.supported and model.capabilities.effort.max.supported
            assert not model.capabilities.image_input.supported
            assert client.models.list().data[0].capabilities == model.capabilities


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (503, anthropic.APIStatusError),
    ],
)
def test_refusals_are_typed(
    parties: tuple[Backend, anthropic.Anthropic], status: int, error: type[anthropic.APIStatusError]
) -> None:
    backend, client = parties
    backend.answer = openai_wire.failing(status, {"error": {"message": "not now"}})
    with pytest.raises(error) as raised:
        client.messages.create(model="test-model", max_tokens=10, messages=HELLO)
    assert "not now" in raised.value.message and raised.value.request_id
    with pytest.raises(error), client.messages.stream(model="test-model", max_tokens=10, messages=HELLO) as stream:
        stream.get_final_message()


def test_a_stream_that_breaks_raises(parties: tuple[Backend, anthropic.Anthropic]) -> None:
    backend, client = parties

    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.text("half an ans"))
        turn.reset()

    backend.answer = answer
    with pytest.raises(anthropic.APIStatusError), client.messages.stream(model="test-model", max_tokens=10, messages=HELLO) as stream:
        stream.get_final_message()


def test_its_own_retries_carry_it_over_a_backend_that_starts() -> None:
    """529 with retry-after: the SDK tries again and meets the backend that has come up meanwhile."""
    port = free_port()
    config = backend_config(f"http://127.0.0.1:{port}", models=[{"match": "*", "use": "gpu1/test-model"}])
    with Daemon(config) as daemon:
        daemon.log.allow(".")
        with sdk(daemon.url) as client, pytest.raises(anthropic.APIStatusError) as raised:
            client.messages.create(model="test-model", max_tokens=10, messages=HELLO)
        assert raised.value.status_code == 529 and raised.value.response.headers["retry-after"] == "5"
        with Backend(port=port), sdk(daemon.url) as client:
            assert client.messages.create(model="test-model", max_tokens=10, messages=HELLO).content
