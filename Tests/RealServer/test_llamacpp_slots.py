"""Slots of a real server: given back when a client leaves, shared by several, and lost with the server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asking import PASSED, WAYS, ask, check_broken_off, config, folded
from harness import processes
from harness.client import Connection, message
from harness.daemon import Daemon
from llama import LlamaServer
from scripted.scripts import SCRIPTS

LONG = 20_000
"""More tokens than the slow model says while a test lasts."""


@pytest.fixture(scope="module")
def slow(slow_model: Path) -> Iterator[LlamaServer]:
    """Two slots of a model at a reader's pace."""
    with LlamaServer(slow_model, window=8192) as running:
        yield running


@pytest.fixture(scope="module")
def daemon(slow: LlamaServer, way: str) -> Iterator[Daemon]:
    """Dragoman before the slow one."""
    with Daemon(config(slow.url, way)) as running:
        yield running


def begin(daemon: Daemon, streamed: bool, words: str = "[[endless]]") -> Connection:
    """A request for an answer without an end."""
    connection = daemon.client.connect(30)
    connection.request("POST", "/v1/messages", message(words, stream=streamed, max_tokens=LONG))
    return connection


def test_a_client_that_leaves_gives_its_slot_back(slow: LlamaServer, daemon: Daemon, streamed: bool) -> None:
    slow.wait_busy(0)
    connection = begin(daemon, streamed)
    slow.wait_busy(1)
    connection.close()
    slow.wait_busy(0, patience=3)


def test_also_while_another_is_answered(slow: LlamaServer, daemon: Daemon, way: str, streamed: bool) -> None:
    """llama.cpp by itself notices late that nobody waits for a whole answer any more: it looks only between its own events."""
    if way == PASSED and not streamed:
        streamed = True  # What passes through is asked for as it came: there llama.cpp's own habit holds.
    slow.wait_busy(0)
    with begin(daemon, streamed=True) as other:
        stream = other.stream()
        stream.until("content_block_delta")
        connection = begin(daemon, streamed)
        slow.wait_busy(2)
        connection.close()
        slow.wait_busy(1, patience=3)
        stream.until("content_block_delta")
    slow.wait_busy(0)


def test_six_clients_on_two_slots(slow: LlamaServer, daemon: Daemon, streamed: bool) -> None:
    """Everybody is served, some later."""
    slow.wait_busy(0)
    with ThreadPoolExecutor(6) as clients:
        asked = [clients.submit(ask, daemon.client, f"[[lines]] {n}", streamed) for n in range(6)]
        assert [one.result().text for one in asked] == [SCRIPTS["lines"]] * 6


def test_with_max_concurrent_the_queue_is_dragomans(slow: LlamaServer) -> None:
    with Daemon(config(slow.url, max_concurrent=1)) as daemon:
        slow.wait_busy(0)
        with begin(daemon, streamed=True) as first:
            first.stream().until("content_block_delta")
            with begin(daemon, streamed=True, words="[[lines]]") as second:
                daemon.wait_in_flight(2)
                assert slow.busy() == 1, "the second waits for a permit"
                first.close()
                stream = second.stream()
                assert folded(stream.rest(), stream.head.headers).text == SCRIPTS["lines"]


@pytest.mark.parametrize("way", WAYS)
def test_a_server_killed_in_mid_stream_and_started_again(tmp_path: Path, slow_model: Path, way: str) -> None:
    """The cut answer ends in an error; while the server is down clients hear 529; then it is found again."""
    with LlamaServer(slow_model, window=8192, log=tmp_path / "log") as server, Daemon(config(server.url, way)) as daemon:
        daemon.log.allow("exchange|backend")
        streams = [begin(daemon, streamed=True).stream() for _ in range(2)]
        for stream in streams:
            stream.until("content_block_delta")
        waiting = begin(daemon, streamed=False)
        server.kill()
        for stream in streams:
            check_broken_off(stream, way)
        assert waiting.response().status >= 500
        response = daemon.client.message("Hello")
        assert (response.status, response.error()[1]) == (529, "overloaded_error")
        assert 1 <= int(response.headers["retry-after"]) <= 60
        server.start()
        server.wait_ready()
        processes.wait("it is found again", lambda: daemon.client.message("[[lines]]", max_tokens=50).status == 200, 15)
