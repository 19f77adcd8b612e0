"""What a model says, in the OpenAI dialect: chunks, whole completions, and ready answers for scripts."""

from __future__ import annotations

import json
from typing import Any

from harness.backend import Answer, Json, Turn


def chunk(delta: Json | None = None, finish: str | None = None, usage: Json | None = None, **more: Any) -> Json:
    """One `chat.completion.chunk`."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "test-model",
        "choices": [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}],
        **({"usage": usage} if usage else {}),
        **more,
    }


def text(words: str) -> Json:
    """A chunk of text."""
    return chunk({"content": words})


def thought(words: str) -> Json:
    """A chunk of reasoning."""
    return chunk({"reasoning_content": words})


def call(name: str, arguments: str, number: int = 0, identifier: str | None = None) -> Json:
    """A chunk with a whole tool call; `arguments` is JSON text, passed on as it is."""
    function = {"name": name, "arguments": arguments}
    identifier = identifier or f"call_{number}"
    return chunk({"tool_calls": [{"index": number, "id": identifier, "type": "function", "function": function}]})


def arguments(part: str, number: int = 0) -> Json:
    """A chunk that goes on with the arguments of a call."""
    return chunk({"tool_calls": [{"index": number, "function": {"arguments": part}}]})


def usage(prompt: int = 11, completion: int = 7, cached: int = 0) -> Json:
    """A usage object."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def finish(reason: str = "stop") -> Json:
    """The chunk with the finish reason."""
    return chunk({}, finish=reason)


def completion(message: Json, reason: str = "stop") -> Json:
    """A whole, unstreamed completion."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "test-model",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}],
        "usage": usage(),
    }


async def stream(turn: Turn, *frames: Json, reason: str = "stop") -> None:
    """A whole streamed answer: the frames one write each, then finish, usage, [DONE]."""
    await turn.head()
    await turn.event(chunk({"role": "assistant", "content": ""}))
    for frame in frames:
        await turn.event(frame)
    await turn.event(finish(reason))
    await turn.event(chunk(usage=usage()))
    await turn.done()


def text_answer(words: str) -> Answer:
    """Says this text, streamed word by word or whole, as asked."""

    async def answer(turn: Turn) -> None:
        if turn.json.get("stream"):
            parts = [part if n == 0 else " " + part for n, part in enumerate(words.split(" "))]
            await stream(turn, *[text(part) for part in parts])
        else:
            await turn.reply(200, completion({"content": words}))

    return answer


def call_answer(name: str, tool_input: Json) -> Answer:
    """Calls one tool, streamed or whole, as asked."""

    async def answer(turn: Turn) -> None:
        written = json.dumps(tool_input)
        if turn.json.get("stream"):
            await stream(turn, call(name, written), reason="tool_calls")
        else:
            function = {"name": name, "arguments": written}
            message = {"content": None, "tool_calls": [{"id": "call_0", "type": "function", "function": function}]}
            await turn.reply(200, completion(message, "tool_calls"))

    return answer


def failing(status: int, body: bytes | Json, content_type: str = "application/json", **headers: str) -> Answer:
    """Refuses every request in the same way."""

    async def answer(turn: Turn) -> None:
        await turn.reply(status, body, content_type, **headers)

    return answer
