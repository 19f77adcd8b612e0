"""Several backends as one service, before four workers and clients that do not stop asking."""

from __future__ import annotations

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import openai_wire, processes
from harness.backend import Turn
from harness.client import Json, message
from harness.daemon import Daemon
from harness.fleet import Fleet, Load, Member
from harness.log import fields


def backend_of(status: Json, name: str) -> Json:
    """One backend in `dragoman status --json`."""
    found: Json = next(backend for backend in status["backends"] if backend["name"] == name)
    return found


def settled(daemon: Daemon) -> None:
    """Nothing is in flight, nothing waits, no permit is out."""

    def quiet() -> bool:
        status = daemon.status()
        return not status["in_flight"] and not status["queued"] and not any(b["in_flight"] for b in status["backends"])

    processes.wait("nothing in flight, no permit out", quiet)


def test_a_backend_dies_under_load_and_returns() -> None:
    """Nobody sees an error that was not already in the middle of an answer; it gets its share again."""
    breaker = {"open": "500ms", "open_max": "1s"}
    with Fleet(*(Member(name, 0.01) for name in "abc")) as fleet, Daemon(fleet.config(breaker=breaker)) as daemon:
        daemon.log.allow("exchange", "backend")
        with Load(daemon.client, 16) as load:
            load.wait_until("all three answer", lambda: len(load.backends) == 3)
            fleet["b"].stop()
            daemon.log.wait(r"backend.* backend=b ")
            load.wait_more(300)
            processes.wait("it is not up", lambda: backend_of(daemon.status(), "b")["state"] != "up")
            before = load.backends["b"]
            fleet["b"].start()
            load.wait_until("it answers again", lambda: load.backends["b"] > before + 20)
            processes.wait("it is up", lambda: backend_of(daemon.status(), "b")["state"] == "up")
        assert set(load.stop()) <= {"200", "error", "closed"} and load.outcomes["200"] > 300, load.outcomes
        # What was being answered when it died, at most: one request of each client.
        assert load.outcomes["error"] + load.outcomes["closed"] <= 16, load.outcomes
        settled(daemon)


def test_a_backend_that_says_503_is_left_alone_and_tried_again() -> None:
    with Fleet(Member("a", 0.005), Member("b", 0.005)) as fleet:
        config = fleet.config(breaker={"failures": 3, "window": "10s", "open": "500ms", "open_max": "2s"})
        with Daemon(config) as daemon:
            daemon.log.allow("exchange", "backend")
            with Load(daemon.client, 8) as load:
                load.wait_until("both answer", lambda: len(load.backends) == 2)
                fleet["a"].answer = openai_wire.failing(500, {"error": {"message": "CUDA error", "type": "server_error"}})
                processes.wait("it is ejected", lambda: backend_of(daemon.status(), "a")["breaker"] != "closed")
                seen = len(fleet["a"].turns)
                load.wait_more(200)
                assert len(fleet["a"].turns) - seen < 20, "it is left alone"
                fleet["a"].answer = fleet["a"].well
                processes.wait("its breaker is closed", lambda: backend_of(daemon.status(), "a")["breaker"] == "closed")
                before = load.backends["a"]
                load.wait_until("it answers again", lambda: load.backends["a"] > before + 10)
            assert load.stop().keys() == {"200"}, load.outcomes
            settled(daemon)


def test_a_flapping_backend_fills_no_journal() -> None:
    """Checks that fail and succeed in turn, twenty times a second."""
    with Fleet(Member("a"), Member("b")) as fleet:
        config = fleet.config(health={"interval": "100ms", "timeout": "1s", "fall": 1})
        rounds = 0

        async def flap(turn: Turn) -> None:
            nonlocal rounds
            rounds += 1
            if rounds % 2:
                await turn.reply(200, {"object": "list", "data": [{"id": "test-model", "object": "model"}]})
            else:
                await turn.reply(500, {"error": {"message": "no"}})

        with Daemon(config) as daemon:
            fleet["a"].backend.gets["/v1/models"] = flap
            processes.wait("46 rounds", lambda: rounds >= 46, 60)
            lines = daemon.log.find(r" backend=a ")
            assert 2 <= len(lines) <= 21, lines
            assert daemon.client.message().status == 200
            daemon.log.allow("backend")


def test_a_backend_that_answers_429_rests_as_long_as_it_asks() -> None:
    with Fleet(Member("a"), Member("b")) as fleet, Daemon(fleet.config()) as daemon:
        daemon.log.allow("exchange", "backend")
        fleet["a"].answer = openai_wire.failing(429, {"error": {"message": "slow down"}}, retry_after="2")
        with Load(daemon.client, 4) as load:
            fleet["a"].backend.turn(0)
            began = time.monotonic()
            load.wait_more(100)
            first = len(fleet["a"].turns)
            load.wait_until("the rest is over", lambda: len(fleet["a"].turns) > first, 10)
            assert time.monotonic() - began > 1.0 and first <= 4
            assert backend_of(daemon.status(), "a")["breaker"] == "closed", "that is no failure"
        assert load.stop().keys() == {"200"}, load.outcomes


