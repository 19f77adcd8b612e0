"""Server-sent events as the Messages API has them: a strict parser, and the grammar every stream obeys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

STOP_REASONS = {"end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal", "model_context_window_exceeded"}
EMPTY = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
DELTA_OF = {
    "text": {"text_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
}
USAGE = {"input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"}


@dataclass(frozen=True)
class Event:
    """One event, and when its last byte came (monotonic seconds)."""

    name: str
    data: Json
    at: float = 0.0


class Frames:
    """Cuts bytes into events. Only the one form that every client reads is accepted: `event:`, one `data:`, LF."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes, at: float) -> list[Event]:
        """The events that these bytes complete."""
        *frames, self._rest = (self._rest + data).split(b"\n\n")
        return [self._event(frame, at) for frame in frames]

    def finish(self) -> None:
        """At the end of the body nothing may be left over."""
        assert self._rest == b"", f"half a frame at the end: {self._rest!r}"

    @staticmethod
    def _event(frame: bytes, at: float) -> Event:
        lines = frame.decode("utf-8").split("\n")
        assert len(lines) == 2, f"not two lines: {frame!r}"
        assert lines[0].startswith("event: ") and lines[1].startswith("data: "), frame
        data = json.loads(lines[1][6:])
        assert data["type"] == lines[0][7:], f"event and type differ: {frame!r}"
        return Event(data["type"], data, at)


def check_grammar(events: Sequence[Event], ends_in_error: bool = False) -> list[Json]:
    """Asserts the order and shape of a whole stream; answers the content blocks it adds up to.

    With `ends_in_error` the stream must end in an `error` event, without message_delta and message_stop.
    """
    assert events and events[0].name == "message_start", "message_start is not first"
    check_message(events[0].data["message"])
    blocks: list[Json] = []
    open_block: Json | None = None
    stage = "content"
    for event in events[1:]:
        data = event.data
        assert stage in ("content", "delta"), f"{event.name} after the end ({stage})"
        match event.name:
            case "ping":
                assert data == {"type": "ping"}
            case "content_block_start":
                assert open_block is None and stage == "content", "blocks overlap"
                assert data["index"] == len(blocks), f"index {data['index']} where {len(blocks)} is due"
                open_block = opened(data["content_block"])
            case "content_block_delta":
                assert open_block is not None and data["index"] == len(blocks), "a delta outside its block"
                extend(open_block, data["delta"])
            case "content_block_stop":
                assert open_block is not None and data["index"] == len(blocks), "a stop outside its block"
                blocks.append(closed(open_block))
                open_block = None
            case "message_delta":
                assert open_block is None and stage == "content", "message_delta inside a block, or twice"
                assert set(data["delta"]) >= {"stop_reason", "stop_sequence"}, data
                assert data["delta"]["stop_reason"] in STOP_REASONS, data
                check_usage(data["usage"])
                called = any(block["type"] == "tool_use" for block in blocks)
                assert called or data["delta"]["stop_reason"] != "tool_use", "tool_use without a call"
                stage = "delta"
            case "message_stop":
                assert stage == "delta" and data == {"type": "message_stop"}
                stage = "stopped"
            case "error":
                assert data["error"]["type"] and data["error"]["message"], data
                assert data["request_id"].startswith("req_"), data
                stage = "failed"
            case other:
                raise AssertionError(f"an event that clients do not know: {other}")
    assert stage == ("failed" if ends_in_error else "stopped"), f"the stream ends in stage {stage}"
    return blocks


def check_message(value: Json) -> None:
    """The message of message_start."""
    assert value["id"].startswith("msg_") and value["type"] == "message" and value["role"] == "assistant", value
    assert value["content"] == [] and value["stop_reason"] is None and value["stop_sequence"] is None, value
    assert isinstance(value["model"], str) and value["model"], value
    check_usage(value["usage"])


def check_usage(usage: Json) -> None:
    """All four counts, never negative."""
    for name in USAGE:
        assert isinstance(usage.get(name), int) and usage[name] >= 0, usage


def opened(block: Json) -> Json:
    """The block of content_block_start, which must be empty and complete."""
    kind = block["type"]
    if kind == "tool_use":
        assert block["id"] and block["name"] and block["input"] == {}, block
        return {"type": kind, "id": block["id"], "name": block["name"], "input": ""}
    assert block == EMPTY[kind], block
    return dict(block)


def extend(block: Json, delta: Json) -> None:
    """Adds a delta, whose type must fit the block."""
    kind: str = delta["type"]
    assert kind in DELTA_OF[block["type"]], f"{kind} in a {block['type']} block"
    if kind == "signature_delta":
        assert block["signature"] == "" and delta["signature"], "one signature, not empty"
        block["signature"] = delta["signature"]
        return
    assert not block.get("signature"), "thinking after its signature"
    target, source = {
        "text_delta": ("text", "text"),
        "thinking_delta": ("thinking", "thinking"),
        "input_json_delta": ("input", "partial_json"),
    }[kind]
    block[target] += delta[source]


def closed(block: Json) -> Json:
    """The block when it stops: a signature is there, the input is an object."""
    if block["type"] == "thinking":
        assert block["signature"], "a thinking block without a signature"
    if block["type"] == "tool_use":
        block["input"] = json.loads(block["input"] or "{}")
        assert isinstance(block["input"], dict), block
    return block
