"""A thousand clients before four backends that fail in every way, for minutes: run by `make endurance`."""

from __future__ import annotations

import asyncio
import collections
import random
import time
from typing import Any

import pytest

from harness import openai_wire, processes
from harness.backend import Turn
from harness.client import message, written
from harness.daemon import Daemon
from harness.fleet import Fleet, Member
from harness.load import allow_descriptors
from harness.log import fields

pytestmark = pytest.mark.endurance

CLIENTS = 1000
SECONDS = 300.0
FAULT_SECONDS = 6.0


class Faulty(Member):
    """Does what its `mode` says, and counts what it has answered to the end."""

    mode = "well"
    running = 0

    def __init__(self, name: str, rng: random.Random, **keys: Any):
        super().__init__(name, **keys)
        self.rng = rng
        self.did: collections.Counter[str] = collections.Counter()
        self.answer = self.faulty

    async def faulty(self, turn: Turn) -> None:
        """One answer, or what comes instead of it."""
        mode = self.mode
        self.running += 1
        try:
            await asyncio.sleep(self.rng.uniform(0.01, 0.2))
            match mode:
                case "well":
                    await openai_wire.text_answer(f"from {self.name}")(turn)
                case "error":
                    await turn.reply(500, {"error": {"message": "CUDA error", "type": "server_error"}})
                case "busy":
                    await turn.reply(429, {"error": {"message": "slow down"}}, retry_after="2")
                case "loading":
                    await turn.reply(503, {"error": {"message": "Loading model", "type": "unavailable_error"}})
                case "reset":
                    turn.reset()
                case "silence":
                    await turn.hang()
                case "cut":
                    await turn.head()
                    await turn.event(openai_wire.text("Hel"))
                    turn.reset()
            self.did[mode] += 1
        finally:
            self.running -= 1


async def one(address: tuple[str, int], number: int, until: float, outcomes: collections.Counter[str]) -> None:
    """A client that asks, reads to the end, thinks and asks again."""
    rng = random.Random(number)
    await asyncio.sleep(rng.uniform(0, 3))
    while time.monotonic() < until:
        streamed = rng.random() < 0.5
        body = message(f"client {number} {rng.random()}", stream=streamed)
        headers = {"connection": "close", "x-claude-code-session-id": f"session-{number}"}
        try:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(written("POST", "/v1/messages", body, **headers))
            data = await reader.read()
            writer.close()
        except OSError as error:
            outcomes[repr(error)] += 1
            continue
        status = data[9:12].decode() or "closed"
        if status == "200" and streamed:
            whole = b"event: message_stop" in data
            status = "200" if whole else "200, then an error" if b"event: error" in data else "200, cut"
        outcomes[status] += 1
        await asyncio.sleep(rng.uniform(1, 5))


async def faults(fleet: Fleet, until: float, rng: random.Random) -> None:
    """Each backend in turn gets a fault for a while; most of the time most of them are well."""
    members = [member for member in fleet.members.values() if isinstance(member, Faulty)]
    while time.monotonic() < until - FAULT_SECONDS:
        member = rng.choice(members)
        mode = rng.choice(["error", "busy", "loading", "reset", "silence", "cut", "away"])
        print(f"    {time.strftime('%H:%M:%S')} {member.name}: {mode}", flush=True)
        if mode == "away":
            # Nobody loses a whole answer by it: the counts of both sides are to agree.
            member.mode = "reset"
            while member.running:
                await asyncio.sleep(0.05)
            await asyncio.to_thread(member.stop)
            await asyncio.sleep(FAULT_SECONDS)
            await asyncio.to_thread(member.start)
        else:
            member.mode = mode
            await asyncio.sleep(FAULT_SECONDS)
        member.mode = "well"


def test_a_thousand_clients_and_backends_that_fail() -> None:
    """Each request has exactly one outcome in the journal, and both sides count the same."""
    allow_descriptors(16_384)
    rng = random.Random(11)
    outcomes: collections.Counter[str] = collections.Counter()
    with Fleet(*(Faulty(name, rng, max_concurrent=100) for name in "abcd")) as fleet:
        config = fleet.config(timeouts={"first_byte": "3s"}, breaker={"open": "2s", "open_max": "10s"}, queue={"length": 1000})
        with Daemon(config) as daemon:
            daemon.log.allow(".")
            until = time.monotonic() + SECONDS
            address = daemon.address()
            assert not isinstance(address, str)

            async def all_of_it() -> None:
                clients = [one(address, number, until, outcomes) for number in range(CLIENTS)]
                await asyncio.gather(faults(fleet, until, rng), *clients)

            asyncio.run(all_of_it())
            processes.wait("nothing is in flight", lambda: daemon.status()["in_flight"] == 0, 30)
            status = daemon.status()
            print(f"    clients: {dict(outcomes)}")
            for name, member in fleet.members.items():
                assert isinstance(member, Faulty)
                print(f"    {name}: {dict(member.did)}")
            lines = [fields(line) for line in daemon.log.find(" exchange ")]
            journal = collections.Counter(line["outcome"] for line in lines)
            print(f"    journal: {dict(journal)}")
            assert len(lines) == sum(outcomes.values()) == status["requests"]
            assert len({line["request_id"] for line in lines}) == len(lines), "one entry for each request"
            for name, member in fleet.members.items():
                completed = sum(line["backend"] == name and line["outcome"] == "completed" for line in lines)
                assert isinstance(member, Faulty)
                assert completed == member.did["well"], (name, completed, member.did)
            assert outcomes["200"] == journal["completed"]
            assert outcomes["200"] / sum(outcomes.values()) > 0.97, outcomes
            assert not any(backend["in_flight"] for backend in status["backends"]) and not status["queued"]
            assert not outcomes["200, cut"] and not outcomes["closed"], outcomes
