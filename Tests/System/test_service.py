"""Dragoman as a socket-activated unit of a real systemd, installed as an administrator installs it."""

from __future__ import annotations

import signal
import time

import pytest

from harness import openai_wire
from harness.backend import Turn
from harness.client import message
from harness.documents import document, pdf
from harness.events import check_grammar
from harness.load import Loop, one_message
from installed import PORT, SERVICE, SOCKET, ask, connect, dragoman, journal, stream
from machine import why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"the service under a real systemd: {why_not()}")

EXCHANGE = ["REQUEST_ID", "BACKEND", "MODEL", "REQUESTED_MODEL", "STATUS", "OUTCOME", "TTFB_US", "DURATION_US"]
EXCHANGE += ["INPUT_TOKENS", "OUTPUT_TOKENS", "WORKER", "GENERATION"]


async def held(turn: Turn) -> None:
    """A streamed text that waits to be let go."""
    await turn.head()
    await turn.event(openai_wire.text("Hel"))
    await turn.until("end")
    await turn.event(openai_wire.finish())
    await turn.done()


def test_the_first_connection_starts_it_and_status_tells_of_it() -> None:
    with dragoman() as (machine, _):
        assert machine.show(SERVICE, "ActiveState") == "inactive"
        # The first worker answers as soon as it can; the unit is active when all of them have said so.
        assert ask(machine).status == 200
        machine.wait_show(SERVICE, "ActiveState", "active")
        assert machine.show(SERVICE, "Type") == "notify"
        machine.systemctl("is-active", SOCKET)
        assert "2" in machine.show(SERVICE, "StatusText")
        assert machine.show(SERVICE, "StatusText") in machine.run("systemctl", "status", SERVICE).stdout
        assert "gpu1" in machine.run("dragoman", "status", check=True).stdout


def test_the_sandbox_lets_documents_be_read() -> None:
    with dragoman() as (machine, backend):
        told = message(messages=[{"role": "user", "content": [document(pdf("Forty-two."))]}])
        with connect(machine) as connection:
            connection.request("POST", "/v1/messages", told)
            assert connection.response().status == 200
        assert "Forty-two." in backend.turns[0].json["messages"][0]["content"]


def test_every_exchange_is_one_journal_entry_with_all_its_fields() -> None:
    with dragoman() as (machine, _):
        answer = ask(machine, x_api_key="canary-client-key")
        identifier = answer.headers["request-id"]
        (entry,) = journal(machine, f"DRAGOMAN_REQUEST_ID={identifier}")
        for name in EXCHANGE:
            assert entry.get(f"DRAGOMAN_{name}"), (name, entry)
        assert (entry["DRAGOMAN_STATUS"], entry["DRAGOMAN_OUTCOME"]) == ("200", "completed")
        assert entry["_SYSTEMD_UNIT"] == SERVICE and entry["SYSLOG_IDENTIFIER"] == "dragoman-worker"
        assert entry["PRIORITY"] == "6" and len(entry["MESSAGE_ID"]) == 32
        assert entry["_PID"] != machine.show(SERVICE, "MainPID")
        machine.systemctl("stop", SOCKET, SERVICE)
        everything = journal(machine)
        own = [one for one in everything if one.get("_SYSTEMD_UNIT") == SERVICE or one.get("UNIT") == SERVICE]
        loud = [one["MESSAGE"] for one in own if int(one["PRIORITY"]) < 5]
        assert not loud, "a plain start, exchange and stop is no reason to warn"
        assert "canary-client-key" not in str(everything) and "Hello" not in str(own)


def test_restarting_in_the_middle_of_a_connect_loop_refuses_and_resets_nobody() -> None:
    with dragoman() as (machine, _), Loop(lambda: machine.connect(PORT), one_message()) as load:
        load.wait_more(20)
        for _ in range(5):
            machine.systemctl("restart", SERVICE)
            load.wait_more(20)
        outcomes = load.stop()
        print(f"{outcomes['answered']} answered over 5 restarts, the slowest in {load.slowest * 1000:.0f} ms")
        assert set(outcomes) == {"answered"}, outcomes


