"""How the daemon ends: streams first, then itself, and nothing of it remains."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest

from harness import PATIENCE, openai_wire, processes
from harness.backend import Backend, Turn
from harness.client import Client, Closed, message
from harness.daemon import PROGRAM, Daemon, backend_config, free_port
from harness.events import check_grammar


async def held(turn: Turn) -> None:
    """A streamed text that waits to be let go."""
    await turn.head()
    await turn.event(openai_wire.text("Hel"))
    await turn.until("end")
    await turn.event(openai_wire.text("lo"))
    await turn.event(openai_wire.finish())
    await turn.done()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_running_stream_comes_to_its_end_and_newcomers_wait_in_the_kernel(number: signal.Signals) -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.stream()
        stream.until("content_block_delta")
        idle = daemon.client.connect()
        idle.request("GET", "/health")
        assert idle.response().status == 200
        daemon.signal(number)
        stopping = daemon.notify.wait_key("STOPPING", "1")
        daemon.notify.wait("more time", lambda notice: "EXTEND_TIMEOUT_USEC" in notice.pairs, after=stopping)
        assert idle.closed() == "end", "idle connections are not waited for"
        newcomer = daemon.client.begin()
        backend.turn(0).go("end")
        assert check_grammar(stream.rest()) == [{"type": "text", "text": "Hello"}]
        assert daemon.exit_status() == 0
        daemon.leftovers()
        # The listener is the service manager's: whoever came meanwhile is served by the next instance.
        with Daemon(backend_config(backend.url), sockets=daemon.sockets):
            backend.turn(1).go("end")
            check_grammar(newcomer.stream().rest())


def test_answers_given_while_draining_say_that_the_connection_closes() -> None:
    async def answer(turn: Turn) -> None:
        await turn.until("end")
        await turn.reply(200, openai_wire.completion({"content": "late"}))

    with Backend(answer) as backend, Daemon(backend_config(backend.url, workers=1)) as daemon:
        with daemon.client.connect() as connection, daemon.client.connect() as idle:
            idle.request("GET", "/health")
            assert idle.response().status == 200
            connection.request("POST", "/v1/messages", message())
            backend.turn(0)
            daemon.signal(signal.SIGTERM)
            assert idle.closed() == "end", "now the worker drains"
            backend.turn(0).go("end")
            response = connection.response()
            assert response.status == 200 and response.headers["connection"] == "close"
            assert connection.closed() == "end"
        assert daemon.exit_status() == 0


def test_a_client_that_was_promised_its_connection_may_use_it_once_more() -> None:
    """The head of a running stream went out before the daemon knew that it would end."""
    with Backend(held) as backend, Daemon(backend_config(backend.url, workers=1)) as daemon:
        with daemon.client.begin() as connection, daemon.client.connect() as idle:
            stream = connection.stream()
            stream.until("content_block_delta")
            idle.request("GET", "/health")
            assert idle.response().status == 200
            daemon.signal(signal.SIGTERM)
            assert idle.closed() == "end", "now the worker drains"
            backend.turn(0).go("end")
            check_grammar(stream.rest())
            connection.request("GET", "/health")
            response = connection.response()
            assert response.status == 200 and response.headers["connection"] == "close"
            assert connection.closed() == "end"
        assert daemon.exit_status() == 0


def test_a_request_that_waits_for_a_permit_is_still_served() -> None:
    with Backend(held) as backend:
        config = backend_config(backend.url)
        config["backends"][0]["max_concurrent"] = 1
        with Daemon(config) as daemon:
            first, second = daemon.client.stream(), daemon.client.begin()
            daemon.wait_in_flight(2)
            daemon.signal(signal.SIGTERM)
            daemon.notify.wait_key("STOPPING", "1")
            backend.turn(0).go("end")
            check_grammar(first.rest())
            backend.turn(1).go("end")
            check_grammar(second.stream().rest())
            assert daemon.exit_status() == 0


def test_draining_ends_at_its_limit() -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url, timeouts={"drain": "500ms"})) as daemon:
        stream = daemon.client.stream()
        stream.until("content_block_delta")
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.exit_status() == 0
        assert 0.4 < time.monotonic() - began < 3
        ended_badly(stream.rest)
        daemon.log.allow("(?i)drain|cut|cancelled|worker")


def test_a_second_signal_ends_at_once() -> None:
    with Backend(held) as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.stream()
        stream.until("content_block_delta")
        daemon.signal(signal.SIGTERM)
        daemon.notify.wait_key("STOPPING", "1")
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        daemon.exit_status()
        assert time.monotonic() - began < 1
        daemon.leftovers()
        ended_badly(stream.rest)
        daemon.log.allow("(?i)signal|at once|cancelled|worker")


def ended_badly(rest: object) -> None:
    """A stream that was cut short says so: by an error event, or by no end at all."""
    assert callable(rest)
    try:
        check_grammar(rest(), ends_in_error=True)
    except Closed:
        pass


def test_its_own_listener_is_closed_and_a_new_instance_can_bind_at_once() -> None:
    with Backend() as backend:
        port = free_port()
        config = backend_config(backend.url, listen=[f"127.0.0.1:{port}"])
        for _ in range(3):
            with Daemon(config, inherit=False):
                assert Client(("127.0.0.1", port)).message().status == 200
            with pytest.raises(ConnectionRefusedError):
                Client(("127.0.0.1", port)).connect()


def test_stopping_before_it_is_ready_works() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url), wait=False) as daemon:
        daemon.log.allow(".")
        daemon.notify.wait("anything", lambda notice: True)
        daemon.signal(signal.SIGTERM)
        assert daemon.exit_status() == 0


MEANINGLESS = ("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR")


def test_signals_that_mean_nothing_here_end_nothing() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        workers = daemon.workers()
        for name in MEANINGLESS:
            for pid in [*workers, daemon.pid]:
                os.kill(pid, signal.Signals[name])
            daemon.log.wait(f"notice signal ignored signal={name}$")
        assert daemon.client.message().status == 200
        assert daemon.workers() == workers
        daemon.signal(signal.SIGQUIT)
        assert daemon.exit_status() == 0
        daemon.log.wait("stopping signal=SIGQUIT")


def test_a_terminal_that_stops_background_writers_stops_no_worker(tmp_path: Path) -> None:
    """`stty tostop`: workers are a background group of the terminal that they log to."""
    port = free_port()
    main, terminal = os.openpty()
    settings = termios.tcgetattr(terminal)
    settings[3] |= termios.TOSTOP
    termios.tcsetattr(terminal, termios.TCSANOW, settings)

    def take_terminal() -> None:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path), "TERM": "dumb"}
    process = subprocess.Popen(
        [PROGRAM, "serve", "--config", "/dev/null", "--listen", f"{port}", "--workers", "1"],
        stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True, preexec_fn=take_terminal,
    )
    printed = b""

    def wait(words: bytes, count: int = 1) -> None:
        nonlocal printed
        while printed.count(words) < count:
            assert select.select([main], [], [], PATIENCE)[0], printed
            printed += os.read(main, 4096)

    try:
        os.close(terminal)
        wait(b"For Claude Code")
        (worker,) = processes.children(process.pid)
        # Each answer leaves a line on the terminal, and the worker goes on.
        for number in range(1, 4):
            assert Client(("127.0.0.1", port)).message(model="claude").status == 200
            wait(b"outcome=completed", number)
        assert processes.children(process.pid) == [worker]
    finally:
        process.terminate()
        process.wait()
        os.close(main)


@pytest.mark.parametrize("second", [False, True], ids=["limit", "second signal"])
def test_streams_that_are_cut_on_purpose_say_so(second: bool) -> None:
    """Streams of both APIs get an error event, an answer without a stream an error of its own."""

    async def answer(turn: Turn) -> None:
        if turn.json.get("stream"):
            await held(turn)
        else:
            await turn.until("end")

    drain = "60s" if second else "300ms"
    with Backend(answer) as backend, Daemon(backend_config(backend.url, timeouts={"drain": drain})) as daemon:
        stream = daemon.client.stream()
        stream.until("content_block_delta")
        whole = daemon.client.connect()
        whole.request("POST", "/v1/messages", message())
        chat = daemon.client.connect()
        chat.request("POST", "/v1/chat/completions", {**message(), "stream": True})
        relayed = chat.head()
        chunks = chat.chunks()
        assert relayed.status == 200 and b"Hel" in next(chunks)
        daemon.wait_in_flight(3)
        daemon.signal(signal.SIGTERM)
        daemon.notify.wait_key("STOPPING", "1")
        began = time.monotonic()
        if second:
            daemon.signal(signal.SIGTERM)
        check_grammar(stream.rest(), ends_in_error=True)
        assert stream.seen[-1].data["error"]["type"] == "overloaded_error"
        end = b"".join(chunks)
        assert b'"error"' in end and b"being stopped" in end and b"[DONE]" not in end
        refused = whole.response()
        assert refused.error()[:2] == (529, "overloaded_error")
        assert refused.headers["x-should-retry"] == "true" and refused.headers["connection"] == "close"
        assert daemon.exit_status() == 0
        assert time.monotonic() - began < 3
        daemon.log.allow("outcome=upstream_failed .*cause=stopped", "answers cut off")
        assert not daemon.log.find("worker died|killed"), "it had time to say so"
        for connection in (whole, chat):
            connection.close()
