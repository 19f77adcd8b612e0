"""More clients than slots, more requests than a backend takes, and a thousand streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from harness import openai_wire, processes
from harness.backend import Backend, Turn
from harness.client import Connection, Json, Stream, message, written
from harness.daemon import Daemon, backend_config
from harness.events import Event, check_grammar
from harness.load import allow_descriptors, streams
from harness.log import fields


async def held(turn: Turn) -> None:
    """A streamed text that waits to be let go."""
    await turn.head()
    await turn.event(openai_wire.text("Hel"))
    await turn.until("end")
    await turn.event(openai_wire.finish())
    await turn.done()


async def steady(turn: Turn) -> None:
    """A streamed text, a word every 20 ms for four seconds."""
    await turn.head()
    for _ in range(200):
        await turn.event(openai_wire.text("word "))
        await asyncio.sleep(0.02)
    await turn.event(openai_wire.finish())
    await turn.done()


def measured(url: str) -> Json:
    """One worker that tells of its long turns."""
    return backend_config(url, workers=1, log={"level": "debug"}, supervision={"heartbeat": "50ms", "hung_after": "10s"})


def longest_turn(daemon: Daemon) -> float:
    """Processor time of the longest turn of a worker's loop so far, ms; 0 when none was long."""
    assert not daemon.log.find("worker died|killed")
    turns = [fields(line) for line in daemon.log.find("long turn of the loop")]
    return max((int(turn["processor_us"]) / 1000 for turn in turns), default=0)


def longest_gap(stream: Stream) -> float:
    """Seconds between two events of a stream that is read to its end."""
    at = [event.at for event in check_complete(stream)]
    return max(later - earlier for earlier, later in zip(at, at[1:]))


def check_complete(stream: Stream) -> list[Event]:
    """All events of a stream that ended as it should."""
    events = stream.rest()
    check_grammar(events)
    return events


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


def test_a_waiting_client_that_has_only_finished_sending_is_served() -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url, workers=1, worker_slots=1)) as daemon:
        busy = daemon.client.stream()
        with daemon.client.connect() as waiting:
            waiting.request("GET", "/v1/models")
            waiting.half_close()
            assert daemon.client.get("/health").status == 200, "and it has been looked at by now"
            backend.turn(0).go("end")
            busy.rest()
            busy.connection.close()
            assert waiting.response().status == 200


def test_connections_that_say_nothing_give_way() -> None:
    """They hold every slot and fill the lobby; whoever comes is served, and `/health` at once."""
    allow_descriptors(8192)
    with Backend() as backend, Daemon(backend_config(backend.url, workers=2, worker_slots=100)) as daemon:
        silent = [daemon.client.connect() for _ in range(2000)]
        for _ in range(5):
            began = time.monotonic()
            assert daemon.client.get("/health").status == 200
            assert time.monotonic() - began < 2
        began = time.monotonic()
        assert daemon.client.message().status == 200
        assert time.monotonic() - began < 3
        for connection in silent:
            connection.close()


def test_a_client_that_pipelines_without_reading_the_clock_disturbs_nobody() -> None:
    """It sends more requests than can be answered for seconds; a stream beside it goes on, and the worker lives."""
    stop = threading.Event()

    def flood(connection: Connection) -> None:
        requests = written("GET", "/health") * 2000
        with contextlib.suppress(OSError):
            while not stop.is_set():
                connection.send(requests)

    def drain(connection: Connection) -> None:
        with contextlib.suppress(OSError):
            while connection.socket.recv(1 << 20):
                pass

    with Backend(steady) as backend, Daemon(measured(backend.url)) as daemon:
        # At debug each probe has its entry: more than this machine may be able to read.
        daemon.log.allow("log entries lost")
        with daemon.client.connect() as flooding:
            # A large body first: the kernel's buffer for this connection grows.
            flooding.request("POST", "/v1/messages/count_tokens", message("x" * (8 << 20)))
            assert flooding.response().status == 200
            threads = [threading.Thread(target=work, args=(flooding,), daemon=True) for work in (flood, drain)]
            for thread in threads:
                thread.start()
            gap = longest_gap(daemon.client.stream())
            stop.set()
            flooding.socket.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(10)
        assert gap < 1.0
        assert longest_turn(daemon) < 100


def test_large_bodies_that_become_ready_together_disturb_nobody() -> None:
    """Sixteen bodies of 15 MiB in escapes: each in steps, one step at a time, and within their common room."""
    size = 15 << 20
    body = json.dumps(message("@")).encode().replace(b"@", b"\\u0041" * (size // 6))
    with Backend(steady) as backend, Daemon(measured(backend.url)) as daemon:
        worker = daemon.workers()[0]
        before = processes.memory(worker)
        most = before
        stream = daemon.client.stream()
        stream.until("content_block_delta")
        held = [daemon.client.connect(60) for _ in range(16)]
        with ThreadPoolExecutor(16) as pool:
            sent = [
                pool.submit(connection.send, written("POST", "/v1/messages/count_tokens", body)) for connection in held
            ]
            gap = longest_gap(stream)
            while not all(future.done() for future in sent):
                most = max(most, processes.memory(worker))
                time.sleep(0.05)
        for connection in held:
            assert connection.response().status == 200
            connection.close()
        assert gap < 2.0
        # 50 ms, and 10 for each MiB beyond four; twice that for slower machines.
        assert longest_turn(daemon) < 2 * (50 + 10 * 11)
        assert most - before < 400 << 20


def test_connections_are_shared_out_evenly() -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url, workers=4)) as daemon:
        busy = [daemon.client.stream() for _ in range(20)]
        daemon.wait_in_flight(20)
        assert [worker["in_flight"] for worker in daemon.status()["workers"]] == [5, 5, 5, 5]
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
            holder = next(worker for worker in daemon.status()["workers"] if worker["in_flight"] == 1)
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
        await turn.event(openai_wire.text("Hel"))
        if backend.answering == count:
            for other in list(backend.turns):
                other.go("end")
        await turn.until("end")
        for _ in range(10):
            await turn.event(openai_wire.text("lo"))
        await turn.event(openai_wire.finish())
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
