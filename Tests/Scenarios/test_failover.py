"""A backend fails: who is asked next, how long, and what the client is told in the end."""

from __future__ import annotations

import json
import time

import pytest

from harness import openai_wire
from harness.backend import Answer, Turn
from harness.client import Json, message
from harness.daemon import Daemon
from harness.events import check_grammar
from harness.fleet import Fleet, Member
from harness.log import fields


async def silent(turn: Turn) -> None:
    """Nothing, ever."""
    await turn.hang()


async def reset(turn: Turn) -> None:
    """Cut before a byte."""
    turn.reset()


def busy(seconds: str = "1") -> Answer:
    return openai_wire.failing(429, {"error": {"message": "slow down"}}, retry_after=seconds)


BROKEN = openai_wire.failing(500, {"error": {"message": "CUDA error: out of luck", "type": "server_error"}})


def ladder(*answers: Answer) -> Fleet:
    """Backends that are asked one after the other, with these answers; one that answers well is the last."""
    members = [Member(f"m{number}", priority=900 - number) for number in range(len(answers) + 1)]
    for member, answer in zip(members, answers):
        member.answer = answer
    return Fleet(*members)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "cause"), [(silent, "first_byte"), (reset, "reset"), (busy(), "status_429"), (BROKEN, "status_500")]
)
def test_the_next_backend_is_asked_behind_the_head_or_before_it(answer: Answer, cause: str, stream: bool) -> None:
    with ladder(answer) as fleet:
        config = fleet.config(timeouts={"first_byte": "700ms", "hold_status": "200ms"})
        with Daemon(config) as daemon:
            daemon.log.allow("backend", "exchange")
            if stream:
                opened = daemon.client.stream()
                check_grammar(opened.rest())
            else:
                answered = daemon.client.message()
                assert answered.status == 200 and answered.headers["x-dragoman-backend"] == "m1"
                assert answered.headers["x-dragoman-route"] == "failover"
            entry = fields(daemon.log.wait("exchange "))
            assert (entry["backend"], entry["attempts"], entry["route"]) == ("m1", "2", "failover")
            assert entry["outcome"] == "completed" and "cause" not in entry
            # A kept connection that was found dead is tried once more.
            assert fleet.counts() in ({"m0": 1, "m1": 1}, {"m0": 2 if cause == "reset" else 1, "m1": 1})


@pytest.mark.parametrize("api", ["messages", "chat"])
def test_a_stream_that_was_opened_for_one_backend_is_answered_by_another(api: str) -> None:
    """The head is out when the first one gives up; the client sees one valid stream."""
    with ladder(silent) as fleet:
        with Daemon(fleet.config(timeouts={"first_byte": "900ms", "hold_status": "100ms"})) as daemon:
            daemon.log.allow("backend", "exchange")
            began = time.monotonic()
            if api == "messages":
                stream = daemon.client.stream()
                assert time.monotonic() - began < 0.6, "the head does not wait for the backend"
                assert stream.head.headers["x-dragoman-backend"] == "m0"
                events = stream.rest()
                check_grammar(events)
                assert [event.name for event in events].count("message_start") == 1
            else:
                with daemon.client.connect() as connection:
                    body = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}], "stream": True}
                    connection.request("POST", "/v1/chat/completions", body)
                    connection.head()
                    text = b"".join(connection.chunks()).decode()
                assert text.startswith(": ping\n\n") and text.endswith("data: [DONE]\n\n")
                ids = {json.loads(line[6:])["id"] for line in text.splitlines() if line.startswith("data: {")}
                assert len(ids) == 1
            assert fields(daemon.log.wait("exchange "))["backend"] == "m1"


def test_no_more_backends_are_asked_than_allowed() -> None:
    with ladder(BROKEN, BROKEN, BROKEN) as fleet, Daemon(fleet.config(failover={"attempts": 2})) as daemon:
        daemon.log.allow("backend", "exchange")
        assert daemon.client.message().status == 500
        assert fleet.counts() == {"m0": 1, "m1": 1, "m2": 0, "m3": 0}
        entry = fields(daemon.log.wait("exchange "))
        assert (entry["attempts"], entry["cause"], entry["outcome"]) == ("2", "status_500", "upstream_failed")