def test_when_all_rest_a_client_waits_for_the_first() -> None:
    with Fleet(Member("a"), Member("b")) as fleet, Daemon(fleet.config(timeouts={"hold_status": "5s"})) as daemon:
        daemon.log.allow("exchange", "backend")
        for member in fleet.members.values():
            member.answer = openai_wire.failing(429, {"error": {"message": "slow down"}}, retry_after="1")
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(daemon.client.message)
            for member in fleet.members.values():
                member.backend.turn(0)
                member.answer = member.well
            answer = asked.result()
        assert answer.status == 200
        assert 100 < int(answer.headers["x-dragoman-queued-ms"]) < 3000, answer.headers


@pytest.mark.parametrize("broken", ["silence", "reset"])
def test_a_backend_that_says_nothing_is_passed_over(broken: str) -> None:
    """No first byte in time, or a connection cut before it: asked elsewhere; then it is left alone."""

    async def silence(turn: Turn) -> None:
        await turn.hang()

    async def reset(turn: Turn) -> None:
        turn.reset()

    with Fleet(Member("a", priority=200), Member("b")) as fleet:
        config = fleet.config(timeouts={"first_byte": "300ms"}, breaker={"failures": 2, "open": "30s"})
        with Daemon(config) as daemon:
            daemon.log.allow("exchange", "backend")
            fleet["a"].answer = silence if broken == "silence" else reset
            for number in range(6):
                answer = daemon.client.message(stream=number % 2 == 1)
                assert answer.status == 200 and answer.headers["x-dragoman-backend"] == "b"
            assert 2 <= len(fleet["a"].turns) <= 4
            entry = fields(daemon.log.find("exchange .*attempts=2")[0])
            assert entry["backend"] == "b" and entry["outcome"] == "completed"


def test_a_backend_without_the_model_after_all_is_passed_over() -> None:
    """It lists a model that it has lost meanwhile."""
    missing = {"error": {"message": "model 'test-model' not found", "type": "not_found_error", "code": "model_not_found"}}
    with Fleet(Member("a", priority=200), Member("b")) as fleet, Daemon(fleet.config()) as daemon:
        daemon.log.allow("exchange", "backend")
        fleet["a"].answer = openai_wire.failing(404, missing)
        for _ in range(5):
            assert daemon.client.message().headers["x-dragoman-backend"] == "b"
        assert backend_of(daemon.status(), "a")["breaker"] == "closed"


def test_loading_a_model_is_no_failure() -> None:
    loading = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
    with Fleet(Member("a", priority=200, type="llamacpp"), Member("b")) as fleet:
        with Daemon(fleet.config(breaker={"failures": 1, "open": "30s"})) as daemon:
            daemon.log.allow("exchange", "backend")
            fleet["a"].answer = openai_wire.failing(503, loading)
            assert daemon.client.message().headers["x-dragoman-backend"] == "b"
            assert backend_of(daemon.status(), "a")["breaker"] == "closed"
            fleet["a"].answer = fleet["a"].well
            processes.wait("it is asked again", lambda: daemon.client.message().headers["x-dragoman-backend"] == "a")


def test_least_requests_shares_by_what_each_can_take() -> None:
    """Backends of the same pace with 2, 4 and 8 places get 1, 2 and 4 parts, within a tenth."""
    limits = {"small": 2, "middle": 4, "large": 8}
    with Fleet(*(Member(name, 0.04, max_concurrent=limit) for name, limit in limits.items())) as fleet:
        with Daemon(fleet.config(balance="least-requests", affinity="off")) as daemon:
            with Load(daemon.client, 14) as load:
                load.wait_more(1400)
            assert load.stop().keys() == {"200"}
            total = sum(load.backends.values())
            for name, limit in limits.items():
                assert abs(load.backends[name] / total - limit / 14) < 0.1 * limit / 14, load.backends
                assert fleet[name].backend.most_open <= limit
            settled(daemon)


def test_weights_share_where_there_is_no_limit() -> None:
    with Fleet(Member("one", weight=1), Member("three", weight=3)) as fleet:
        with Daemon(fleet.config(balance="round-robin", affinity="off")) as daemon:
            for _ in range(80):
                assert daemon.client.message().status == 200
            assert fleet.counts() == {"one": 20, "three": 60}


def conversation(number: int, turn: int) -> Json:
    """A conversation after so many turns; all of them share their system prompt."""
    def question(past: int) -> Json:
        return {"role": "user", "content": f"Question {past} of conversation {number}: " + "why? " * 50}

    messages = []
    for past in range(turn):
        answer = {"role": "assistant", "content": f"Answer {past} of conversation {number}: because. " * 20}
        messages += [question(past), answer]
    messages.append(question(turn))
    return message(system="You are a scripted assistant. " * 100, messages=messages)


