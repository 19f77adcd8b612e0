"""How the daemon comes to its sockets, when it says that it is ready, and what its workers inherit."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile

import pytest

from harness import PATIENCE, processes
from harness.backend import Backend
from harness.client import Client
from harness.daemon import PROGRAM, Daemon, backend_config, command, free_port, listener


def test_inherited_doors_of_every_kind_are_served_whatever_their_names() -> None:
    with Backend() as backend:
        path = "/tmp/dragoman-" + os.urandom(6).hex()
        doors = [("api", listener()), ("unknown", listener(("::1", 0))), ("", listener(path))]
        with Daemon(backend_config(backend.url), sockets=doors) as daemon:
            for number in range(3):
                answer = Client(daemon.address(number)).message()
                assert answer.status == 200 and answer.json["content"][0]["text"] == "Hello there."
        os.unlink(path)
        for _, door in doors:
            door.close()


def test_what_is_no_stream_listener_is_closed_and_named_in_the_log() -> None:
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagram.bind(("127.0.0.1", 0))
    with Backend() as backend, listener() as door:
        with Daemon(backend_config(backend.url), sockets=[("api", door), ("strange", datagram)]) as daemon:
            daemon.log.wait("strange")
            inode = os.fstat(datagram.fileno()).st_ino
            for pid in [daemon.pid, *daemon.workers()]:
                assert f"socket:[{inode}]" not in processes.descriptors(pid).values()
            assert daemon.client.get("/health").status == 200
    datagram.close()


def test_descriptors_meant_for_another_process_are_ignored() -> None:
    """LISTEN_PID of someone else: the daemon binds for itself and leaves descriptor 3 alone."""
    with Backend() as backend:
        port = free_port()
        config = backend_config(backend.url, listen=[f"127.0.0.1:{port}"])
        other = {"LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "api"}
        with Daemon(config, inherit=False, environment=other):
            assert Client(("127.0.0.1", port)).get("/health").status == 200


def test_by_hand_it_binds_what_is_configured_or_given_as_option() -> None:
    with Backend() as backend:
        port, other = free_port(), free_port()
        path = "/tmp/dragoman-" + os.urandom(6).hex()
        config = backend_config(backend.url, listen=[f"127.0.0.1:{port}", f"[::1]:{port}", f"unix:{path}"])
        with Daemon(config, inherit=False):
            for address in (("127.0.0.1", port), ("::1", port), path):
                assert Client(address).get("/health").status == 200
        with Daemon(config, inherit=False, arguments=["--listen", f"127.0.0.1:{other}", "--workers", "1"]) as daemon:
            assert Client(("127.0.0.1", other)).get("/health").status == 200
            assert len(daemon.workers()) == 1
            with pytest.raises(ConnectionRefusedError):
                Client(("127.0.0.1", port)).connect()


def test_a_port_in_use_is_exit_status_69_and_says_so() -> None:
    with listener() as taken:
        port = taken.getsockname()[1]
        config = {"listen": [f"127.0.0.1:{port}"]}
        with Daemon(config, inherit=False, wait=False) as daemon:
            assert daemon.exit_status() == os.EX_UNAVAILABLE == 69
            daemon.log.wait(rf"127\.0\.0\.1:{port}.*in use")


def test_ready_comes_once_after_every_worker_can_serve_and_stopping_before_the_end() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url, workers=3)) as daemon:
        ready = daemon.notify.wait_key("READY", "1")
        assert len(daemon.workers()) == 3
        assert daemon.client.get("/ready").status == 200
        daemon.client.message()
        assert daemon.stop() == 0
        stopping = daemon.notify.wait_key("STOPPING", "1")
        said = [notice.pairs for notice in daemon.notify.notices]
        assert ready < stopping
        assert sum("READY" in pairs for pairs in said) == 1 and sum("STOPPING" in pairs for pairs in said) == 1
        assert {notice.pid for notice in daemon.notify.notices} == {daemon.pid}, "only the supervisor speaks"
        known = {"READY", "STATUS", "STOPPING", "WATCHDOG", "EXTEND_TIMEOUT_USEC", "MONOTONIC_USEC", "BARRIER"}
        assert {key for pairs in said for key in pairs} <= known


def test_status_counts_the_workers_and_what_they_do() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        daemon.notify.wait("2 of 2 workers", lambda notice: "2/2 workers" in notice.pairs.get("STATUS", ""))
        with daemon.client.connect() as connection:
            connection.request("GET", "/health")
            assert connection.response().status == 200
            daemon.notify.wait("one connection", lambda notice: "1 connection," in notice.pairs.get("STATUS", ""))


def test_the_watchdog_is_fed_only_when_asked_for() -> None:
    with Backend() as backend:
        with Daemon(backend_config(backend.url), environment={"WATCHDOG_USEC": "400000"}) as daemon:
            first = daemon.notify.wait_key("WATCHDOG", "1")
            second = daemon.notify.wait_key("WATCHDOG", "1", after=first + 1)
            gap = daemon.notify.notices[second].at - daemon.notify.notices[first].at
            assert gap < 0.4, f"fed every {gap:.3f} s"


def test_workers_inherit_nothing_but_what_the_contract_names() -> None:
    secret = {"ANTHROPIC_API_KEY": "canary-in-environment", "WATCHDOG_USEC": "5000000", "EXTRA": "1"}
    with Backend() as backend, Daemon(backend_config(backend.url), environment=secret) as daemon:
        kept = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TERM", "NO_COLOR", "CREDENTIALS_DIRECTORY"}
        kept |= {"JOURNAL_STREAM", "SSL_CERT_FILE", "SSL_CERT_DIR"}
        contract = {"DRAGOMAN_WORKER", "DRAGOMAN_GENERATION", "DRAGOMAN_CONFIG_NAME"}
        door = f"socket:[{os.fstat(daemon.sockets[0][1].fileno()).st_ino}]"
        workers = daemon.workers()
        assert door in sockets_of(daemon.pid)
        for worker in workers:
            assert set(processes.environment(worker)) <= kept | contract
            for other in {daemon.pid, *workers} - {worker}:
                assert not sockets_of(worker) & sockets_of(other), "the listener, or somebody else's channel"


def sockets_of(pid: int) -> set[str]:
    """A process's sockets; the two ends of a pair are different ones."""
    return {what for what in processes.descriptors(pid).values() if what.startswith("socket:")}


