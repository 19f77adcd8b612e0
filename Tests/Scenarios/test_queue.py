"""Requests that wait for a backend: what their clients see meanwhile, and how they leave the queue."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness import openai_wire, processes
from harness.backend import Turn
from harness.client import Closed, Json, Response, message
from harness.daemon import Daemon
from harness.events import check_grammar
from harness.fleet import Fleet, Member
from harness.log import fields


async def held(turn: Turn) -> None:
    """A text that waits to be let go."""
    turn.reached("here")
    await turn.until("end")
    await openai_wire.text_answer(f"from {turn.path}")(turn)


@contextmanager
def busy(fleet: Fleet, daemon: Daemon, name: str = "a") -> Iterator[Turn]:
    """The backend's one place is taken; ends with the request that has it answered."""
    fleet[name].answer = held
    with ThreadPoolExecutor(1) as pool:
        first: Future[Response] = pool.submit(daemon.client.message, "the first")
        turn = fleet[name].backend.turn(0)
        turn.wait("here")
        fleet[name].answer = fleet[name].well
        try:
            yield turn
        finally:
            turn.go("end")
            assert first.result().status == 200


def one_place(**queue: str | int) -> tuple[Fleet, Json]:
    """A backend that takes one request at a time."""
    fleet = Fleet(Member("a", max_concurrent=1))
    more = {"queue": queue} if queue else {}
    return fleet, fleet.config(timeouts={"hold_status": "300ms"}, **more)


def test_a_stream_begins_while_its_request_waits() -> None:
    """The head, `message_start` and a ping go out after `hold_status`; the answer follows behind them."""
    fleet, config = one_place()
    with fleet, Daemon(config) as daemon, busy(fleet, daemon) as turn:
        began = time.monotonic()
        stream = daemon.client.stream("second")
        assert time.monotonic() - began > 0.25
        assert stream.head.headers["x-dragoman-route"] == "queued"
        assert int(stream.head.headers["x-dragoman-queued-ms"]) >= 250
        assert [stream.next().name, stream.next().name] == ["message_start", "ping"]
        assert len(fleet["a"].turns) == 1
        turn.go("end")
        events = stream.rest()
        check_grammar(events)
        assert events[-1].name == "message_stop"
        entry = fields(daemon.log.wait("exchange .*queued_us=[0-9]{6}"))
        assert entry["route"] == "name" and "ahead" not in entry


def test_the_journal_says_who_was_before_a_request() -> None:
    fleet, config = one_place()
    with fleet, Daemon(config) as daemon, busy(fleet, daemon) as turn:
        waiting = []
        for number in range(3):
            waiting.append(daemon.client.begin(f"number {number}"))
            processes.wait("it waits", lambda: daemon.status()["queued"] == len(waiting))
        turn.go("end")
        for connection in waiting:
            assert connection.stream().rest()[-1].name == "message_stop"
        daemon.log.wait(" exchange ", 4)
        entries = [fields(line) for line in daemon.log.find(" exchange ")]
        assert [entry.get("ahead") for entry in entries[1:]] == [None, "1 127.0.0.1", "2 127.0.0.1"]


def test_openai_clients_see_comments_while_they_wait() -> None:
    fleet, config = one_place()
    with fleet, Daemon(config) as daemon, busy(fleet, daemon) as turn:
        with daemon.client.connect() as connection:
            body = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}], "stream": True}
            connection.request("POST", "/v1/chat/completions", body)
            head = connection.head()
            chunks = connection.chunks()
            assert next(chunks) == b": ping\n\n"
            turn.go("end")
            text = b"".join(chunks).decode()
            assert head.status == 200 and text.endswith("data: [DONE]\n\n")
            ids = {json.loads(line[6:])["id"] for line in text.splitlines() if line.startswith("data: {")}
            assert len(ids) == 1


