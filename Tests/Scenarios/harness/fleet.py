"""Several scripted backends behind one daemon, and clients that do not stop asking."""

from __future__ import annotations

import asyncio
import collections
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from harness import openai_wire
from harness.backend import Answer, Backend, Turn
from harness.client import Client, Closed, Json, message
from harness.events import check_grammar

FAST: Json = {
    "health": {"interval": "200ms", "timeout": "2s", "fall": 2},
    "supervision": {"heartbeat": "50ms"},
}
"""Checks so often that a scenario need not wait for them."""


class Member:
    """One backend of the fleet. It can be stopped, and started again at the same port."""

    def __init__(self, name: str, seconds: float = 0.0, models: list[str] | None = None, **keys: Any):
        self.name, self.seconds, self.keys = name, seconds, keys
        self.models = models
        self.answer: Answer = self.well
        """What it answers with from now on; can be exchanged at any time."""
        self.backend = Backend(self._answer, models)
        self.port = self.backend.port
        self.past: list[Turn] = []
        self.cache: collections.deque[str] = collections.deque(maxlen=200)
        """The prompts that it has read last."""

    @property
    def config(self) -> Json:
        """Its entry in the configuration."""
        return {"name": self.name, "url": f"http://127.0.0.1:{self.port}", "type": "openai-compatible", **self.keys}

    @property
    def turns(self) -> list[Turn]:
        """Every request that has come, also before it was started anew."""
        return self.past + self.backend.turns

    async def _answer(self, turn: Turn) -> None:
        await self.answer(turn)

    async def well(self, turn: Turn) -> None:
        """Its own name, after its time; with true counts of the prompt and of what it has read before."""
        await asyncio.sleep(self.seconds)
        prompt = "".join(f"\n{message['role']}: {message['content']}" for message in turn.json["messages"])
        cached = max((len(os.path.commonprefix([prompt, known])) for known in self.cache), default=0)
        self.cache.append(prompt)
        usage = openai_wire.usage(len(prompt) // 4, 3, cached // 4)
        words = f"from {self.name}"
        if turn.json.get("stream"):
            await turn.head()
            await turn.event(openai_wire.text(words), openai_wire.finish(), openai_wire.chunk(usage=usage))
            await turn.done()
        else:
            await turn.reply(200, {**openai_wire.completion({"content": words}), "usage": usage})

    def stop(self) -> None:
        """Nobody listens there any more, every connection is closed."""
        self.past += self.backend.turns
        self.backend.turns = []
        self.backend.stop()

    def start(self) -> None:
        """Again, at the same port."""
        self.backend = Backend(self._answer, self.models, self.port)
        self.backend.__enter__()


class Fleet:
    """`with Fleet(Member("a"), Member("b")) as fleet`."""

    def __init__(self, *members: Member):
        self.members = {member.name: member for member in members}

    def __enter__(self) -> Fleet:
        for member in self.members.values():
            member.backend.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for member in self.members.values():
            member.backend.stop()
        if kind is None:
            for member in self.members.values():
                if member.backend.failures:
                    raise member.backend.failures[0]

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def config(self, **more: Any) -> Json:
        """The daemon's, with four workers and further keys."""
        return {"workers": 4, "backends": [member.config for member in self.members.values()], **FAST, **more}

    def counts(self) -> dict[str, int]:
        """Requests by backend."""
        return {name: len(member.turns) for name, member in self.members.items()}


class Load:
    """So many clients, each asking again as soon as it is answered; every second one streams."""

    def __init__(self, client: Client, count: int, ask: Callable[[int], Json] | None = None, **headers: str):
        self.client, self.headers = client, headers
        self.ask = ask or (lambda number: message(f"client {number}"))
        self.outcomes: collections.Counter[str] = collections.Counter()
        """`200` or another status, `error` in a stream, `closed`."""
        self.backends: collections.Counter[str] = collections.Counter()
        self.slowest = 0.0
        self._stopped = threading.Event()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(count)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> collections.Counter[str]:
        """Every client ends with the answer that it waits for."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return self.outcomes

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())

    def wait_more(self, count: int, patience: float = 30.0) -> None:
        """Until so many more exchanges have ended, however."""
        with self._changed:
            goal = self.total + count
            assert self._changed.wait_for(lambda: self.total >= goal, patience), self.outcomes

    def wait_until(self, what: str, holds: Callable[[], bool], patience: float = 30.0) -> None:
        """Until something holds, looked at after each exchange."""
        with self._changed:
            assert self._changed.wait_for(holds, patience), f"never: {what}; {self.outcomes} {self.backends}"

    def _run(self, number: int) -> None:
        streamed = number % 2 == 1
        while not self._stopped.is_set():
            began = time.monotonic()
            backend, outcome = "", "closed"
            try:
                with self.client.connect(30) as connection:
                    connection.request("POST", "/v1/messages", {**self.ask(number), "stream": streamed}, **self.headers)
                    head = connection.head()
                    backend = head.headers.get("x-dragoman-backend", "")
                    outcome = str(head.status)
                    if streamed and head.status == 200:
                        outcome = self._streamed(connection, head)
                    else:
                        connection.rest(head)
            except (Closed, OSError):
                outcome = "closed"
            with self._changed:
                self.outcomes[outcome] += 1
                if outcome == "200":
                    self.backends[backend] += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
                self._changed.notify_all()

    @staticmethod
    def _streamed(connection: Any, head: Any) -> str:
        from harness.client import Stream

        events = Stream(connection, head).rest()
        if events[-1].name == "error":
            return "error"
        check_grammar(events)
        return "200"
