"""The window of a real server: exact counts, prompts that fit and prompts that do not, answers that reach its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asking import PASSED, THINKING, TOOLS, TRANSLATED, ask, config
from harness.client import Client, Response, message
from harness.daemon import Daemon
from llama import LlamaServer
from scripted.scripts import SCRIPTS

Json = dict[str, Any]
WINDOW = 4096
TOO_LONG = re.compile(r"^prompt is too long: (\d+) tokens > (\d+) maximum( \(.*\))?$")

PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
SEEN = [
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
    {"type": "text", "text": "[[lines]] What is this?"},
]


@pytest.fixture(scope="module")
def small(model: Path) -> Iterator[LlamaServer]:
    """A server with a small window."""
    with LlamaServer(model, window=WINDOW, slots=1) as running:
        yield running


@pytest.fixture(scope="module")
def daemon(small: LlamaServer, way: str) -> Iterator[Daemon]:
    """Dragoman before the small one; refusals of prompts are what is tested."""
    with Daemon(config(small.url, way)) as running:
        running.log.allow("prompt is too long|exchange .* status=400")
        yield running


def refusal(client: Client, streamed: bool, **body: Any) -> Response:
    """An answer that is not 200."""
    with client.connect(30) as connection:
        connection.request("POST", "/v1/messages", message(stream=streamed, **body))
        response = connection.response()
        assert response.status != 200, "it was taken"
        return response


def count(client: Client, body: Json) -> int:
    """What count_tokens says."""
    asked = {name: value for name, value in body.items() if name not in ("max_tokens", "stream")}
    response = client.post("/v1/messages/count_tokens", asked)
    assert response.status == 200, response.body
    assert response.headers.get("x-dragoman-backend") == "llama", "the server counts, nobody guesses"
    tokens: int = response.json["input_tokens"]
    return tokens


CALLED = [
    {"role": "user", "content": "[[call]] What is the weather?"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Zürich"}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "It rains in Zürich."}]},
]
PROMPTS: dict[str, Json] = {
    "words": {},
    "system": {"system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Grüße ✓ 漢字 🎉"}]},
    "tools": {"tools": TOOLS},
    "results": {"tools": TOOLS, "messages": CALLED},
    "thinking": {"thinking": THINKING, "max_tokens": 2000},
    "long": {"messages": [{"role": "user", "content": "The ship left the harbour at dawn. " * 150}]},
    "code": {"messages": [{"role": "user", "content": "if (a[i] != 0) {\n\treturn {'k': 12345678};\n}\n" * 40}]},
}


@pytest.mark.parametrize("name", PROMPTS)
def test_counts_are_those_of_the_answer(daemon: Daemon, name: str) -> None:
    body = message("Hello", **PROMPTS[name])
    more = {key: value for key, value in PROMPTS[name].items() if key != "messages"}
    answer = ask(daemon.client, body["messages"], **more)
    assert count(daemon.client, body) == answer.prompt


@pytest.mark.parametrize("times", [3000, 3900, 4050])
def test_a_prompt_that_fits_is_sent_however_long_it_seems(daemon: Daemon, streamed: bool, times: int) -> None:
    """One token for a long word: by its bytes it would be several times too long."""
    answer = ask(daemon.client, " information" * times, streamed, max_tokens=5)
    assert times < answer.prompt < WINDOW


def test_a_prompt_that_does_not_fit_is_told_with_true_numbers(daemon: Daemon, streamed: bool) -> None:
    """The words on which clients compact, with the server's own count."""
    body = message(" information" * 4200)
    status, kind, words = refusal(daemon.client, streamed, words=" information" * 4200).error()
    match = TOO_LONG.match(words)
    assert (status, kind) == (400, "invalid_request_error") and match, words
    assert (int(match[1]), int(match[2])) == (count(daemon.client, body), WINDOW)


def test_a_prompt_far_beyond_the_window(daemon: Daemon, streamed: bool) -> None:
    status, kind, words = refusal(daemon.client, streamed, words="The ship left the harbour at dawn. " * 9000).error()
    match = TOO_LONG.match(words)
    assert (status, kind) == (400, "invalid_request_error") and match, words
    assert int(match[1]) > 2 * WINDOW and int(match[2]) == WINDOW


def test_an_answer_that_reaches_the_end_of_the_window_says_so(daemon: Daemon, way: str, streamed: bool) -> None:
    """Fewer tokens came than were asked for: it was the window. llama.cpp itself has one word for both."""
    answer = ask(daemon.client, "[[endless]]" + " information" * 3800, streamed, max_tokens=20_000)
    assert answer.prompt + answer.usage["output_tokens"] >= WINDOW - 1
    assert answer.stop == ("max_tokens" if way == PASSED else "model_context_window_exceeded")


def test_a_second_turn_is_read_from_the_cache_and_says_so(daemon: Daemon, streamed: bool) -> None:
    conversation: list[Json] = [{"role": "user", "content": "The ship left the harbour at dawn. " * 100 + f"{streamed}"}]
    first = ask(daemon.client, conversation, streamed)
    conversation += [{"role": "assistant", "content": first.content}, {"role": "user", "content": "[[lines]] Go on."}]
    second = ask(daemon.client, conversation, streamed)
    assert second.text == SCRIPTS["lines"]
    cached = second.usage["cache_read_input_tokens"]
    assert first.prompt * 0.9 < cached < second.prompt and second.usage["input_tokens"] == second.prompt - cached


def test_a_picture_for_a_model_that_sees_none(daemon: Daemon, way: str, streamed: bool) -> None:
    """Translated there is a placeholder, and the answer says what was dropped."""
    if way == TRANSLATED:
        answer = ask(daemon.client, [{"role": "user", "content": SEEN}], streamed)
        assert answer.text == SCRIPTS["lines"] and "messages.0.content.0" in answer.headers["x-dragoman-dropped"]


def test_a_picture_that_passes_through(daemon: Daemon, way: str, streamed: bool) -> None:
    """llama.cpp's 500 would be asked again: it is told as the refusal that it is."""
    if way == PASSED:
        response = refusal(daemon.client, streamed, messages=[{"role": "user", "content": SEEN}])
        status, kind, words = response.error()
        assert (status, kind) == (400, "invalid_request_error") and "image input is not supported" in words, response.json
        assert response.headers.get("x-should-retry", "false") == "false"
