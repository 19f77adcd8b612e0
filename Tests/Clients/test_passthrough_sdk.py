"""The Anthropic SDK with strict validation, through dragoman, at a backend of its own API."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest

from harness import anthropic_wire
from harness.backend import Backend, Turn
from harness.daemon import Daemon, backend_config

HELLO: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Hello"}]
READ: anthropic.types.ToolParam = {"name": "Read", "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}


@pytest.fixture
def parties() -> Iterator[tuple[Backend, Daemon, anthropic.Anthropic]]:
    """A backend, the daemon before it, and a strict client before that."""
    with Backend(models=[anthropic_wire.MODEL]) as backend:
        models = [{"match": "*", "use": anthropic_wire.MODEL}]
        config = backend_config(backend.url, models=models, timeouts={"hold_status": "100ms"})
        config["backends"][0]["dialect"] = "anthropic"
        with (
            Daemon(config) as daemon,
            anthropic.Anthropic(
                base_url=daemon.url, api_key="made-up", max_retries=0, timeout=10, _strict_response_validation=True
            ) as client,
        ):
            daemon.log.allow(".")
            yield backend, daemon, client


def test_a_message(parties: tuple[Backend, Daemon, anthropic.Anthropic]) -> None:
    backend, _, client = parties
    backend.answer = anthropic_wire.text_answer("Hello there.")
    message = client.messages.create(model="claude-local", max_tokens=100, messages=HELLO)
    assert message.model == "claude-local" and message.usage.output_tokens == 15
    turn = backend.turn(0)
    assert "made-up" not in str(turn.headers) and turn.headers["anthropic-version"]
    assert not [name for name in turn.headers if name.startswith("x-stainless")]


def test_a_stream_with_signed_thinking_and_a_call(parties: tuple[Backend, Daemon, anthropic.Anthropic]) -> None:
    """And what the SDK gives back on the next turn reaches the backend, signature included."""
    backend, _, client = parties
    blocks = [*anthropic_wire.thinking("Hm.", "EqQB=="), *anthropic_wire.call("Read", '{"n":', " 1}", index=1)]
    frames = [*blocks, *anthropic_wire.end("tool_use")]
    backend.answer = anthropic_wire.events(anthropic_wire.start(), *frames)
    with client.messages.stream(model="claude-local", max_tokens=100, messages=HELLO, tools=[READ]) as stream:
        first = stream.get_final_message()
    thought, call = first.content
    assert thought.type == "thinking" and thought.signature == "EqQB=="
    assert call.type == "tool_use" and call.input == {"n": 1}
    backend.answer = anthropic_wire.text_answer("Done.")
    result: anthropic.types.MessageParam = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "x"}]}
    history: list[anthropic.types.MessageParam] = [*HELLO, {"role": "assistant", "content": first.content}, result]
    assert client.messages.create(model="claude-local", max_tokens=100, messages=history, tools=[READ]).content
    assert backend.turn(1).json["messages"][1]["content"][0]["signature"] == "EqQB=="


def test_pings_before_the_first_event_are_borne(parties: tuple[Backend, Daemon, anthropic.Anthropic]) -> None:
    backend, _, client = parties

    async def late(turn: Turn) -> None:
        await turn.until("speak")
        await anthropic_wire.text_answer("Late.")(turn)

    backend.answer = late
    with client.messages.stream(model="claude-local", max_tokens=100, messages=HELLO) as stream:
        backend.turn(0).go("speak")
        assert stream.get_final_text() == "Late."


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError),
        (429, "rate_limit_error", anthropic.RateLimitError),
        (529, "overloaded_error", anthropic.APIStatusError),
    ],
)
def test_refusals_are_typed(
    parties: tuple[Backend, Daemon, anthropic.Anthropic], status: int, kind: str, error: type[anthropic.APIStatusError]
) -> None:
    backend, _, client = parties
    backend.answer = anthropic_wire.failing(status, anthropic_wire.error(kind, "not now"))
    with pytest.raises(error) as raised:
        client.messages.create(model="claude-local", max_tokens=10, messages=HELLO)
    assert raised.value.status_code == status and raised.value.type == kind and raised.value.request_id


@pytest.mark.parametrize("cut", [3, 5])
def test_a_stream_that_is_cut_raises(parties: tuple[Backend, Daemon, anthropic.Anthropic], cut: int) -> None:
    backend, _, client = parties
    backend.answer = anthropic_wire.events(*[anthropic_wire.start(), *anthropic_wire.text("Hel"), *anthropic_wire.end()][:cut])
    with pytest.raises(anthropic.APIStatusError), client.messages.stream(model="claude-local", max_tokens=10, messages=HELLO) as stream:
        stream.get_final_message()
