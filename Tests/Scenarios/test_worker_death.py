"""Whatever becomes of a worker: nobody is refused, only its own streams are lost, and a successor comes."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import stat
import time
from pathlib import Path

import pytest

from harness import openai_wire, processes
from harness.backend import Backend, Turn
from harness.client import Closed, Stream, message
from harness.daemon import PROGRAM, Daemon, backend_config
from harness.events import check_grammar
from harness.load import Loop, dial, one_message
from harness.log import fields

SUPERVISION = {"heartbeat": "100ms", "hung_after": "600ms"}


async def held(turn: Turn) -> None:
    """Half a text, then waits to be let go."""
    if not turn.json.get("stream"):
        await turn.reply(200, openai_wire.completion({"content": "Hello there."}))
        return
    await turn.head()
    await turn.event(openai_wire.text("Hel"))
    await turn.until("end")
    await turn.event(openai_wire.text("lo"))
    await turn.event(openai_wire.finish())
    await turn.done()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT], ids=lambda number: number.name)
def test_a_worker_killed_under_load_costs_its_own_streams_only(number: signal.Signals) -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url)) as daemon:
        streams = [daemon.client.stream() for _ in range(12)]
        for stream in streams:
            stream.until("content_block_delta")
        workers = daemon.workers()
        with Loop(dial(daemon.address()), one_message()) as load:
            load.wait_more(20)
            os.kill(workers[0], number)
            daemon.wait_workers(2, without=workers[:1])
            load.wait_more(100)
            outcomes = load.stop()
        # In flight on the dead worker were at most the four requests of the load.
        assert outcomes["refused"] == 0 and outcomes["late"] == 0, outcomes
        assert sum(outcomes.values()) - outcomes["answered"] <= 4, outcomes
        for turn in [turn for turn in backend.turns if turn.json.get("stream")]:
            turn.go("end")
        lost = [stream for stream in streams if not whole(stream)]
        assert len(lost) == 6, "half of the streams were the dead worker's"
        obituary = daemon.log.wait(f"worker died.*signal={number.name}")
        assert str(workers[0]) in obituary
        status = daemon.status()
        assert sum(worker["restarts"] for worker in status["workers"]) == 1


def test_every_request_that_a_dead_worker_had_in_hand_has_its_entry() -> None:
    """The worker cannot write it any more; the supervisor does, and only for those."""
    with Backend(held) as backend, Daemon(backend_config(backend.url, workers=1)) as daemon:
        done = daemon.client.message()
        streams = [daemon.client.stream(model="claude-x") for _ in range(3)]
        for stream in streams:
            stream.until("content_block_delta")
        # One whose body is still on its way, and a probe, which is nobody's request.
        uploading = daemon.client.connect()
        uploading.send(b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{")
        (worker,) = daemon.workers()
        processes.wait("the worker holds all of them", lambda: daemon.status()["workers"][0]["connections"] == 4)
        assert daemon.client.get("/health").status == 200
        os.kill(worker, signal.SIGKILL)
        obituary = fields(daemon.log.wait("worker died.*signal=SIGKILL"))
        assert obituary["exchanges_lost"] == "4", obituary
        for stream in streams:
            told = fields(daemon.log.wait(f"exchange lost.*{stream.head.headers['request-id']}"))
            assert (told["outcome"], told["backend"], told["requested_model"]) == ("lost", "gpu1", "claude-x"), told
            assert told["peer"].startswith("127.0.0.1:") and 0 < int(told["duration_us"]) < 60_000_000, told
            assert told["worker"] == "0" and "died" in told["error"], told
        daemon.log.wait("exchange lost", 4)
        assert not daemon.log.find(f"exchange lost.*{done.headers['request-id']}")
        daemon.wait_workers(1, without=[worker])
        # What it had counted is not lost with it, whenever its last heartbeat was; what it was answering has failed.
        status = daemon.status()
        assert (status["requests"], status["failed"], status["in_flight"]) == (4, 3, 0), status
        uploading.close()
        for turn in backend.turns:
            turn.go("end")


def whole(stream: Stream) -> bool:
    """Whether the stream came to its good end; a lost one must be a cut, never a made-up end."""
    try:
        check_grammar(stream.rest())
    except Closed:
        assert stream.seen[-1].name == "content_block_delta"
        return False
    return True


def test_a_stopped_worker_is_replaced_and_takes_no_connection_with_it() -> None:
    """What it had not yet accepted goes to another; nobody waits longer than it takes to find out."""
    with Backend(held) as backend, Daemon(backend_config(backend.url, supervision=SUPERVISION)) as daemon:
        workers = daemon.workers()
        os.kill(workers[0], signal.SIGSTOP)
        with Loop(dial(daemon.address()), one_message(), threads=8) as load:
            daemon.wait_workers(2, without=workers[:1])
            load.wait_more(50)
            outcomes = load.stop()
        assert set(outcomes) == {"answered"}, outcomes
        assert load.slowest < 3, f"someone waited {load.slowest:.1f} s"
        daemon.log.wait(f"worker died.*object_pid={workers[0]}.*signal=SIGKILL.*killed_for=")
        daemon.log.allow("worker killed|hung|stopped")
        assert not processes.alive(workers[0])


def test_the_last_worker_dies_and_connections_wait_for_its_successor() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url, workers=1)) as daemon:
        with Loop(dial(daemon.address()), one_message(), threads=4) as load:
            for _ in range(5):
                (worker,) = daemon.wait_workers(1)
                load.wait_more(10)
                os.kill(worker, signal.SIGKILL)
                daemon.wait_workers(1, without=[worker])
            load.wait_more(10)
            outcomes = load.stop()
        assert outcomes["refused"] == 0 and outcomes["late"] == 0, outcomes
        assert sum(outcomes.values()) - outcomes["answered"] <= 20, outcomes
        daemon.log.wait("worker died.*signal=SIGKILL", 5)


def test_the_conversation_goes_on_over_a_kept_connection_to_another_worker() -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url)) as daemon:
        with daemon.client.connect() as one, daemon.client.connect() as two:
            for connection in (one, two):
                connection.request("POST", "/v1/messages", message())
                assert connection.response().status == 200
            victim = daemon.workers()[0]
            os.kill(victim, signal.SIGKILL)
            daemon.wait_workers(2, without=[victim])
            alive = 0
            for connection in (one, two):
                try:
                    connection.request("POST", "/v1/messages", message())
                    alive += connection.response().status == 200
                except (OSError, Closed):
                    continue
            assert alive == 1
        daemon.log.allow("worker died.*signal=SIGKILL")


def broken_program(folder: Path) -> Path:
    """The daemon beside a worker that notes each start and ends before it can serve."""
    folder.mkdir()
    shutil.copy(PROGRAM, folder / "dragoman")
    worker = folder / "dragoman-worker"
    worker.write_text(f'#!/bin/sh\ndate +%s.%N >>"{folder}/starts"\nexit 3\n')
    worker.chmod(worker.stat().st_mode | stat.S_IXUSR)
    return folder / "dragoman"


def test_a_worker_that_cannot_start_is_tried_again_ever_more_slowly_and_status_says_so(tmp_path: Path) -> None:
    """READY is not said; STATUS tells why; once the worker is whole again the daemon heals by itself."""
    program = broken_program(tmp_path / "broken")
    starts = program.parent / "starts"
    config = {"workers": 1, "supervision": {"restart_delay_max": "1s"}, "backends": [{"name": "a", "url": "http://127.0.0.1:9"}]}
    with Daemon(config, program=program, wait=False) as daemon:
        daemon.log.allow("backend does not answer")
        processes.wait("five starts", lambda: starts.exists() and len(starts.read_text().split()) >= 5)
        # What it says it waits: how long a start itself takes is the machine's affair.
        daemon.log.wait('worker died.*restart="in 800ms"')
        waits = [fields(line)["restart"] for line in daemon.log.find("worker died")]
        assert waits[:4] == ["in 100ms", "in 200ms", "in 400ms", "in 800ms"]
        starting = [float(line) for line in starts.read_text().split()]
        assert starting[4] - starting[0] >= 0.1 + 0.2 + 0.4 + 0.8
        daemon.notify.wait("why it is not ready", lambda notice: "0/1 workers" in notice.pairs.get("STATUS", ""))
        assert not [notice for notice in daemon.notify.notices if "READY" in notice.pairs]
        daemon.log.wait("worker died.*exit_status=3")
        daemon.log.allow("(?i)worker", "backend does not answer")
        # In one step, so that no start meets half a file.
        os.symlink(PROGRAM.parent / "dragoman-worker", program.parent / "whole")
        os.rename(program.parent / "whole", program.parent / "dragoman-worker")
        daemon.ready(5)
        assert daemon.client.get("/health").status == 200


def test_a_worker_that_never_says_hello_is_ended_and_replaced(tmp_path: Path) -> None:
    program = broken_program(tmp_path / "mute")
    worker = program.parent / "dragoman-worker"
    worker.write_text(f'#!/bin/sh\necho $$ >>"{worker.parent}/starts"\nexec sleep 1000\n')
    config = {"workers": 1, "supervision": SUPERVISION, "backends": [{"name": "a", "url": "http://127.0.0.1:9"}]}
    with Daemon(config, program=program, wait=False) as daemon:
        starts = worker.parent / "starts"
        processes.wait("a second start", lambda: starts.exists() and len(starts.read_text().split()) >= 2, 30)
        first = int(starts.read_text().split()[0])
        assert not processes.alive(first)
        daemon.log.allow("(?i)worker")
        began = time.monotonic()
        assert daemon.stop() == 0 and time.monotonic() - began < 5


def test_a_worker_without_descriptors_loses_the_connection_and_nothing_else() -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url, workers=1)) as daemon:
        stream = daemon.client.stream()
        stream.until("content_block_delta")
        (worker,) = daemon.workers()
        before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        highest = max(processes.descriptors(worker))
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        free = highest + 1 - len(processes.descriptors(worker))
        held_open = [daemon.client.connect() for _ in range(free)]
        with daemon.client.connect() as lost, pytest.raises((OSError, Closed)):
            lost.request("GET", "/health")
            lost.response()
        daemon.log.wait('error connection lost .*reason="no descriptor is left"')
        resource.prlimit(worker, resource.RLIMIT_NOFILE, before)
        assert daemon.client.get("/health").status == 200
        for connection in held_open:
            connection.close()
        backend.turn(0).go("end")
        assert whole(stream) and daemon.workers() == [worker]


def test_no_descriptor_is_left_over_after_deaths() -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url)) as daemon:
        daemon.client.message()
        before = len(processes.descriptors(daemon.pid))
        for _ in range(3):
            streams = [daemon.client.stream() for _ in range(4)]
            victim = daemon.workers()[0]
            os.kill(victim, signal.SIGKILL)
            daemon.wait_workers(2, without=[victim])
            for stream in streams:
                stream.connection.close()
        daemon.log.wait("worker died.*signal=SIGKILL", 3)
        processes.wait(
            "the supervisor holds as many descriptors as before",
            lambda: len(processes.descriptors(daemon.pid)) == before,
        )