def test_no_backend_is_asked_later_than_allowed() -> None:
    """The time runs from the first failure: the second one takes too long."""
    with ladder(BROKEN, silent) as fleet:
        config = fleet.config(failover={"within": "300ms"}, timeouts={"first_byte": "800ms"})
        with Daemon(config) as daemon:
            daemon.log.allow("backend", "exchange")
            answer = daemon.client.message()
            assert answer.error()[0] == 500 and "CUDA" in answer.error()[2], "what says most is told"
            assert fleet.counts() == {"m0": 1, "m1": 1, "m2": 0}


def test_a_request_that_waits_for_another_backend_is_told_in_time() -> None:
    """The only other backend is full: the failure is told when the time for another one is over."""
    with Fleet(Member("a", priority=200), Member("b", max_concurrent=1)) as fleet:
        with Daemon(fleet.config(failover={"within": "600ms"})) as daemon:
            daemon.log.allow("backend", "exchange")
            fleet["a"].answer = fleet["b"].answer = silent
            blocked = daemon.client.connect()
            blocked.request("POST", "/v1/messages", message("x", model="b/test-model"))
            fleet["b"].backend.turn(0)
            fleet["a"].answer = BROKEN
            began = time.monotonic()
            answer = daemon.client.message()
            assert answer.error()[0] == 500 and "CUDA" in answer.error()[2]
            assert 0.4 < time.monotonic() - began < 3 and len(fleet["b"].turns) == 1
            blocked.close()


def test_what_the_request_itself_has_wrong_is_told_at_once() -> None:
    wrong: Json = {"error": {"message": "temperature must be below 2", "type": "invalid_request_error"}}
    with ladder(openai_wire.failing(400, wrong)) as fleet, Daemon(fleet.config()) as daemon:
        daemon.log.allow("exchange")
        answer = daemon.client.message()
        assert answer.error()[0] == 400 and "temperature" in answer.error()[2]
        assert fleet.counts() == {"m0": 1, "m1": 0}


@pytest.mark.parametrize("stream", [False, True])
def test_the_error_that_says_most_is_told_in_the_end(stream: bool) -> None:
    """Refused, answered with words, silent: the words; behind the head as an event."""
    with Fleet(*(Member(f"m{number}", priority=900 - number) for number in range(3))) as fleet:
        config = fleet.config(timeouts={"first_byte": "500ms", "hold_status": "100ms"})
        with Daemon(config) as daemon:
            daemon.log.allow("backend", "exchange")
            fleet["m0"].answer, fleet["m1"].answer, fleet["m2"].answer = reset, BROKEN, silent
            if stream:
                events = daemon.client.stream().rest()
                assert events[-1].name == "error" and "CUDA" in events[-1].data["error"]["message"]
            else:
                answer = daemon.client.message()
                assert "CUDA" in answer.error()[2] and answer.headers["x-dragoman-backend"] == "m1"
            entry = fields(daemon.log.wait("exchange "))
            assert (entry["attempts"], entry["backend"], entry["cause"]) == ("3", "m1", "status_500")


def test_a_request_goes_to_a_backend_that_can_take_it() -> None:
    """Two backends with one model; one of them says that its model sees no pictures."""
    with Fleet(Member("blind", type="llamacpp"), Member("seeing")) as fleet:

        async def props(turn: Turn) -> None:
            await turn.reply(200, {"modalities": {"vision": False}, "default_generation_settings": {"n_ctx": 4096}})

        fleet["blind"].backend.gets["/props"] = props
        with Daemon(fleet.config(balance="priority", affinity="off")) as daemon:
            image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
            for _ in range(3):
                answer = daemon.client.message(messages=[{"role": "user", "content": [image]}])
                assert answer.headers["x-dragoman-backend"] == "seeing"
            assert daemon.client.message().headers["x-dragoman-backend"] == "blind"
            long = "word " * 6000
            assert daemon.client.message(long).headers["x-dragoman-backend"] == "seeing"


def test_nothing_of_a_clients_header_reaches_the_journal_unescaped() -> None:
    with Fleet(Member("a"), Member("b")) as fleet, Daemon(fleet.config()) as daemon:
        nasty = "x\x1b[31m MESSAGE=forged é"
        answer = daemon.client.post(
            "/v1/messages",
            message(),
            x_claude_code_session_id=nasty.replace("\x1b", "\x7f"),
            x_claude_code_agent_id=nasty.replace("\x1b", ""),
            x_claude_code_request_class=nasty.replace("\x1b", ""),
            user_agent=nasty.replace("\x1b", ""),
        )
        assert answer.status in (200, 400)
        assert "forged" not in str(daemon.log)
