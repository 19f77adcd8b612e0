"""What a real llama.cpp says reaches the client whole, streamed or not, translated or passed through."""

from __future__ import annotations

from typing import Any

import pytest

from asking import PASSED, THINKING, TOKENS, TOOLS, TRANSLATED, ask, config
from harness.client import Client
from harness.daemon import Daemon
from llama import LlamaServer
from scripted.scripts import ENDLESS, SCRIPTS


def test_text_whose_tokens_end_inside_of_letters(client: Client, streamed: bool) -> None:
    answer = ask(client, "Hello", streamed)
    assert answer.content == [{"type": "text", "text": SCRIPTS["greeting"]}]
    assert answer.stop == "end_turn"
    assert answer.usage["output_tokens"] == TOKENS["greeting"] and answer.prompt > 10
    if streamed:
        assert answer.deltas >= 5, "it came as it was said"


def test_reasoning_and_then_an_answer(client: Client, streamed: bool) -> None:
    answer = ask(client, "[[thought]]", streamed, max_tokens=2000, thinking=THINKING)
    assert [block["type"] for block in answer.content] == ["thinking", "text"]
    assert answer.thought.strip() == "First I weigh the options, one by one."
    assert answer.text == "The answer is 42." and answer.stop == "end_turn"


def test_reasoning_alone(client: Client, streamed: bool) -> None:
    answer = ask(client, "[[thought-only]]", streamed, max_tokens=2000, thinking=THINKING)
    assert answer.thought.strip() == "Nothing leads anywhere, so I stop here." and answer.text == ""
    assert answer.stop == "end_turn"


@pytest.mark.parametrize("thinking", [{"type": "disabled"}, None], ids=["disabled", "unsaid"])
def test_thinking_is_off_unless_asked_for(translating: Daemon, streamed: bool, thinking: dict[str, Any] | None) -> None:
    more: dict[str, Any] = {"thinking": thinking} if thinking else {}
    answer = ask(translating.client, "[[thought]]", streamed, **more)
    assert answer.content == [{"type": "text", "text": "The answer is 42."}]
    assert answer.usage["output_tokens"] == TOKENS["thought:brief"], "the model was told, nothing was thrown away"


def test_a_limit_of_tokens(client: Client, streamed: bool) -> None:
    answer = ask(client, "[[endless]]", streamed, max_tokens=25)
    assert answer.text.startswith(SCRIPTS["endless"].removesuffix(ENDLESS))
    assert (answer.stop, answer.usage["output_tokens"]) == ("max_tokens", 25)


def test_a_stop_sequence(client: Client, streamed: bool) -> None:
    """llama.cpp says that it has stopped, not at which sequence."""
    answer = ask(client, "[[lines]]", streamed, stop_sequences=["STOP"])
    assert answer.text == "one\ntwo\nthree\n" and answer.stop in ("end_turn", "stop_sequence")


def test_a_system_prompt_and_several_turns(client: Client, streamed: bool) -> None:
    conversation: list[dict[str, Any]] = [
        {"role": "user", "content": "[[thought]] Hello"},
        {"role": "assistant", "content": [{"type": "text", "text": "The answer is 42."}]},
        {"role": "user", "content": [{"type": "text", "text": "And now"}, {"type": "text", "text": "[[lines]]"}]},
    ]
    answer = ask(client, conversation, streamed, system="Be brief. Grüße.", temperature=0.0, top_k=5, top_p=0.9)
    assert answer.text == SCRIPTS["lines"] and answer.stop == "end_turn"


def test_the_beginning_of_an_answer_is_continued(client: Client, way: str, streamed: bool) -> None:
    """A new piece only: what the client has said for the assistant does not come back (llama.cpp itself repeats it in whole answers)."""
    conversation: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "I say: "}]
    answer = ask(client, conversation, streamed)
    assert answer.text.removeprefix("I say: " if way == PASSED else "") == SCRIPTS["greeting"]


@pytest.mark.parametrize("text_calls", ["auto", "on", "off"])
def test_calls_in_a_form_that_the_server_does_not_read(server: LlamaServer, streamed: bool, text_calls: str) -> None:
    """Its parser follows the template; what a model writes in another family's form is read here, unless that is off."""
    with Daemon(config(server.url, text_calls=text_calls)) as daemon:
        answer = ask(daemon.client, "[[foreign-call]]", streamed, tools=TOOLS)
    if text_calls == "off":
        assert answer.content == [{"type": "text", "text": SCRIPTS["foreign-call"]}] and answer.stop == "end_turn"
    else:
        assert (answer.calls, answer.stop) == ([("get_weather", {"city": "Thun"})], "tool_use")


def test_the_way_is_told(client: Client, way: str) -> None:
    headers = ask(client, "Hello").headers
    assert (headers.get("x-dragoman-mode") == "passthrough") == (way != TRANSLATED)
    assert headers["x-dragoman-backend"] == "llama" and headers["x-dragoman-model"] == "test-model"
