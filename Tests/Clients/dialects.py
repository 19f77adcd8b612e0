"""One model, three dialects: what a scripted model hears and says, whatever API its server speaks."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from harness import anthropic_wire, ollama, openai_wire
from harness.backend import Backend, Json, Turn

MODEL = "test-model"
WINDOW = 32768


@dataclass
class Call:
    """A tool call of the model."""

    name: str
    input: Json


@dataclass
class Speech:
    """One answer: reasoning, text, calls, in this order."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    thought: str = ""


@dataclass
class Heard:
    """What a request says, in no dialect."""

    tools: list[str]
    results: list[str]
    """The texts of all tool results."""
    text: str
    """All texts of all messages."""
    last: str
    """All texts of the last message."""
    images: int


class Dialect(ABC):
    """A dialect, heard and spoken."""

    name: str
    type: str
    setting = "auto"
    """Of the configuration's key `dialect`."""
    path: str

    def backend(self) -> Backend:
        """A server of this dialect."""
        return Backend(models=[MODEL])

    def config(self, url: str) -> Json:
        """The daemon's configuration for it."""
        backend = {"name": "gpu1", "url": url, "type": self.type, "dialect": self.setting}
        return {"workers": 2, "backends": [backend], "supervision": {"heartbeat": "50ms"}}

    @abstractmethod
    def hear(self, body: Json) -> Heard: ...

    @abstractmethod
    async def say(self, turn: Turn, speech: Speech) -> None: ...

    @abstractmethod
    async def overflow(self, turn: Turn) -> None: ...


def text_of(content: str | list[Json] | None) -> str:
    """The texts in a message's content."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.get("text", "") for part in content if part.get("type") == "text")


class OpenAI(Dialect):
    """Chat completions."""

    name, type, path = "openai", "openai-compatible", "/v1/chat/completions"

    def hear(self, body: Json) -> Heard:
        messages = body["messages"]
        texts = [text_of(one["content"]) for one in messages]
        parts = [part for one in messages if isinstance(one["content"], list) for part in one["content"]]
        return Heard(
            tools=[tool["function"]["name"] for tool in body.get("tools", [])],
            results=[text_of(one["content"]) for one in messages if one["role"] == "tool"],
            text="\n".join(texts),
            last=texts[-1],
            images=sum(part["type"] == "image_url" for part in parts),
        )

    async def say(self, turn: Turn, speech: Speech) -> None:
        calls = [openai_wire.call(one.name, json.dumps(one.input), number) for number, one in enumerate(speech.calls)]
        reason = "tool_calls" if calls else "stop"
        if turn.json.get("stream"):
            thought = [openai_wire.thought(speech.thought)] if speech.thought else []
            text = [openai_wire.text(speech.text)] if speech.text else []
            return await openai_wire.stream(turn, *thought, *text, *calls, reason=reason)
        message: Json = {"content": speech.text}
        if calls:
            message["tool_calls"] = [call["choices"][0]["delta"]["tool_calls"][0] for call in calls]
        await turn.reply(200, openai_wire.completion(message, reason))

    async def overflow(self, turn: Turn) -> None:
        words = (
            f"This model's maximum context length is {WINDOW} tokens. However, your request has 40000 input tokens. "
            "Please reduce the length of the input messages."
        )
        await turn.reply(400, {"error": {"message": words, "type": "BadRequestError", "code": 400}})


class OllamaNative(Dialect):
    """`/api/chat`."""

    name, type, path = "ollama", "ollama", "/api/chat"

    def backend(self) -> Backend:
        server = ollama.Ollama(models=[MODEL])
        server.show = {**server.show, "capabilities": ["completion", "tools", "thinking", "vision"]}
        return server

    def hear(self, body: Json) -> Heard:
        messages = body["messages"]
        return Heard(
            tools=[tool["function"]["name"] for tool in body.get("tools", [])],
            results=[one["content"] for one in messages if one["role"] == "tool"],
            text="\n".join(one["content"] for one in messages),
            last=messages[-1]["content"],
            images=sum(len(one.get("images", [])) for one in messages),
        )

    async def say(self, turn: Turn, speech: Speech) -> None:
        calls = [{"function": {"name": one.name, "arguments": one.input}} for one in speech.calls]
        if turn.json["stream"]:
            parts = [ollama.line(thinking=speech.thought)] if speech.thought else []
            parts += [ollama.line(speech.text)] if speech.text else []
            parts += [ollama.line(tool_calls=[call]) for call in calls]
            return await ollama.stream(turn, *parts, ollama.last())
        message = {"role": "assistant", "content": speech.text, **({"tool_calls": calls} if calls else {})}
        await turn.reply(200, {**ollama.last(), "message": message})

    async def overflow(self, turn: Turn) -> None:
        await turn.reply(400, {"error": "the input length exceeds the context length"})


class Anthropic(Dialect):
    """Anthropic's own Messages API, passed through."""

    name, type, setting, path = "anthropic", "llamacpp", "anthropic", "/v1/messages"

    def hear(self, body: Json) -> Heard:
        blocks = [
            [{"type": "text", "text": one["content"]}] if isinstance(one["content"], str) else one["content"]
            for one in body["messages"]
        ]
        results = [block for message in blocks for block in message if block["type"] == "tool_result"]
        inner = [part for result in results if isinstance(result.get("content"), list) for part in result["content"]]
        flat = [block for message in blocks for block in message] + inner
        return Heard(
            tools=[tool["name"] for tool in body.get("tools", [])],
            results=[text_of(result.get("content")) for result in results],
            text="\n".join(text_of(message) for message in blocks),
            last=text_of(blocks[-1]),
            images=sum(block["type"] == "image" for block in flat),
        )

    async def say(self, turn: Turn, speech: Speech) -> None:
        reason = "tool_use" if speech.calls else "end_turn"
        if not turn.json.get("stream"):
            content: list[Json] = [{"type": "text", "text": speech.text}] if speech.text else []
            for number, one in enumerate(speech.calls):
                content.append({"type": "tool_use", "id": f"toolu_{len(turn.body)}_{number}", "name": one.name, "input": one.input})
            return await turn.reply(200, anthropic_wire.message(*content, reason=reason))
        frames = [anthropic_wire.start(MODEL)]
        index = 0
        if speech.thought:
            frames += anthropic_wire.thinking(speech.thought, "c2lnbmVk", index=index)
            index += 1
        if speech.text:
            frames += anthropic_wire.text(speech.text, index=index)
            index += 1
        for number, one in enumerate(speech.calls):
            block = {"type": "tool_use", "id": f"toolu_{len(turn.body)}_{number}", "name": one.name, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(one.input)}
            frames += anthropic_wire.block(block, delta, index=index)
            index += 1
        await anthropic_wire.events(*frames, *anthropic_wire.end(reason))(turn)

    async def overflow(self, turn: Turn) -> None:
        words = f"prompt is too long: 40000 tokens > {WINDOW} maximum"
        await turn.reply(400, anthropic_wire.error("invalid_request_error", words))


DIALECTS: list[Dialect] = [OpenAI(), OllamaNative(), Anthropic()]

Play = Callable[[Heard], Speech | None]


def model(dialect: Dialect, play: Play) -> Callable[[Turn], Awaitable[None]]:
    """A model that answers by the conversation alone, so that a repeated request gets the same answer again.

    `play` answers None when the conversation is too long for the model.
    """

    async def answer(turn: Turn) -> None:
        path = turn.path.partition("?")[0]
        assert path == dialect.path, path
        speech = play(dialect.hear(turn.json))
        if speech is None:
            await dialect.overflow(turn)
        else:
            await dialect.say(turn, speech)

    return answer