def test_killing_the_supervisor_refuses_nobody_and_the_service_comes_back() -> None:
    with dragoman() as (machine, _), Loop(lambda: machine.connect(PORT), one_message()) as load:
        load.wait_more(20)
        for killed in range(1, 4):
            machine.systemctl("kill", "--kill-whom=main", "--signal=KILL", SERVICE)
            machine.wait_show(SERVICE, "NRestarts", str(killed))
            load.wait_more(20)
        outcomes = load.stop()
        assert outcomes["refused"] == 0 and outcomes["late"] == 0, outcomes
        assert sum(outcomes.values()) - outcomes["answered"] <= 3 * 4, f"more than those in flight: {outcomes}"


def test_a_supervisor_that_hangs_is_replaced_by_the_watchdog() -> None:
    with dragoman(drop_in="[Service]\nWatchdogSec=1s\n") as (machine, _):
        assert ask(machine).status == 200
        machine.systemctl("kill", "--kill-whom=main", "--signal=STOP", SERVICE)
        machine.wait_show(SERVICE, "NRestarts", "1")
        assert ask(machine).status == 200
        assert [one for one in journal(machine, "UNIT=" + SERVICE) if "watchdog" in one["MESSAGE"].lower()]
        # And it lives on quietly for longer than the limit when nothing is wrong.
        main = machine.show(SERVICE, "MainPID")
        machine.run("sleep", "2.5")
        assert machine.show(SERVICE, "MainPID") == main


def test_a_crash_loop_never_takes_the_socket_down_and_who_waited_is_served() -> None:
    broken = "[Service]\nExecStart=\nExecStart=/bin/false\nRestartSec=50ms\n"
    with dragoman(drop_in=broken) as (machine, _):
        with connect(machine) as waiting:
            waiting.request("GET", "/health")
            deadline = time.monotonic() + 30
            while int(machine.show(SERVICE, "NRestarts")) < 12:
                assert time.monotonic() < deadline, machine.show(SERVICE, "NRestarts")
            machine.systemctl("is-active", SOCKET)
            machine.run("rm", f"/etc/systemd/system/{SERVICE}.d/test.conf", check=True)
            machine.systemctl("daemon-reload")
            assert waiting.response().status == 200
        machine.systemctl("is-active", SOCKET)


def test_a_mistake_in_the_configuration_is_78_stays_failed_and_leaves_the_socket() -> None:
    with dragoman(config="wrokers: 2\n") as (machine, _):
        assert machine.run("systemctl", "start", SERVICE).returncode != 0
        machine.wait_show(SERVICE, "ActiveState", "failed")
        assert (machine.show(SERVICE, "ExecMainStatus"), machine.show(SERVICE, "NRestarts")) == ("78", "0")
        # `journalctl -p warning` is where an administrator looks.
        (told,) = [one for one in journal(machine, "-u", SERVICE) if "wrokers" in one["MESSAGE"]]
        assert told["PRIORITY"] == "3" and told["MESSAGE"].startswith("/etc/dragoman/dragoman.yaml:1:")
        machine.systemctl("is-active", SOCKET)
        machine.write("/etc/dragoman/dragoman.yaml", "workers: 1\n")
        machine.systemctl("start", SERVICE)
        assert ask(machine, "GET", "/health").status == 200


