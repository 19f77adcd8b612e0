"""A scripted Ollama: its own API, what its models are, and what they say in lines of JSON."""

from __future__ import annotations

import json
from typing import Any

from harness.backend import Answer, Backend, Json, Turn


class Ollama(Backend):
    """`/api/tags`, `/api/show`, `/api/ps`, `/api/version`; POST /api/chat is a turn."""

    def __init__(self, answer: Answer | None = None, models: list[str] | None = None, port: int = 0):
        super().__init__(answer or text_answer("Hello there."), models or ["qwen3:8b"], port)
        self.show: Json = {
            "capabilities": ["completion", "tools", "thinking"],
            "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 262144},
        }
        """What /api/show says of every model."""
        self.loaded: dict[str, int] = {}
        """Models in memory, with their windows."""
        self.gets["/api/tags"] = self._tags
        self.gets["/api/ps"] = self._running
        self.gets["/api/version"] = self._version
        self.posts["/api/show"] = self._show

    async def _tags(self, turn: Turn) -> None:
        await turn.reply(200, {"models": [{"name": name, "model": name, "digest": name} for name in self.models]})

    async def _running(self, turn: Turn) -> None:
        await turn.reply(200, {"models": [{"name": name, "context_length": window} for name, window in self.loaded.items()]})

    async def _version(self, turn: Turn) -> None:
        await turn.reply(200, {"version": "0.12.6"})

    async def _show(self, turn: Turn) -> None:
        await turn.reply(200, self.show)


def line(content: str = "", **message: Any) -> Json:
    """One line of an answer."""
    return {
        "model": "qwen3:8b",
        "created_at": "2026-11-20T10:00:00.000000001Z",
        "message": {"role": "assistant", "content": content, **message},
        "done": False,
    }


def last(reason: str = "stop", prompt: int = 11, generated: int = 7) -> Json:
    """The line that ends an answer."""
    counts = {"prompt_eval_count": prompt, "eval_count": generated, "total_duration": 1}
    return {**line(), "done": True, "done_reason": reason, **counts}


def call(name: str, arguments: Json) -> Json:
    """A line with a whole tool call."""
    return line(tool_calls=[{"function": {"name": name, "arguments": arguments}}])


async def lines(turn: Turn, *values: Json) -> None:
    """These lines, all in one write."""
    await turn.chunk(b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values))


async def stream(turn: Turn, *values: Json) -> None:
    """A whole answer: a line each write."""
    await turn.head(content_type="application/x-ndjson")
    for value in values:
        await lines(turn, value)
    await turn.end()


def text_answer(words: str, prompt: int = 11) -> Answer:
    """Says this text, streamed word by word or whole, as asked."""

    async def answer(turn: Turn) -> None:
        assert turn.path == "/api/chat", turn.path
        if turn.json["stream"]:
            parts = [part if n == 0 else " " + part for n, part in enumerate(words.split(" "))]
            await stream(turn, *[line(part) for part in parts], last(prompt=prompt))
        else:
            await turn.reply(200, {**last(prompt=prompt), "message": {"role": "assistant", "content": words}})

    return answer