def test_who_waits_without_a_stream_gets_a_status_in_the_end() -> None:
    fleet, config = one_place()
    with fleet, Daemon(config) as daemon, busy(fleet, daemon) as turn, ThreadPoolExecutor(1) as pool:
        second = pool.submit(daemon.client.message, "second")
        processes.wait("it waits", lambda: daemon.status()["queued"] == 1)
        time.sleep(0.4)  # Longer than `hold_status`: nothing may go out.
        turn.go("end")
        answer = second.result()
        assert answer.status == 200 and answer.headers["x-dragoman-route"] == "name"
        assert int(answer.headers["x-dragoman-queued-ms"]) >= 350


def test_a_client_that_leaves_the_queue_leaves_its_place_to_the_next() -> None:
    fleet, config = one_place()
    with fleet, Daemon(config) as daemon, busy(fleet, daemon) as turn:
        gone, stays = daemon.client.begin("leaves"), None
        processes.wait("it waits", lambda: daemon.status()["queued"] == 1)
        stays = daemon.client.begin("stays")
        processes.wait("both wait", lambda: daemon.status()["queued"] == 2)
        gone.close()
        processes.wait("it is forgotten at once", lambda: daemon.status()["queued"] == 1)
        daemon.log.wait("exchange .*outcome=cancelled")
        turn.go("end")
        events = stays.stream().rest()
        assert events[-1].name == "message_stop"
        assert [turn.json["messages"][-1]["content"] for turn in fleet["a"].turns] == ["the first", "stays"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_full_queue_is_529_at_once(stream: bool) -> None:
    fleet, config = one_place(length=1)
    with fleet, Daemon(config) as daemon, busy(fleet, daemon) as turn:
        waiting = daemon.client.begin("waits")
        processes.wait("the queue is full", lambda: daemon.status()["queued"] == 1)
        daemon.log.allow("exchange .*outcome=refused")
        began = time.monotonic()
        refused = daemon.client.message("third", stream=stream)
        assert time.monotonic() - began < 0.3
        assert refused.error()[:2] == (529, "overloaded_error") and "queue is full" in refused.error()[2]
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        chat = daemon.client.post(
            "/v1/chat/completions", {"model": "test-model", "messages": [{"role": "user", "content": "hi"}]}
        )
        assert chat.status == 503 and 1 <= int(chat.headers["retry-after"]) <= 60
        turn.go("end")
        assert waiting.stream().rest()[-1].name == "message_stop"
        assert sum(client["limited"] for client in daemon.status()["clients"]) == 2


def test_waiting_ends_in_time() -> None:
    """Without a stream with a status, behind the head of one with an event."""
    fleet, config = one_place(wait="1s")
    with fleet, Daemon(config) as daemon, busy(fleet, daemon), ThreadPoolExecutor(1) as pool:
        daemon.log.allow("exchange .*outcome=refused")
        whole = pool.submit(daemon.client.message, "whole")
        events = daemon.client.stream("stream").rest()
        assert [event.name for event in events] == ["message_start", "ping", "error"]
        assert events[-1].data["error"]["type"] == "overloaded_error"
        refused = whole.result()
        assert refused.error()[:2] == (529, "overloaded_error") and 1 <= int(refused.headers["retry-after"]) <= 60
        processes.wait("nobody waits", lambda: daemon.status()["queued"] == 0)


def test_a_request_that_is_sent_again_ends_the_older_one() -> None:
    """The same client, conversation and bytes, and the newer says that it is a retry."""
    session = {"x_claude_code_session_id": "4b1c0e7a"}
    with Fleet(Member("a")) as fleet, Daemon(fleet.config()) as daemon:
        fleet["a"].answer = held
        older = daemon.client.connect()
        body = message("again", stream=True)
        older.request("POST", "/v1/messages", body, **session, x_stainless_retry_count="0")
        first = fleet["a"].backend.turn(0)
        first.wait("here")
        # Without the word for it, or with other bytes, nothing ends.
        others = [daemon.client.connect() for _ in range(2)]
        others[0].request("POST", "/v1/messages", body, **session, x_stainless_retry_count="0")
        others[1].request("POST", "/v1/messages", message("other", stream=True), **session, x_stainless_retry_count="1")
        for number in (1, 2):
            fleet["a"].backend.turn(number).wait("here")
        assert not first.gone
        newer = daemon.client.connect()
        newer.request("POST", "/v1/messages", body, **session, x_stainless_retry_count="1")
        fleet["a"].backend.turn(3).wait("here")
        processes.wait("an older one has ended", lambda: first.gone or fleet["a"].backend.turn(1).gone)
        daemon.log.wait("exchange .*outcome=superseded")
        for number in range(4):
            fleet["a"].backend.turn(number).go("end")
        assert newer.stream().rest()[-1].name == "message_stop"
        assert others[1].stream().rest()[-1].name == "message_stop"


def test_a_worker_that_dies_leaves_the_queue_to_the_others() -> None:
    """Whether it held the place or waited for it: all the others are answered."""
    fleet, config = one_place()
    with fleet, Daemon(config) as daemon:
        daemon.log.allow("worker", "exchange", "request lost", "died")
        fleet["a"].answer = held
        connections = [daemon.client.begin(f"number {number}") for number in range(4)]
        fleet["a"].backend.turn(0).wait("here")
        processes.wait("three wait", lambda: daemon.status()["queued"] == 3)
        worker = next(worker for worker in daemon.status()["workers"] if worker["in_flight"])
        os.kill(worker["pid"], signal.SIGKILL)
        processes.wait("it is not in the queue any more", lambda: daemon.status()["queued"] < 3)
        fleet["a"].answer = fleet["a"].well
        for turn in fleet["a"].turns:
            turn.go("end")
        answered = 0
        for connection in connections:
            with contextlib.suppress(Closed, OSError):
                answered += connection.stream().rest()[-1].name == "message_stop"
        assert answered == 4 - worker["in_flight"]
        processes.wait("nobody waits", lambda: daemon.status()["queued"] == 0)
        assert daemon.client.message().status == 200
        assert daemon.status()["backends"][0]["in_flight"] == 0


def test_the_status_is_told_to_clients_on_this_machine() -> None:
    with Fleet(Member("a", max_concurrent=3)) as fleet, Daemon(fleet.config()) as daemon:
        assert daemon.client.message().status == 200
        answer = daemon.client.get("/status")
        assert answer.status == 200 and answer.headers["content-type"] == "application/json"
        told = answer.json
        assert told["backends"][0]["name"] == "a" and told["backends"][0]["limit"] == 3
        refused = daemon.client.get("/status", x_forwarded_for="192.0.2.1")
        assert refused.error()[:2] == (403, "permission_error")
        daemon.log.allow("request refused")


def test_a_client_that_asks_much_does_not_keep_others_waiting(tmp_path: Path) -> None:
    """One key has eight requests in the queue when the other asks once: that one is next, or next but one."""
    keys = tmp_path / "keys"
    keys.write_text("sk-much-of-it\nsk-once-only\n")
    keys.chmod(0o600)
    with Fleet(Member("a", 0.02, max_concurrent=1)) as fleet:
        config = fleet.config(access={"keys": {"file": str(keys)}})
        with Daemon(config) as daemon, ThreadPoolExecutor(16) as pool:
            fleet["a"].answer = held

            def ask(key: str, words: str) -> Response:
                return daemon.client.post("/v1/messages", message(words), x_api_key=key)

            much = [pool.submit(ask, "sk-much-of-it", f"much {number}") for number in range(9)]
            fleet["a"].backend.turn(0).wait("here")
            processes.wait("eight wait", lambda: daemon.status()["queued"] == 8)
            once = pool.submit(ask, "sk-once-only", "once")
            processes.wait("nine wait", lambda: daemon.status()["queued"] == 9)
            assert sorted(client["queued"] for client in daemon.status()["clients"]) == [1, 8]
            fleet["a"].answer = fleet["a"].well
            fleet["a"].backend.turn(0).go("end")
            assert once.result().status == 200 and all(one.result().status == 200 for one in much)
            order = [turn.json["messages"][-1]["content"] for turn in fleet["a"].turns]
            assert order.index("once") <= 2, order
