"""More clients than slots, more requests than a backend takes, and a thousand streams."""

from __future__ import annotations

import os
import signal
import time

from harness import processes, said
from harness.backend import Backend, Turn
from harness.client import message
from harness.daemon import Daemon, backend_config
from harness.events import check_grammar
from harness.load import allow_descriptors, streams


async def held(turn: Turn) -> None:
    """A streamed text that waits to be let go."""
    await turn.head()
    await turn.event(said.text("Hel"))
    await turn.until("end")
    await turn.event(said.finish())
    await turn.done()


def test_when_every_slot_is_busy_newcomers_wait_and_health_is_still_answered() -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url, worker_slots=2)) as daemon:
        busy = [daemon.client.stream() for _ in range(4)]
        waiting = [daemon.client.begin() for _ in range(3)]
        for path in ("/health", "/ready", "/health"):
            began = time.monotonic()
            assert daemon.client.get(path).status == 200
            assert time.monotonic() - began < 1
        assert len(backend.turns) == 4, "those that wait have not reached the backend"
        backend.turn(0).go("end")
        backend.turn(1).go("end")
        for number in range(4, 6):
            backend.turn(number)
        for number in range(2, 7):
            backend.turn(number).go("end")
        for stream in busy + [connection.stream() for connection in waiting]:
            check_grammar(stream.rest())
            stream.connection.close()


def test_a_waiting_client_that_leaves_is_forgotten() -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url, workers=1, worker_slots=1)) as daemon:
        busy = daemon.client.stream()
        before = len(processes.descriptors(daemon.pid))
        for connection in [daemon.client.begin() for _ in range(5)]:
            connection.close()
        last = daemon.client.begin()
        backend.turn(0).go("end")
        busy.rest()
        busy.connection.close()
        backend.turn(1).go("end")
        check_grammar(last.stream().rest())
        last.close()
        daemon.log.allow("cancelled")
        processes.wait("no descriptor is kept", lambda: len(processes.descriptors(daemon.pid)) <= before)


def test_idle_connections_are_closed_oldest_first_before_anyone_has_to_wait() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url, workers=1, worker_slots=3)) as daemon:
        idle = [daemon.client.connect() for _ in range(3)]
        for connection in idle:
            connection.request("GET", "/health")
            assert connection.response().status == 200
        began = time.monotonic()
        assert daemon.client.message().status == 200
        assert time.monotonic() - began < 1
        assert idle[0].closed() == "end"
        idle[2].request("GET", "/health")
        assert idle[2].response().status == 200, "the youngest is kept"
        for connection in idle:
            connection.close()


def test_connections_are_shared_out_evenly() -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url, workers=4)) as daemon:
        busy = [daemon.client.stream() for _ in range(20)]
        daemon.wait_in_flight(20)
        assert [worker["exchanges"] for worker in daemon.status()["workers"]] == [5, 5, 5, 5]
        for number, stream in enumerate(busy):
            backend.turn(number).go("end")
            stream.rest()


def test_a_backends_limit_holds_over_all_workers_and_its_queue_is_fair() -> None:
    async def answer(turn: Turn) -> None:
        await held(turn)

    with Backend(answer) as backend:
        config = backend_config(backend.url, workers=3)
        config["backends"][0]["max_concurrent"] = 2
        with Daemon(config) as daemon:
            waiting = []
            for number in range(8):
                waiting.append(daemon.client.begin(f"request {number}"))
                daemon.wait_in_flight(number + 1)
            for number in range(8):
                backend.turn(min(number + 1, 7))  # Two at the backend, and no third on its way.
                backend.turn(number).go("end")
            for connection in waiting:
                check_grammar(connection.stream().rest())
            order = [turn.json["messages"][0]["content"] for turn in backend.turns]
            assert order == [f"request {number}" for number in range(8)]
            assert backend.most_open == 2


def test_permits_of_a_dead_worker_are_given_to_others() -> None:
    with Backend(held) as backend:
        config = backend_config(backend.url)
        config["backends"][0]["max_concurrent"] = 1
        with Daemon(config) as daemon:
            first = daemon.client.stream()
            daemon.wait_in_flight(1)
            holder = next(worker for worker in daemon.status()["workers"] if worker["exchanges"] == 1)
            second = daemon.client.begin()
            daemon.wait_in_flight(2)
            os.kill(holder["pid"], signal.SIGKILL)
            backend.turn(1).go("end")
            check_grammar(second.stream().rest())
            first.connection.close()
            daemon.log.wait("worker died.*signal=SIGKILL")


def test_a_thousand_streams_at_once_all_come_to_their_end() -> None:
    count = 1000

    async def answer(turn: Turn) -> None:
        await turn.head()
        await turn.event(said.text("Hel"))
        if backend.answering == count:
            for other in list(backend.turns):
                other.go("end")
        await turn.until("end")
        for _ in range(10):
            await turn.event(said.text("lo"))
        await turn.event(said.finish())
        await turn.done()

    allow_descriptors(8192)
    with Backend(answer) as backend, Daemon(backend_config(backend.url)) as daemon:
        began = time.monotonic()
        ended = streams(daemon.address(), count)
        failures = [end for end in ended if isinstance(end, str)]
        assert not failures, f"{len(failures)} failed, for example: {failures[0]}"
        for events in ended:
            assert not isinstance(events, str)
            assert check_grammar(events)[0]["text"] == "Hel" + "lo" * 10
        assert backend.most_open == count
        print(f"{count} streams in {time.monotonic() - began:.1f} s")
        assert daemon.client.get("/health").status == 200


def test_a_burst_of_counting_is_answered() -> None:
    """25 count_tokens requests at once over 13 connections, as one command of Claude Code makes them."""
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        connections = [daemon.client.connect() for _ in range(13)]
        for number in range(25):
            connections[number % 13].request("POST", "/v1/messages/count_tokens", message("x" * 1000))
        for number in range(25):
            answer = connections[number % 13].response()
            assert answer.status == 200 and set(answer.json) == {"input_tokens"} and answer.json["input_tokens"] > 100
        for connection in connections:
            connection.close()
        assert backend.turns == []
