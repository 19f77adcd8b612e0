"""How the tests ask: the two ways to a real server, tools, and answers told alike whether streamed or not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from harness.client import Client, Stream, message
from harness.daemon import backend_config
from harness.events import Event, check_grammar
from llama import MODEL
from scripted.vocabulary import Vocabulary

Json = dict[str, Any]

TRANSLATED, PASSED = "translated", "passed-through"
WAYS = (TRANSLATED, PASSED)
TOKENS = {name: len(chain) for name, chain in Vocabulary().chains.items()}
"""How many tokens each script has, its end among them."""
THINKING = {"type": "enabled", "budget_tokens": 1024}
WEATHER = {
    "name": "get_weather",
    "description": "Tells the weather of some days.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
}
PING = {"name": "ping", "description": "Says that it is there.", "input_schema": {"type": "object", "properties": {}}}
TOOLS = [WEATHER, PING]


def config(url: str, way: str = TRANSLATED, **more: Any) -> Json:
    """Dragoman before one llama.cpp; `more` are keys of the backend."""
    whole = backend_config(url)
    whole["backends"] = [{"name": "llama", "url": url, "type": "llamacpp", **more}]
    if way == PASSED:
        whole["backends"][0]["dialect"] = "anthropic"
    return whole


def check_broken_off(stream: Stream, way: str) -> None:
    """What follows in a stream whose server is gone: an error, and nothing that looks like an end."""
    events = stream.rest()
    assert events[-1].name == "error" and "message_stop" not in {event.name for event in events}
    if way == TRANSLATED:
        check_grammar(events, ends_in_error=True)


@dataclass
class Answer:
    """A whole answer of the Messages API."""

    content: list[Json]
    stop: str
    usage: Json
    headers: dict[str, str]
    deltas: int = 0

    def of(self, kind: str) -> list[Json]:
        """The blocks of one type."""
        return [block for block in self.content if block["type"] == kind]

    @property
    def text(self) -> str:
        """All text."""
        return "".join(block["text"] for block in self.of("text"))

    @property
    def thought(self) -> str:
        """All reasoning."""
        return "".join(block["thinking"] for block in self.of("thinking"))

    @property
    def calls(self) -> list[tuple[str, Json]]:
        """Names and inputs of the calls."""
        return [(block["name"], block["input"]) for block in self.of("tool_use")]

    @property
    def prompt(self) -> int:
        """Tokens of the whole prompt."""
        return sum(self.usage.get(name) or 0 for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"))


def ask(client: Client, words: str | list[Json], streamed: bool = False, patience: float = 30, **more: Any) -> Answer:
    """One exchange, which must succeed. `words` is the user's text or a whole conversation."""
    messages = words if isinstance(words, list) else [{"role": "user", "content": words}]
    with client.connect(patience) as connection:
        connection.request("POST", "/v1/messages", message(messages=messages, stream=streamed, **more))
        if not streamed:
            response = connection.response()
            assert response.status == 200, response.body
            value = response.json
            assert value["type"] == "message" and value["role"] == "assistant" and value["model"] == MODEL, value
            return Answer(value["content"], value["stop_reason"], value["usage"], response.headers)
        stream = connection.stream()
        events = stream.rest()
        if stream.head.headers.get("x-dragoman-mode") != "passthrough":
            check_grammar(events)
        return folded(events, stream.head.headers)


def folded(events: list[Event], headers: dict[str, str]) -> Answer:
    """What a stream adds up to. Unlike `check_grammar` it lets blocks overlap, as llama.cpp's own streams do."""
    blocks: dict[int, Json] = {}
    written: dict[int, str] = {}
    answer = Answer([], "", {}, headers)
    for event in events:
        data = event.data
        match event.name:
            case "message_start":
                answer.usage |= data["message"]["usage"]
            case "content_block_start":
                blocks[data["index"]] = dict(data["content_block"])
            case "content_block_delta":
                answer.deltas += 1
                delta, block = data["delta"], blocks[data["index"]]
                match delta["type"]:
                    case "text_delta":
                        block["text"] += delta["text"]
                    case "thinking_delta":
                        block["thinking"] += delta["thinking"]
                    case "input_json_delta":
                        written[data["index"]] = written.get(data["index"], "") + delta["partial_json"]
            case "message_delta":
                answer.stop = data["delta"]["stop_reason"]
                answer.usage |= data["usage"]
    assert events[-1].name == "message_stop", events[-1]
    for index, block in sorted(blocks.items()):
        if block["type"] == "tool_use":
            block["input"] = json.loads(written.get(index, "") or "{}")
        answer.content.append(block)
    return answer


def result_of(answer: Answer, words: str) -> Json:
    """The user's message with these words as the result of every call of an answer."""
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": words} for call in answer.of("tool_use")]
    return {"role": "user", "content": results}
