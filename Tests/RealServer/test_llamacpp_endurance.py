"""What takes longer than a test of every day: kills by the dozen, clients without a pause, a model that loads for long.

Run by `make endurance`; each part says on the way how far it is.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from asking import THINKING, TOOLS, WAYS, ask, check_broken_off, config
from claude_code import PROGRAM, ClaudeCode
from harness import network, processes
from harness.client import Client, Closed, message
from harness.daemon import Daemon
from llama import LlamaServer
from scripted.network import write
from scripted.scripts import SCRIPTS
from test_llamacpp_loading import PARAMETERS, refusals_until_loaded

pytestmark = [pytest.mark.endurance, pytest.mark.parametrize("way", WAYS)]

SERVER_KILLS = 30
WORKER_KILLS = 60
CLIENTS = 24
SECONDS = 120.0
SESSIONS = 6
LOADING = 1_500_000
"""Units of ballast for a model of some 4.6 GB, most of it holes on the disk."""


def say(words: str) -> None:
    """Where it is, on the terminal (`-s`)."""
    print(f"    {time.strftime('%H:%M:%S')} {words}", flush=True)


def test_servers_killed_by_the_dozen(slow_model: Path, tmp_path: Path, way: str) -> None:
    """At any moment of an answer: it ends in an error, the next server is found."""
    with LlamaServer(slow_model, window=4096, log=tmp_path / "log") as server, Daemon(config(server.url, way)) as daemon:
        daemon.log.allow("exchange|backend")
        for kill in range(SERVER_KILLS):
            streams = [daemon.client.stream("[[endless]]", patience=30, max_tokens=4000) for _ in range(2)]
            for stream in streams:
                for _ in range(kill % 7 + 1):
                    stream.until("content_block_delta")
            server.kill()
            for stream in streams:
                check_broken_off(stream, way)
            server.start()
            server.wait_ready()
            processes.wait("it is found again", lambda: daemon.client.message("[[lines]]", max_tokens=50).status == 200, 30)
            if kill % 10 == 9:
                say(f"{way}: {kill + 1} of {SERVER_KILLS} servers killed")
        daemon.wait_in_flight(0)


def test_workers_killed_by_the_dozen(slow_model: Path, tmp_path: Path, way: str) -> None:
    """The server gets its slots back, the supervisor its workers, and no stream looks complete."""
    with LlamaServer(slow_model, window=4096, log=tmp_path / "log") as server, Daemon(config(server.url, way)) as daemon:
        daemon.log.allow("worker|exchange|backend")
        for kill in range(WORKER_KILLS):
            server.wait_busy(0)
            workers = daemon.wait_workers(2)
            streams = [daemon.client.stream("[[endless]]", patience=30, max_tokens=4000) for _ in range(2)]
            for stream in streams:
                stream.until("content_block_delta")
            for worker in workers if kill % 2 else workers[:1]:
                os.kill(worker, signal.SIGKILL)
            cut = 0
            for stream in streams:
                try:
                    while True:
                        stream.until("content_block_delta")
                        if cut or kill % 2 == 0 and len(stream.seen) > 60:
                            break
                except Closed:
                    cut += 1
                stream.connection.close()
            assert cut or kill % 2 == 0, "both workers died and no stream was cut"
            if kill % 20 == 19:
                say(f"{way}: workers killed {kill + 1} times of {WORKER_KILLS}")
        server.wait_busy(0)
        daemon.wait_workers(2)


def test_many_clients_without_a_pause(model: Path, tmp_path: Path, way: str) -> None:
    """All kinds of requests at once, some left in the middle; nothing is lost, and no memory with it."""
    with LlamaServer(model, window=8192, slots=4, log=tmp_path / "log") as server, Daemon(config(server.url, way)) as daemon:
        daemon.log.allow("exchange")
        until = time.monotonic() + SECONDS
        counts: Counter[str] = Counter()
        lock = threading.Lock()

        def work(number: int) -> None:
            rng = random.Random(number)
            while time.monotonic() < until:
                kind = rng.choice(list(EXCHANGES))
                EXCHANGES[kind](daemon.client, rng)
                with lock:
                    counts[kind] += 1

        with ThreadPoolExecutor(CLIENTS) as clients:
            running = [clients.submit(work, number) for number in range(CLIENTS)]
            before = 0
            while (left := until - time.monotonic()) > 0:
                wait(running, min(20.0, left), FIRST_EXCEPTION)
                memory = sum(processes.memory(pid) for pid in daemon.workers())
                before = before or memory
                say(f"{way}: {sum(counts.values())} exchanges, workers hold {memory >> 20} MiB")
                for one in running:
                    if one.done():
                        one.result()
            for one in running:
                one.result()
        server.wait_busy(0)
        daemon.wait_in_flight(0)
        assert memory < before * 2 + (32 << 20), "memory grows with every exchange"
        assert all(counts[kind] for kind in EXCHANGES), counts


def recite(client: Client, rng: random.Random) -> None:
    name = rng.choice(["lines", "greeting", "json", "after-result"])
    assert ask(client, f"{rng.random()} [[{name}]]", rng.random() < 0.5).text == SCRIPTS[name]


def call(client: Client, rng: random.Random) -> None:
    answer = ask(client, f"{rng.random()} [[two-calls]]", rng.random() < 0.5, tools=TOOLS)
    assert [value["city"] for _, value in answer.calls] == ["Bern", "Genève"]


def think(client: Client, rng: random.Random) -> None:
    answer = ask(client, f"{rng.random()} [[thought]]", rng.random() < 0.5, max_tokens=2000, thinking=THINKING)
    assert answer.thought and answer.text == "The answer is 42."


def leave(client: Client, rng: random.Random) -> None:
    """In the middle of a stream, or of an answer nothing of which has come yet."""
    with client.connect(30) as connection:
        streamed = rng.random() < 0.7
        connection.request("POST", "/v1/messages", message(f"{rng.random()} [[endless]]", stream=streamed, max_tokens=3000))
        if streamed:
            stream = connection.stream()
            for _ in range(rng.randrange(20)):
                stream.next()


def overflow(client: Client, rng: random.Random) -> None:
    response = client.message(f"{rng.random()}" + " information" * 9000)
    assert response.status == 400 and "prompt is too long" in response.error()[2], response.body


EXCHANGES = {"recite": recite, "call": call, "think": think, "leave": leave, "overflow": overflow}


def test_a_model_that_loads_for_long(tmp_path: Path, way: str) -> None:
    """Clients are told to come back, again and again, and are answered in the end."""
    path = tmp_path / "heavy.gguf"
    write(path, ballast=LOADING)
    server = LlamaServer(path, log=tmp_path / "log", **PARAMETERS)
    try:
        with Daemon(config(server.url, way)) as daemon:
            daemon.log.allow("exchange|backend")
            began = time.monotonic()
            server.start()
            server.wait_status(503)
            refused = refusals_until_loaded(daemon.client, 300)
            say(f"{way}: loaded after {time.monotonic() - began:.1f} s, {refused} requests told to wait")
            assert refused > 3
    finally:
        server.kill()


def test_sessions_of_claude_code_side_by_side(model: Path, tmp_path: Path, way: str) -> None:
    """More sessions than slots; each runs its tool."""
    if network.why_not() or not PROGRAM.exists():
        pytest.skip("the real Claude Code CLI: not here")
    with network.private(), LlamaServer(model, 98_304, log=tmp_path / "log") as server, Daemon(config(server.url, way)) as daemon:
        folders = [tmp_path / str(number) for number in range(SESSIONS)]
        sessions = []
        for folder in folders:
            folder.mkdir()
            sessions.append(ClaudeCode(folder, daemon.url, "Please [[bash]]", "test-model"))
        for number, session in enumerate(sessions):
            with session:
                assert session.result()["result"] == SCRIPTS["after-result"]
            say(f"{way}: session {number + 1} of {SESSIONS} has ended well")
