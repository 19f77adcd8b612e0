"""What a backend of Anthropic's own API says: events, messages, and ready answers for scripts."""

from __future__ import annotations

import json
from typing import Any

from harness.backend import Answer, Backend, Json, Turn

MODEL = "qwen3:8b"
"""How the backend calls the model; clients ask for another name."""


def frame(kind: str, **members: Any) -> bytes:
    """One event."""
    data = json.dumps({"type": kind, **members}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def start(model: str = MODEL, **usage: int) -> bytes:
    """`message_start`."""
    counts = {"input_tokens": 25, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1, **usage}
    message = {"id": "msg_01A", "type": "message", "role": "assistant", "model": model, "content": []}
    return frame("message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": counts})


def block(content: Json, *deltas: Json, index: int = 0) -> list[bytes]:
    """A whole content block, one event each."""
    return [
        frame("content_block_start", index=index, content_block=content),
        *[frame("content_block_delta", index=index, delta=delta) for delta in deltas],
        frame("content_block_stop", index=index),
    ]


def text(*words: str, index: int = 0) -> list[bytes]:
    """A text block."""
    return block({"type": "text", "text": ""}, *[{"type": "text_delta", "text": word} for word in words], index=index)


def thinking(words: str, signature: str, index: int = 0) -> list[bytes]:
    """A signed thinking block."""
    deltas = [{"type": "thinking_delta", "thinking": words}, {"type": "signature_delta", "signature": signature}]
    return block({"type": "thinking", "thinking": "", "signature": ""}, *deltas, index=index)


def call(name: str, *pieces: str, index: int = 0) -> list[bytes]:
    """A tool call, its input in pieces of JSON."""
    content = {"type": "tool_use", "id": f"toolu_0{index}", "name": name, "input": {}}
    return block(content, *[{"type": "input_json_delta", "partial_json": piece} for piece in pieces], index=index)


def end(reason: str = "end_turn", **usage: int) -> list[bytes]:
    """`message_delta` and `message_stop`."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    counts = {"input_tokens": 25, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 15, **usage}
    return [frame("message_delta", delta=delta, usage=counts), frame("message_stop")]


def error(kind: str = "overloaded_error", message: str = "Overloaded") -> Json:
    """An error's body."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_upstream"}


def message(*content: Json, reason: str = "end_turn") -> Json:
    """A whole message."""
    usage = {"input_tokens": 25, "output_tokens": 15}
    head = {"id": "msg_01A", "type": "message", "role": "assistant", "model": MODEL}
    return {**head, "content": list(content), "stop_reason": reason, "stop_sequence": None, "usage": usage}


def text_answer(words: str) -> Answer:
    """Says this text, streamed word by word or whole, as asked."""

    async def answer(turn: Turn) -> None:
        if not turn.json.get("stream"):
            return await turn.reply(200, message({"type": "text", "text": words}))
        await turn.head()
        for part in [start(), *text(*words.split("|")), *end()]:
            await turn.chunk(part)
        await turn.end()

    return answer


def events(*frames: bytes) -> Answer:
    """These frames, each in a write of its own, and the orderly end of the body."""

    async def answer(turn: Turn) -> None:
        await turn.head()
        for part in frames:
            await turn.chunk(part)
        await turn.end()

    return answer


def failing(status: int, body: Json, **headers: str) -> Answer:
    """Refuses every request in the same way."""

    async def answer(turn: Turn) -> None:
        await turn.reply(status, body, **headers)

    return answer


def models(backend: Backend, *names: str, **facts: Any) -> None:
    """Lets a backend list these models in Anthropic's shape."""

    async def answer(turn: Turn) -> None:
        data = [{"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z", **facts} for name in names]
        await turn.reply(200, {"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]})

    backend.gets["/v1/models"] = answer
