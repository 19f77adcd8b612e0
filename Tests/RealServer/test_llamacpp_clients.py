"""Real clients before a real server: Claude Code with a tool, its own view of the window, and OpenAI's SDK."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from asking import TOKENS, WAYS, config
from claude_code import PROGRAM, ClaudeCode
from harness import network, processes
from harness.daemon import Daemon, free_port
from llama import LlamaServer
from scripted.scripts import SCRIPTS

WINDOW = 98_304
missing = network.why_not() or (None if PROGRAM.exists() else "the CLI is not in the claude-agent-sdk wheel")
with_claude_code = pytest.mark.skipif(missing is not None, reason=f"the real Claude Code CLI: {missing}")


@with_claude_code
@pytest.mark.parametrize("way", WAYS)
def test_claude_code_runs_a_tool(model: Path, tmp_path: Path, way: str) -> None:
    """The model asks for a command, the CLI runs it, the result goes back, the second turn is read from the cache."""
    with network.private(), LlamaServer(model, WINDOW, log=tmp_path / "log") as server, Daemon(config(server.url, way)) as daemon:
        with ClaudeCode(tmp_path, daemon.url, "Please [[bash]]", "test-model") as claude:
            result = claude.result()
        assert (result["subtype"], result["is_error"]) == ("success", False), result
        assert result["result"] == SCRIPTS["after-result"]
        assert result["num_turns"] == 2
        assert result["usage"]["cache_read_input_tokens"] > 5000
        assert "six times seven is 42" in transcript(tmp_path)


@with_claude_code
def test_claude_code_knows_the_window_by_what_is_printed(model: Path, tmp_path: Path) -> None:
    """`dragoman serve`, started by hand, says what to export; with just that, `/context` shows the backend's window."""
    with network.private(), LlamaServer(model, 40_960, log=tmp_path / "log") as server:
        port = free_port()
        daemon = Daemon(config(server.url), inherit=False, arguments=["--listen", f"127.0.0.1:{port}"], wait=False)
        del daemon.environment["NOTIFY_SOCKET"]
        with daemon:
            processes.wait("it says what to do", lambda: "\n  claude\n" in daemon.printed.read_text())
            lines = dict(re.findall(r"^  export (\w+)=(\S+)", daemon.printed.read_text(), re.MULTILINE))
            assert lines["ANTHROPIC_BASE_URL"] == f"http://127.0.0.1:{port}"
            with ClaudeCode(tmp_path, lines["ANTHROPIC_BASE_URL"], "/context", model=None, environment=lines) as claude:
                shown = claude.result()["result"]
            assert re.search(r"/ ?(41k|40\.9k|40,960|40960)", shown), shown
            assert "test-model" in shown, shown


def transcript(folder: Path) -> str:
    """What the CLI has kept of the session."""
    return "".join(path.read_text() for path in (folder / "home" / ".claude" / "projects").rglob("*.jsonl"))


WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather of some days.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]},
    },
}


def asked(words: str) -> list[ChatCompletionMessageParam]:
    """A conversation of one message."""
    return [{"role": "user", "content": words}]


class TestOpenAI:
    """The chat door before the real server, through either dialect of it."""

    @pytest.fixture
    def sdk(self, daemon: Daemon) -> Iterator[openai.OpenAI]:
        """A strict client that does not try again."""
        options = {"max_retries": 0, "timeout": 30, "_strict_response_validation": True}
        with openai.OpenAI(base_url=daemon.url + "/v1", api_key="made-up", **options) as client:  # type: ignore[arg-type]
            yield client

    def test_models(self, sdk: openai.OpenAI) -> None:
        assert [one.id for one in sdk.models.list()] == ["test-model"]

    def test_a_completion(self, sdk: openai.OpenAI) -> None:
        answer = sdk.chat.completions.create(model="test-model", messages=asked("Hello"), max_completion_tokens=200)
        assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (SCRIPTS["greeting"], "stop")
        assert answer.usage and answer.usage.completion_tokens == TOKENS["greeting"] and answer.usage.prompt_tokens > 10

    def test_a_stream_with_counts(self, sdk: openai.OpenAI) -> None:
        chunks = list(
            sdk.chat.completions.create(
                model="test-model", messages=asked("[[lines]]"), stream=True, stream_options={"include_usage": True}
            )
        )
        said = [chunk.choices[0] for chunk in chunks if chunk.choices]
        assert "".join(choice.delta.content or "" for choice in said) == SCRIPTS["lines"]
        assert said[-1].finish_reason == "stop"
        assert chunks[-1].usage and chunks[-1].usage.completion_tokens == TOKENS["lines"]

    @pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
    def test_a_call_and_its_result(self, sdk: openai.OpenAI, streamed: bool) -> None:
        messages = asked("[[call]]")
        if streamed:
            with sdk.chat.completions.stream(model="test-model", messages=messages, tools=[WEATHER]) as stream:
                answer = stream.get_final_completion().choices[0]
        else:
            answer = sdk.chat.completions.create(model="test-model", messages=messages, tools=[WEATHER]).choices[0]  # type: ignore[assignment]
        calls = answer.message.tool_calls
        assert calls and calls[0].type == "function" and answer.finish_reason == "tool_calls"
        assert json.loads(calls[0].function.arguments) == {"city": "Zürich", "days": 3}
        function = {"name": calls[0].function.name, "arguments": calls[0].function.arguments}
        messages.append({"role": "assistant", "tool_calls": [{"id": calls[0].id, "type": "function", "function": function}]})  # type: ignore[typeddict-item]
        messages.append({"role": "tool", "tool_call_id": calls[0].id, "content": "It rains."})
        last = sdk.chat.completions.create(model="test-model", messages=messages, tools=[WEATHER]).choices[0]
        assert (last.message.content, last.finish_reason) == (SCRIPTS["after-result"], "stop")

    def test_structured_output(self, sdk: openai.OpenAI) -> None:
        schema: dict[str, object] = {"type": "object", "properties": {"answer": {"enum": ["yes", "no"]}, "count": {"type": "integer"}}, "required": ["answer", "count"]}
        answer = sdk.chat.completions.create(
            model="test-model",
            messages=asked("[[json]]"),
            response_format={"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema}},
        )
        assert json.loads(answer.choices[0].message.content or "") == {"answer": "yes", "count": 7}

    def test_an_overflow(self, sdk: openai.OpenAI, daemon: Daemon) -> None:
        daemon.log.allow("exchange .* status=400")
        with pytest.raises(openai.BadRequestError) as raised:
            sdk.chat.completions.create(model="test-model", messages=asked(" information" * 70_000))
        assert raised.value.code == "context_length_exceeded"
