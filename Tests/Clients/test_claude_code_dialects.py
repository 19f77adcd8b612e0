"""Claude Code's own ways of working, through the daemon, with a model behind each dialect."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from claude_code import PROGRAM, ClaudeCode
from harness import network
from harness.backend import Backend
from harness.daemon import Daemon
from dialects import DIALECTS, MODEL, Call, Dialect, Heard, Play, Speech, model

missing = network.why_not() or (None if PROGRAM.exists() else "the CLI is not in the claude-agent-sdk wheel")
pytestmark = [
    pytest.mark.skipif(missing is not None, reason=f"the real Claude Code CLI: {missing}"),
    pytest.mark.parametrize("dialect", DIALECTS, ids=[dialect.name for dialect in DIALECTS]),
]

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class Session:
    """A session of the CLI with a model of one dialect, ended."""

    def __init__(self, folder: Path, dialect: Dialect, play: Play, files: dict[str, bytes] | None = None):
        with network.private(), dialect.backend() as backend:
            backend.answer = model(dialect, play)
            with Daemon(dialect.config(backend.url)) as daemon:
                # A prompt that is too long is told as what it is.
                daemon.log.allow("prompt is too long|exchange")
                with ClaudeCode(folder, daemon.url, "Do the task.", MODEL, files or {}) as claude:
                    self.result = claude.result()
                self.backend: Backend = backend
        self.heard = [dialect.hear(turn.json) for turn in backend.turns]

    def check(self, words: str) -> None:
        """It ended well, with these last words."""
        assert (self.result["subtype"], self.result["is_error"]) == ("success", False), self.result
        assert self.result["result"] == words, self.result["result"]


def test_tools_with_reasoning_between_them(tmp_path: Path, dialect: Dialect) -> None:
    file = str(tmp_path / "work" / "note.txt")
    steps = [
        Call("Write", {"file_path": file, "content": "seven times six\n"}),
        Call("Read", {"file_path": file}),
        Call("Edit", {"file_path": file, "old_string": "seven", "new_string": "eight"}),
        Call("Bash", {"command": f"cat {file}", "description": "Show it"}),
    ]

    def play(heard: Heard) -> Speech:
        step = len(heard.results)
        if step < len(steps):
            return Speech(f"Now step {step}.", (steps[step],), thought=f"Step {step} is next.")
        return Speech("It says: " + heard.results[-1].splitlines()[0])

    session = Session(tmp_path, dialect, play)
    session.check("It says: eight times six")
    assert len(session.heard) == len(steps) + 1, "no request was repeated"


def test_two_tools_at_once(tmp_path: Path, dialect: Dialect) -> None:
    def play(heard: Heard) -> Speech:
        if not heard.results:
            calls = [Call("Bash", {"command": f"echo {word}", "description": word}) for word in ("left", "right")]
            return Speech("Both.", tuple(calls))
        return Speech(" and ".join(sorted(result.splitlines()[0] for result in heard.results)))

    Session(tmp_path, dialect, play).check("left and right")


def test_an_overflowing_conversation_is_compacted_and_goes_on(tmp_path: Path, dialect: Dialect) -> None:
    def play(heard: Heard) -> Speech | None:
        if "TEXT ONLY" in heard.last:
            return Speech("<summary>Numbers were counted: COMPACTED.</summary>")
        if "COMPACTED" in heard.text:
            return Speech("Went on after the summary.")
        if len(heard.results) >= 4:
            return None
        return Speech("", (Call("Bash", {"command": "seq 1 300", "description": "Count"}),))

    session = Session(tmp_path, dialect, play)
    session.check("Went on after the summary.")
    assert sum("TEXT ONLY" in heard.last for heard in session.heard) == 1


def test_a_deferred_tool_is_searched_for_and_comes(tmp_path: Path, dialect: Dialect) -> None:
    def play(heard: Heard) -> Speech:
        if not heard.results:
            return Speech("", (Call("ToolSearch", {"query": "select:NotebookEdit", "max_results": 3}),))
        return Speech("It is there." if "NotebookEdit" in heard.tools else "It is missing.")

    session = Session(tmp_path, dialect, play)
    session.check("It is there.")
    assert "NotebookEdit" not in session.heard[0].tools


def test_sub_agents_work_side_by_side(tmp_path: Path, dialect: Dialect) -> None:
    def play(heard: Heard) -> Speech:
        if "SUBTASK" in heard.text and not heard.results:
            word = heard.text.split("SUBTASK ")[1].split()[0]
            return Speech("", (Call("Bash", {"command": f"echo sub-{word}", "description": word}),))
        if "SUBTASK" in heard.text:
            return Speech("I found " + heard.results[-1].splitlines()[0])
        if not heard.results:
            asked = [{"description": word, "prompt": f"SUBTASK {word} please", "subagent_type": "general-purpose"} for word in ("one", "two")]
            return Speech("Delegating.", tuple(Call("Agent", one) for one in asked))
        # The agents' ends are told to the main conversation when they come, in messages of their own.
        found = [word for word in ("one", "two") if f"I found sub-{word}" in heard.text]
        return Speech("Heard of: " + " ".join(found))

    Session(tmp_path, dialect, play).check("Heard of: one two")


def test_an_image_is_read(tmp_path: Path, dialect: Dialect) -> None:
    file = str(tmp_path / "work" / "dot.png")

    def play(heard: Heard) -> Speech:
        if not heard.results:
            return Speech("", (Call("Read", {"file_path": file}),))
        return Speech(f"I see {heard.images} image.")

    Session(tmp_path, dialect, play, {"dot.png": PICTURE}).check("I see 1 image.")
