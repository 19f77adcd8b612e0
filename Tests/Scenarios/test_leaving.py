"""A client that leaves takes its upstream request with it, at once, whatever the phase."""

from __future__ import annotations

import statistics
import time

import pytest

from harness import openai_wire
from harness.backend import Backend, Turn
from harness.client import message
from harness.daemon import Daemon, backend_config

TIMES = 10
# What is wanted is 5 ms; a machine under test may stumble, so the bound is wider and the median is printed.
BOUND = 0.05
WANTED = 0.005


async def in_the_middle(turn: Turn) -> None:
    await turn.head()
    await turn.event(openai_wire.text("Hel"))
    turn.reached("there")
    await turn.hang()


async def before_the_first_token(turn: Turn) -> None:
    turn.reached("there")
    await turn.hang()


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
@pytest.mark.parametrize("phase", ["in mid-stream", "before the first token", "unstreamed"])
def test_the_upstream_request_ends_when_the_client_leaves(phase: str, how: str) -> None:
    script = in_the_middle if phase == "in mid-stream" else before_the_first_token
    delays = []
    with Backend(script) as backend, Daemon(backend_config(backend.url)) as daemon:
        for number in range(TIMES):
            connection = daemon.client.connect()
            connection.request("POST", "/v1/messages", message(stream=phase != "unstreamed"))
            turn = backend.turn(number)
            turn.wait("there")
            if phase == "in mid-stream":
                connection.stream().until("content_block_delta")
            left = time.monotonic()
            match how:
                case "close":
                    connection.close()
                case "reset":
                    connection.reset()
                case "half-close":
                    connection.half_close()
            delays.append(turn.wait_gone() - left)
            connection.close()
        median = statistics.median(delays)
        print(f"{phase}, {how}: median {median * 1000:.2f} ms, worst {max(delays) * 1000:.2f} ms")
        assert max(delays) < BOUND and median < WANTED
        daemon.log.wait("cancelled", TIMES)
        assert daemon.client.get("/health").status == 200


def test_a_client_that_leaves_while_it_waits_for_a_permit_never_reaches_the_backend() -> None:
    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.text("Hel"))
        await turn.until("end")
        await turn.event(openai_wire.finish())
        await turn.done()

    with Backend(answer) as backend:
        config = backend_config(backend.url)
        config["backends"][0]["max_concurrent"] = 1
        with Daemon(config) as daemon:
            first = daemon.client.stream()
            waiting = [daemon.client.begin() for _ in range(4)]
            daemon.wait_in_flight(5)
            for connection in waiting:
                connection.close()
            daemon.wait_in_flight(1)
            last = daemon.client.begin()
            backend.turn(0).go("end")
            first.rest()
            backend.turn(1).go("end")
            last.stream().rest()
            assert len(backend.turns) == 2
            daemon.log.wait("cancelled", 4)