def test_the_sandbox_is_on_and_the_processes_hold_nothing_they_do_not_need() -> None:
    with dragoman() as (machine, _):
        assert ask(machine).status == 200
        main = machine.show(SERVICE, "MainPID")
        pids = machine.run("pgrep", "-x", "dragoman|dragoman-worker").stdout.split()
        assert main in pids and len(pids) == 3
        for pid in pids:
            status = dict(line.split(":\t", 1) for line in machine.run("cat", f"/proc/{pid}/status").stdout.splitlines())
            uid = int(status["Uid"].split()[0])
            assert 61184 <= uid <= 65519, "a dynamic user"
            assert int(status["CapEff"], 16) == 0 and int(status["CapBnd"], 16) == 0
            assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
            # What may not be dumped belongs to root in /proc, whoever it runs as.
            assert machine.run("stat", "-c", "%u", f"/proc/{pid}/mem").stdout == "0\n"
            score = machine.run("cat", f"/proc/{pid}/oom_score_adj").stdout
            assert score == ("0\n" if pid == main else "200\n"), "a worker goes before the supervisor"
            limits = machine.run("cat", f"/proc/{pid}/limits").stdout
            assert [line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size")] == ["0"]
        exposure = machine.run("systemd-analyze", "security", "--threshold=30", SERVICE)
        assert exposure.returncode == 0, exposure.stdout


def test_a_backends_key_comes_as_a_credential() -> None:
    credential = "[Service]\nLoadCredential=gpu1-key:/etc/dragoman/gpu1-key\n"
    backends = [{"name": "gpu1", "url": "http://127.0.0.1:9000", "key": {"credential": "gpu1-key"}}]
    files = {"/etc/dragoman/gpu1-key": "canary-gpu-key\n"}
    with dragoman(config={"backends": backends}, drop_in=credential, files=files) as (machine, backend):
        assert ask(machine).status == 200
        assert backend.turn(0).headers["authorization"] == "Bearer canary-gpu-key"
        assert "canary-gpu-key" not in str(journal(machine))


def test_stopping_lets_a_stream_come_to_its_end_beyond_the_managers_own_limit() -> None:
    with dragoman(held, drop_in="[Service]\nTimeoutStopSec=2s\n") as (machine, backend):
        running = stream(machine)
        running.until("content_block_delta")
        machine.systemctl("stop", "--no-block", SOCKET, SERVICE)
        machine.wait_show(SERVICE, "ActiveState", "deactivating")
        machine.run("sleep", "3")  # Longer than TimeoutStopSec: the daemon has to ask for more time.
        backend.turn(0).go("end")
        assert check_grammar(running.rest())[0]["text"] == "Hel"
        machine.wait_show(SERVICE, "ActiveState", "inactive")
        assert machine.show(SERVICE, "Result") == "success"


def test_a_worker_that_dies_has_an_obituary_in_the_journal() -> None:
    with dragoman() as (machine, _):
        assert ask(machine).status == 200
        victim = machine.run("pgrep", "-x", "dragoman-worker", check=True).stdout.split()[0]
        machine.run("kill", f"-{signal.SIGKILL.value}", victim, check=True)
        assert ask(machine).status == 200
        deadline = time.monotonic() + 10
        while not (entries := [one for one in journal(machine, f"OBJECT_PID={victim}") if "died" in one["MESSAGE"]]):
            assert time.monotonic() < deadline, "no entry about the worker"
        (entry,) = entries
        assert entry["SYSLOG_IDENTIFIER"] == "dragoman" and len(entry["MESSAGE_ID"]) == 32
        assert entry["DRAGOMAN_SIGNAL"] == "SIGKILL" and entry["DRAGOMAN_RESTART"] in ("now", "in 100ms")
        assert entry["DRAGOMAN_SERVED"] and entry["DRAGOMAN_AGE_SECONDS"] and entry["PRIORITY"] == "4"


def test_status_without_the_service_says_so() -> None:
    with dragoman() as (machine, _):
        done = machine.run("dragoman", "status")
        assert done.returncode == 69 and "dragoman.socket is listening" in done.stderr
        machine.systemctl("stop", SOCKET)
        done = machine.run("dragoman", "status")
        assert done.returncode == 69 and "start it with" in done.stderr


def test_the_units_name_documents_that_are_there_and_the_start_says_what_runs() -> None:
    with dragoman() as (machine, _):
        assert ask(machine, "GET", "/health").status == 200
        for unit in (SERVICE, SOCKET):
            for document_ in machine.show(unit, "Documentation").split():
                machine.run("test", "-f", document_.removeprefix("file:"), check=True)
        (entry,) = [one for one in journal(machine, "SYSLOG_IDENTIFIER=dragoman") if one["MESSAGE"].startswith("starting ")]
        assert entry["DRAGOMAN_VERSION"] and entry["DRAGOMAN_CONFIGURATION"] == "/etc/dragoman/dragoman.yaml"