@pytest.mark.parametrize("known_by", ["session", "prefix"])
def test_conversations_stay_where_they_are(known_by: str) -> None:
    """A hundred interleaved conversations of five turns on four backends, told apart by their id or by how they begin."""
    with Fleet(*(Member(name, 0.01) for name in "abcd")) as fleet, Daemon(fleet.config()) as daemon:
        rng = random.Random(7)
        where: dict[int, list[str]] = {number: [] for number in range(100)}
        routes: list[str] = []

        def ask(number: int) -> None:
            headers = {"x_claude_code_session_id": f"session-{number:03}"} if known_by == "session" else {}
            answer = daemon.client.post("/v1/messages", conversation(number, len(where[number])), **headers)
            assert answer.status == 200
            if where[number]:
                routes.append(answer.headers["x-dragoman-route"])
            where[number].append(answer.headers["x-dragoman-backend"])

        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                order = list(where)
                rng.shuffle(order)
                list(pool.map(ask, order))
        moved = [number for number, places in where.items() if len(set(places)) > 1]
        assert not moved, f"{len(moved)} conversations have moved: {[where[number] for number in moved]}"
        assert set(routes) == {known_by}
        assert min(fleet.counts().values()) > 25, f"not all backends have conversations: {fleet.counts()}"


def test_workers_killed_under_load_leave_no_count_behind() -> None:
    """Any worker, the prober's among them: permits come back, the next one goes on asking the backends."""
    with Fleet(*(Member(name, 0.02, max_concurrent=3) for name in "ab")) as fleet, Daemon(fleet.config()) as daemon:
        daemon.log.allow("worker", "exchange", "backend")
        with Load(daemon.client, 16) as load:
            for _ in range(8):
                load.wait_more(40)
                workers = daemon.wait_workers(4)
                os.kill(workers[0], signal.SIGKILL)
                daemon.wait_workers(4, without=workers[:1])
            load.wait_more(40)
        assert set(load.stop()) <= {"200", "closed"}, load.outcomes
        settled(daemon)
        for member in fleet.members.values():
            assert member.backend.most_open <= 3 + 8, "a dead worker's request may still be running there"
        # Somebody asks the backends still.
        before = len(fleet["a"].backend.paths)
        processes.wait("the checks go on", lambda: "GET /v1/models" in fleet["a"].backend.paths[before:])
        # Every permit can be had.
        async def held(turn: Turn) -> None:
            turn.reached("here")
            await turn.until("end")
            await openai_wire.text_answer("late")(turn)

        past = {name: len(member.backend.turns) for name, member in fleet.members.items()}
        for member in fleet.members.values():
            member.answer = held
        with ThreadPoolExecutor(6) as pool:
            asked = [pool.submit(daemon.client.message) for _ in range(6)]
            for name, member in fleet.members.items():
                for number in range(3):
                    member.backend.turn(past[name] + number).wait("here")
            for name, member in fleet.members.items():
                for number in range(3):
                    member.backend.turn(past[name] + number).go("end")
            assert [one.result().status for one in asked] == [200] * 6
        settled(daemon)


def test_a_lower_class_serves_only_when_nobody_of_the_upper_one_can() -> None:
    with Fleet(Member("best", 0.02, priority=200, max_concurrent=2), Member("spare", priority=10)) as fleet:
        with Daemon(fleet.config()) as daemon:
            daemon.log.allow("exchange", "backend")
            with Load(daemon.client, 6) as load:
                load.wait_more(60)
            assert set(load.backends) == {"best"}, "to be full is not to be away"
            fleet["best"].stop()
            with Load(daemon.client, 6) as load:
                load.wait_more(60)
            assert set(load.backends) == {"spare"} and load.stop().keys() == {"200"}


def test_every_answer_has_exactly_one_outcome_in_the_journal() -> None:
    """Requests at the backends, entries in the journal and counters agree."""
    with Fleet(*(Member(name, 0.002) for name in "abc")) as fleet, Daemon(fleet.config()) as daemon:
        daemon.log.allow("exchange", "backend")
        fails = 0

        async def sometimes(turn: Turn) -> None:
            nonlocal fails
            fails += 1
            if fails % 5 == 0:
                return await turn.reply(500, {"error": {"message": "oops"}})
            await fleet["c"].well(turn)

        fleet["c"].answer = sometimes
        with Load(daemon.client, 12) as load:
            load.wait_more(600)
        outcomes = load.stop()
        settled(daemon)
        lines = [fields(line) for line in daemon.log.find(r" exchange ")]
        assert len(lines) == sum(outcomes.values())
        assert len({line["request_id"] for line in lines}) == len(lines)
        attempts = sum(int(line.get("attempts", "1")) for line in lines)
        assert attempts == sum(fleet.counts().values())
        status = daemon.status()
        assert status["requests"] == len(lines)
        by_backend = {backend["name"]: backend["requests"] for backend in status["backends"]}
        assert by_backend == fleet.counts()
        assert backend_of(status, "c")["failures"] == fails // 5
        assert sum(client["requests"] for client in status["clients"]) == len(lines)
