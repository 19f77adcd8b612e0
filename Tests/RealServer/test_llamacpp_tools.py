"""Calls that llama.cpp's own parser finds, every form of tool_choice, and conversations with results."""

from __future__ import annotations

from typing import Any

import pytest

from asking import PASSED, THINKING, TOOLS, TRANSLATED, ask, result_of
from harness.client import Client
from harness.daemon import Daemon
from scripted.scripts import SCRIPTS

ZURICH = ("get_weather", {"city": "Zürich", "days": 3})


def test_a_call(client: Client, streamed: bool) -> None:
    answer = ask(client, "[[call]]", streamed, tools=TOOLS)
    assert (answer.calls, answer.text, answer.stop) == ([ZURICH], "", "tool_use")


def test_a_call_without_arguments(client: Client, streamed: bool) -> None:
    answer = ask(client, "[[call-without-arguments]]", streamed, tools=TOOLS)
    assert (answer.calls, answer.stop) == ([("ping", {})], "tool_use")


def test_text_and_then_a_call(client: Client, streamed: bool) -> None:
    answer = ask(client, "[[text-and-call]]", streamed, tools=TOOLS)
    assert [block["type"] for block in answer.content] == ["text", "tool_use"]
    assert answer.text.strip() == "Let me look that up for you." and answer.calls == [("get_weather", {"city": "Basel"})]


def test_reasoning_and_then_a_call(client: Client, streamed: bool) -> None:
    answer = ask(client, "[[thought-and-call]]", streamed, max_tokens=2000, tools=TOOLS, thinking=THINKING)
    assert [block["type"] for block in answer.content] == ["thinking", "tool_use"]
    assert answer.thought.strip() == "The forecast will know." and answer.calls == [("get_weather", {"city": "Chur"})]


def test_two_calls_and_one_where_only_one_is_wanted(client: Client, way: str, streamed: bool) -> None:
    answer = ask(client, "[[two-calls]]", streamed, tools=TOOLS)
    assert answer.calls == [("get_weather", {"city": "Bern"}), ("get_weather", {"city": "Genève"})]
    assert len({call["id"] for call in answer.of("tool_use")}) == 2
    if way == TRANSLATED:
        choice = {"type": "auto", "disable_parallel_tool_use": True}
        answer = ask(client, "[[two-calls]]", streamed, tools=TOOLS, tool_choice=choice)
        assert (answer.calls, answer.stop) == ([("get_weather", {"city": "Bern"})], "tool_use")


@pytest.mark.parametrize("script", ["call-of-a-stranger", "call-that-breaks-off"])
def test_what_a_grammar_has_put_right_is_a_call_like_any_other(translating: Daemon, streamed: bool, script: str) -> None:
    """The server's grammar lets nothing else through once a call has begun."""
    answer = ask(translating.client, f"[[{script}]]", streamed, max_tokens=60, tools=TOOLS, temperature=0.0)
    for name, value in answer.calls:
        assert name in ("get_weather", "ping") and isinstance(value.get("city", ""), str)
    assert answer.stop in ("tool_use", "max_tokens")


def test_a_call_cut_by_the_limit_of_tokens_does_not_leave(translating: Daemon, streamed: bool) -> None:
    answer = ask(translating.client, "[[call]]", streamed, max_tokens=12, tools=TOOLS)
    assert (answer.calls, answer.stop) == ([], "max_tokens")


# Every form of tool_choice.


def test_auto_leaves_it_to_the_model(client: Client, streamed: bool) -> None:
    answer = ask(client, "Hello", streamed, tools=TOOLS, tool_choice={"type": "auto"})
    assert (answer.text, answer.calls, answer.stop) == (SCRIPTS["greeting"], [], "end_turn")
    assert ask(client, "[[call]]", streamed, tools=TOOLS, tool_choice={"type": "auto"}).calls == [ZURICH]


def test_any_makes_a_model_call_that_would_only_talk(client: Client, streamed: bool) -> None:
    answer = ask(client, "Hello", streamed, tools=TOOLS, tool_choice={"type": "any"}, temperature=0.0)
    assert len(answer.calls) == 1 and answer.stop == "tool_use"
    assert ask(client, "[[call]]", streamed, tools=TOOLS, tool_choice={"type": "any"}).calls == [ZURICH]


@pytest.mark.parametrize("words", ["Hello", "[[call]]"])
def test_a_tool_by_name_is_the_one_that_is_called(translating: Daemon, streamed: bool, words: str) -> None:
    """llama.cpp itself takes any tool then; passed through, its model calls another."""
    for name, value in (("ping", {}), ("get_weather", None)):
        choice = {"type": "tool", "name": name}
        answer = ask(translating.client, words, streamed, tools=TOOLS, tool_choice=choice, temperature=0.0)
        assert [call[0] for call in answer.calls] == [name] and answer.stop == "tool_use"
        assert value is None or answer.calls[0][1] == value


def test_none_gives_no_call_whatever_the_model_writes(translating: Daemon, streamed: bool) -> None:
    """llama.cpp leaves the call in the text; there it stays."""
    answer = ask(translating.client, "[[text-and-call]]", streamed, tools=TOOLS, tool_choice={"type": "none"})
    assert (answer.calls, answer.stop) == ([], "end_turn")
    assert answer.text == SCRIPTS["text-and-call"]


# Conversations.


def test_a_conversation_with_results(client: Client, way: str, streamed: bool) -> None:
    """A call, its result, two calls, their results: what the client gives back unchanged is taken."""
    conversation: list[dict[str, Any]] = [{"role": "user", "content": "[[thought-and-call]]"}]
    more: dict[str, Any] = {"tools": TOOLS, "max_tokens": 2000, "thinking": THINKING}
    first = ask(client, conversation, streamed, **more)
    conversation += [{"role": "assistant", "content": first.content}, result_of(first, "It rains. [[two-calls]]")]
    second = ask(client, conversation, streamed, **more)
    assert len(second.calls) == 2
    conversation += [{"role": "assistant", "content": second.content}, result_of(second, "It snows.")]
    last = ask(client, conversation, streamed, **more)
    assert (last.text, last.stop) == (SCRIPTS["after-result"], "end_turn")
    assert way == PASSED or last.usage["cache_read_input_tokens"] > 0
