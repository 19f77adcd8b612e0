"""What an administrator is told: one line per exchange, `dragoman status`, and never a secret."""

from __future__ import annotations

import os
import signal

from harness import said
from harness.backend import Backend, Turn
from harness.client import message
from harness.daemon import Daemon, backend_config, free_port
from harness.log import fields

FIELDS = {"request_id", "backend", "model", "requested_model", "status", "outcome", "duration_us", "worker", "generation"}


def test_each_exchange_is_one_line_with_its_times_tokens_and_outcome() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        response = daemon.client.message(model="claude-x")
        stream = daemon.client.stream()
        stream.rest()
        backend.answer = said.failing(500, {"error": {"message": "it broke"}})
        failed = daemon.client.message()
        for answer, outcome, status in [
            (response, "completed", "200"),
            (stream.head, "completed", "200"),
            (failed, "upstream", "500"),
        ]:
            line = daemon.log.wait(answer.headers["request-id"])
            told = fields(line)
            assert told.keys() >= FIELDS, line
            assert outcome in told["outcome"] and told["status"] == status, line
            assert (told["backend"], told["model"], told["generation"]) == ("gpu1", "test-model", "1"), line
            if outcome == "completed":
                assert (told["input_tokens"], told["output_tokens"]) == ("11", "7"), line
                assert 0 < int(told["ttfb_us"]) <= int(told["duration_us"]), line
            assert len(daemon.log.find(answer.headers["request-id"])) == 1, "one line per exchange"
        assert fields(daemon.log.find(response.headers["request-id"])[0])["requested_model"] == "claude-x"


def test_no_prompt_and_no_key_is_in_the_log_whatever_happens() -> None:
    canary = "canary-7f3a"
    bodies = [said.failing(400, {"error": {"message": f"bad prompt: {canary}-upstream"}}), said.text_answer(f"{canary}-answer")]
    with Backend() as backend:
        config = backend_config(backend.url, log={"level": "debug"})
        config["backends"][0]["key"] = {"env": "GPU_KEY"}
        with Daemon(config, environment={"GPU_KEY": f"{canary}-backend"}) as daemon:
            daemon.log.allow(".")
            keys = {"x_api_key": f"{canary}-client", "authorization": f"Bearer {canary}-bearer"}
            for answer in bodies:
                backend.answer = answer
                for stream in (True, False):
                    body = message(f"{canary}-prompt", stream=stream, system=f"{canary}-system")
                    daemon.client.post("/v1/messages", body, **keys)
            daemon.client.post("/v1/messages", f'{{"model": "{canary}-broken'.encode(), **keys)
            daemon.client.get(f"/{canary}-path?{canary}-query", **keys)
            assert daemon.stop() == 0
            everything = "\n".join(daemon.log.lines) + "\n".join(daemon.ear.statuses())
            for secret in ("prompt", "system", "answer", "upstream", "backend", "client", "bearer", "broken", "query"):
                assert f"{canary}-{secret}" not in everything, secret


def test_status_tells_of_workers_restarts_connections_and_backends() -> None:
    async def held(turn: Turn) -> None:
        await turn.head()
        await turn.event(said.text("Hel"))
        await turn.until("end")
        await turn.event(said.finish())
        await turn.done()

    with Backend(held) as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.stream()
        daemon.wait_in_flight(1)
        status = daemon.status()
        assert {worker["pid"] for worker in status["workers"]} == set(daemon.workers())
        assert sum(worker["connections"] for worker in status["workers"]) == 1
        assert [worker["restarts"] for worker in status["workers"]] == [0, 0]
        assert all(worker["age_seconds"] >= 0 for worker in status["workers"])
        assert [one["name"] for one in status["backends"]] == ["gpu1"]
        people = daemon.run("status")
        assert people.returncode == 0 and "gpu1" in people.stdout and "worker" in people.stdout.lower()

        idle = next(worker["pid"] for worker in status["workers"] if worker["exchanges"] == 0)
        os.kill(idle, signal.SIGKILL)
        daemon.wait_workers(2, without=[idle])
        daemon.log.wait("worker died.*signal=SIGKILL")
        assert sum(worker["restarts"] for worker in daemon.status()["workers"]) == 1
        backend.turn(0).go("end")
        stream.rest()


def test_ready_is_503_while_no_backend_can_serve_and_health_is_200() -> None:
    with Daemon(backend_config(f"http://127.0.0.1:{free_port()}")) as daemon:
        daemon.log.allow(".")
        assert daemon.client.get("/health").status == 200
        assert daemon.client.get("/ready").status == 503