def test_workers_end_when_the_supervisor_is_killed() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.begin()
        backend.turn(0)
        daemon.signal(signal.SIGKILL)
        assert daemon.exit_status() == -signal.SIGKILL
        daemon.leftovers(1.0)
        stream.close()


def test_it_works_under_systemd_socket_activate() -> None:
    """Started by the first byte, in a clean environment, with whatever name the socket has."""
    with Backend() as backend, tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(json.dumps(backend_config(backend.url)))
        config.flush()
        port = free_port()
        activator = subprocess.Popen(
            ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", str(PROGRAM), "serve", "--config", config.name],
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            assert activator.stderr is not None
            activator.stderr.readline()  # "Listening on …"
            assert Client(("127.0.0.1", port)).message().status == 200
        finally:
            activator.terminate()
            assert activator.wait(PATIENCE) == 0
            assert activator.stderr is not None
            activator.stderr.close()


def test_version_is_told() -> None:
    done = command("--version")
    assert done.returncode == 0 and done.stdout.startswith("dragoman ")


def test_the_reason_of_a_refusal_comes_before_the_rest_that_keeps_systemd_from_a_loop() -> None:
    """Somebody waits at a socket that `access` does not allow: the log says why while the daemon still rests."""
    with listener(("0.0.0.0", 0)) as door, socket.create_connection(("127.0.0.1", door.getsockname()[1])):
        with Daemon({}, sockets=[("api", door)], wait=False) as daemon:
            daemon.log.wait("access: expected keys or open to serve on 0.0.0.0")
            assert daemon.process.poll() is None, "told only at the end"
            assert daemon.exit_status() == 78
