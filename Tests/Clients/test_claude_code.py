"""Claude Code does a task of five tool calls through the daemon; a scripted backend plays the model."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from claude_code import PROGRAM, ClaudeCode
from harness import network, openai_wire
from harness.backend import Backend, Json, Turn
from harness.daemon import Daemon, backend_config

missing = network.why_not() or (None if PROGRAM.exists() else "the CLI is not in the claude-agent-sdk wheel")
pytestmark = pytest.mark.skipif(missing is not None, reason=f"the real Claude Code CLI: {missing}")

CODE = "print('six times seven is', 6 * 7)\n"
LONG_AGO = 40.0


class Model:
    """Plays a model that writes, reads, runs, edits and runs again, then says what came out.

    Which step is due it reads from the conversation, as a model does: so a request that is repeated after
    a loss gets the same answer again.
    """

    def __init__(self, folder: Path):
        file = str(folder / "answer.py")
        self.steps: list[tuple[str, Json]] = [
            ("Write", {"file_path": file, "content": CODE}),
            ("Read", {"file_path": file}),
            ("Bash", {"command": f"python3 {file}", "description": "Run it"}),
            ("Edit", {"file_path": file, "old_string": "6 * 7", "new_string": "7 * 6 + 58"}),
            ("Bash", {"command": f"python3 {file}", "description": "Run it again"}),
        ]
        self.results: list[str] = []
        self.pause_at: int | None = None
        """At this step it stops in mid-answer until the test says `go on`, once."""

    async def __call__(self, turn: Turn) -> None:
        messages = turn.json["messages"]
        if not turn.json.get("tools"):
            await openai_wire.text_answer("A title.")(turn)
            return
        self.results = [text_of(one["content"]) for one in messages if one["role"] == "tool"]
        step = len(self.results)
        if not turn.json.get("stream"):
            await self._whole(turn, step)
            return
        await turn.head()
        await turn.event(openai_wire.thought(f"Step {step}."))
        if step == self.pause_at:
            self.pause_at = None
            await turn.event(openai_wire.text("Half an ans"))
            turn.reached("half")
            await turn.hang()
        if step < len(self.steps):
            name, tool_input = self.steps[step]
            written = json.dumps(tool_input)
            await turn.event(openai_wire.text(f"Now {name}. "))
            await turn.event(openai_wire.call(name, "", identifier=f"call_{step}"))
            for start in range(0, len(written), 11):
                await turn.event(openai_wire.arguments(written[start : start + 11]))
            await turn.event(openai_wire.finish("tool_calls"))
        else:
            await turn.event(openai_wire.text("It said: "))
            await turn.event(openai_wire.text(self.told()))
            await turn.event(openai_wire.finish())
        await turn.event(openai_wire.chunk(usage=openai_wire.usage(1000 + step, 20)))
        await turn.done()

    def told(self) -> str:
        """What the last tool printed, without the reminders that the CLI may append."""
        return self.results[-1].splitlines()[0]

    async def _whole(self, turn: Turn, step: int) -> None:
        if step < len(self.steps):
            await openai_wire.call_answer(*self.steps[step])(turn)
        else:
            await turn.reply(200, openai_wire.completion({"content": "It said: " + self.told()}))


def text_of(content: str | list[Json]) -> str:
    """The text of a message."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def check(model: Model, folder: Path) -> None:
    """Every tool has really run, and what it gave back reached the model."""
    assert len(model.results) == 5
    assert "answer.py" in model.results[0]
    assert "six times seven" in model.results[1]
    assert "six times seven is 42" in model.results[2]
    assert "six times seven is 100" in model.results[4]
    assert "7 * 6 + 58" in (folder / "work" / "answer.py").read_text()


PROMPT = "Write a program that prints six times seven, read it, run it, change it and run it again."


@pytest.mark.parametrize("name", ["claude-sonnet-4-5", "test-model"])
def test_a_task_of_five_tool_calls_streamed(tmp_path: Path, name: str) -> None:
    """Once under a name of Anthropic's (`auto`), once under the backend's own."""
    model = Model(tmp_path / "work")
    with network.private(), Backend(model) as backend, Daemon(backend_config(backend.url)) as daemon:
        with ClaudeCode(tmp_path, daemon.url, PROMPT, name) as claude:
            result = claude.result()
        assert (result["subtype"], result["is_error"]) == ("success", False), result
        assert result["result"] == "It said: six times seven is 100"
        check(model, tmp_path)
        tasks = [turn.json for turn in backend.turns if turn.json.get("tools")]
        assert len(tasks) == 6, "no request was repeated"
        assert all(body["stream"] for body in tasks)
        assert all(turn.path == "/v1/chat/completions" for turn in backend.turns)
        # The conversation grows at its end only, so that the backend's cache holds.
        for before, after in zip(tasks, tasks[1:], strict=False):
            assert after["messages"][: len(before["messages"])] == before["messages"]
            assert after["tools"] == before["tools"]
        assert "x-anthropic-billing-header" not in str(tasks[0])


def test_the_conversation_goes_on_when_its_worker_is_killed_in_mid_answer(tmp_path: Path) -> None:
    """Once in the middle of an answer, and both workers once between two answers."""
    model = Model(tmp_path / "work")
    model.pause_at = 2
    with network.private(), Backend(model) as backend, Daemon(backend_config(backend.url)) as daemon:
        with ClaudeCode(tmp_path, daemon.url, PROMPT, "test-model") as claude:
            backend.wait("the third request", lambda: any(turn_step(turn) == 2 for turn in backend.turns), LONG_AGO)
            half = next(turn for turn in backend.turns if turn_step(turn) == 2)
            half.wait("half")
            daemon.wait_in_flight(1)
            busy = next(worker["pid"] for worker in daemon.status()["workers"] if worker["in_flight"])
            os.kill(busy, signal.SIGKILL)
            half.wait_gone()
            backend.wait("the fourth step", lambda: any(turn_step(turn) == 4 for turn in backend.turns), LONG_AGO)
            for worker in daemon.workers():
                os.kill(worker, signal.SIGKILL)
            result = claude.result()
        assert (result["subtype"], result["is_error"]) == ("success", False), result
        assert result["result"] == "It said: six times seven is 100"
        check(model, tmp_path)
        daemon.log.wait("worker died.*signal=SIGKILL")


def turn_step(turn: Turn) -> int:
    """How many results of tools a request carries; -1 for a request without tools."""
    body = turn.json
    return sum(one["role"] == "tool" for one in body["messages"]) if body.get("tools") else -1
