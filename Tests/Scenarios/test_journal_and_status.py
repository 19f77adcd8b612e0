"""What an administrator is told: one line per exchange, `dragoman status`, and never a secret."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

from harness import openai_wire
from harness.backend import Backend, Turn
from harness.client import Response, message
from harness.daemon import Daemon, backend_config, free_port
from harness.log import fields

FIELDS = {"request_id", "backend", "model", "requested_model", "status", "outcome", "duration_us", "worker", "generation"}


def test_each_exchange_is_one_line_with_its_times_tokens_and_outcome() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        response = daemon.client.message(model="claude-x")
        stream = daemon.client.stream()
        stream.rest()
        backend.answer = openai_wire.failing(500, {"error": {"message": "it broke"}})
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
    failure = openai_wire.failing(400, {"error": {"message": f"bad prompt: {canary}-upstream"}})
    bodies = [failure, openai_wire.text_answer(f"{canary}-answer")]
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
            everything = "\n".join(daemon.log.lines) + "\n".join(daemon.notify.statuses())
            for secret in ("prompt", "system", "answer", "upstream", "backend", "client", "bearer", "broken", "query"):
                assert f"{canary}-{secret}" not in everything, secret


def test_status_tells_of_workers_restarts_connections_and_backends() -> None:
    async def held(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.text("Hel"))
        await turn.until("end")
        await turn.event(openai_wire.finish())
        await turn.done()

    with Backend(held) as backend, Daemon(backend_config(backend.url)) as daemon:
        stream = daemon.client.stream()
        daemon.wait_in_flight(1)
        status = daemon.status()
        assert {worker["pid"] for worker in status["workers"]} == set(daemon.workers())
        assert sum(worker["connections"] for worker in status["workers"]) == 1
        assert [worker["restarts"] for worker in status["workers"]] == [0, 0]
        assert all(worker["age_s"] >= 0 for worker in status["workers"])
        assert [one["name"] for one in status["backends"]] == ["gpu1"]
        people = daemon.run("status")
        assert people.returncode == 0 and "gpu1" in people.stdout and "worker" in people.stdout.lower()

        idle = next(worker["pid"] for worker in status["workers"] if worker["in_flight"] == 0)
        os.kill(idle, signal.SIGKILL)
        daemon.wait_workers(2, without=[idle])
        daemon.log.wait("worker died.*signal=SIGKILL")
        assert sum(worker["restarts"] for worker in daemon.status()["workers"]) == 1
        backend.turn(0).go("end")
        stream.rest()


MEMBERS = {"version", "pid", "state", "generation", "uptime_s", "connections", "waiting_connections", "in_flight", "queued", "requests", "failed", "restarts"}


def test_a_program_on_this_machine_is_told_the_same_over_http() -> None:
    """In pieces between the processes: a list of models is longer than one message."""
    models = [f"model-{number}-{'x' * 180}" for number in range(900)]
    with Backend(models=models) as backend, Daemon(backend_config(backend.url)) as daemon:
        assert daemon.client.message(model=models[7]).status == 200
        answer = daemon.client.get("/status")
        assert answer.status == 200 and len(answer.body) > 300_000, answer
        told, other = answer.json, daemon.status()
        assert told.keys() == other.keys() and told.keys() > MEMBERS
        assert (told["state"], told["requests"], told["failed"], told["restarts"]) == ("running", 1, 0, 0)
        assert [model["name"] for model in told["models"]] == models
        assert told["models"][7]["backends"] == ["gpu1"] and told["models"][7]["aliases"] == ["claude-local-" + models[7]]
        (gpu,) = told["backends"]
        assert (gpu["state"], gpu["breaker"], gpu["in_flight"], gpu["requests"]) == ("up", "closed", 0, 1)
        assert len(gpu["models"]) == 100 and gpu["models_more"] == 800
        (client,) = told["clients"]
        assert (client["name"], client["requests"], client["input_tokens"], client["output_tokens"]) == ("127.0.0.1", 1, 11, 7)
        assert told["configuration"]["file"] == str(daemon.config) and told["configuration"]["refused"] is None


def test_a_table_says_first_what_is_wrong() -> None:
    with Backend() as backend:
        config = backend_config(backend.url)
        config["backends"].append({"name": "gone", "url": f"http://127.0.0.1:{free_port()}"})
        with Daemon(config) as daemon:
            lost = fields(daemon.log.wait("warning backend does not answer backend=gone"))
            assert lost["url"].startswith("http://127.0.0.1:") and lost["reason"], lost
            found = fields(daemon.log.wait("notice backend found backend=gpu1"))
            assert (found["models"], found["default_model"]) == ("1", "test-model"), found
            assert daemon.client.message().status == 200
            table = daemon.run("status").stdout
            lines = table.splitlines()
            assert lines[1].startswith("problem     gone is down: "), table
            assert not lines[2].startswith("problem") and all(len(line) <= 100 for line in lines), table
            for name in ("backend", "gpu1", "model", "test-model", "client", "127.0.0.1"):
                assert any(line.startswith(name + " ") for line in lines), (name, table)


def test_ready_is_503_while_no_backend_can_serve_and_health_is_200() -> None:
    with Daemon(backend_config(f"http://127.0.0.1:{free_port()}")) as daemon:
        daemon.log.allow(".")
        assert daemon.client.get("/health").status == 200
        assert daemon.client.get("/ready").status == 503


def test_every_request_leaves_one_entry_whatever_its_end(tmp_path: Path) -> None:
    """Refused, unknown, counted, listed: the id that the client was told finds it, with who asked and why it failed."""
    words = message("secret-prompt")
    with Backend() as backend:
        (tmp_path / "keys").write_text("key-alice-1234\nkey-bob-5678\n")
        config = backend_config(backend.url, access={"keys": {"file": str(tmp_path / "keys")}}, limits={"request_body": "64KiB"})
        with Daemon(config) as daemon:
            daemon.log.allow("request refused")
            key = {"x_api_key": "key-bob-5678"}
            name = "key-" + hashlib.sha256(b"key-bob-5678").hexdigest()[:8]
            ask = daemon.client.ask
            entries: list[tuple[Response, int, str | None, str]] = [
                (ask("POST", "/v1/messages", words), 401, None, "invalid x-api-key"),
                (ask("GET", "/v1/nothing?secret-query", None, **key), 404, name, "Not found: /v1/nothing."),
                (ask("GET", "/v1/messages", None, **key), 405, name, "Method not allowed: /v1/messages takes POST."),
                (ask("POST", "/v1/messages", b"x" * 70_000, **key), 413, None, "The request body exceeds 65536 bytes."),
                (ask("POST", "/v1/messages", b'{"secret-json', **key), 400, name, "Invalid JSON: "),
                (ask("POST", "/v1/messages", message(model="nope-nope-nope"), **key), 404, name, "model: nope-nope-nope is not known; available is test-model."),
                (ask("POST", "/v1/messages/count_tokens", words, **key), 200, name, ""),
                (ask("GET", "/v1/models", None, **key), 200, name, ""),
                (ask("GET", "/v1/models/test-model", None, **key), 200, name, ""),
                (ask("GET", "/v1/models/other", None, **key), 404, name, "model: other"),
                (ask("HEAD", "/", None, **key), 200, name, ""),
                (ask("GET", "/"), 200, None, ""),
                (ask("POST", "/v1/messages", words, **key), 200, name, ""),
            ]
            for response, status, client, reason in entries:
                assert response.status == status, response
                told = fields(daemon.log.wait(response.headers["request-id"]))
                assert told["status"] == str(status) and told["peer"], told
                assert told.get("client") == client, told
                assert told.get("reason", "").startswith(reason) and bool(told.get("reason")) == bool(reason), told
                assert len(daemon.log.find(response.headers["request-id"])) == 1, "one entry"
            assert " notice " in daemon.log.find(entries[0][0].headers["request-id"])[0]
            health = ask("GET", "/health")
            left = daemon.client.connect()
            left.send(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key: key-bob-5678\r\nContent-Length: 99\r\n\r\nsecret")
            left.close()
            assert fields(daemon.log.wait("status=499"))["reason"] == "The client left before the whole request had come."
            assert not daemon.log.find(health.headers["request-id"]), "probes are told when debugging only"
            assert not [line for line in daemon.log.lines if "secret" in line or "key-bob" in line or "key-alice" in line]


def test_a_page_in_a_browser_and_a_line_in_a_terminal() -> None:
    with Daemon() as daemon:
        page = daemon.client.get("/")
        assert page.status == 200 and page.headers["content-type"] == "text/plain"
        assert page.body.startswith(b"Dragoman ") and page.body.endswith(b".\n")
        assert daemon.client.get("/nowhere").body.endswith(b"}\n")


def test_guessed_keys_stand_out_and_do_not_fill_the_journal(tmp_path: Path) -> None:
    with Backend() as backend:
        (tmp_path / "keys").write_text("key-alice-1234\n")
        with Daemon(backend_config(backend.url, access={"keys": {"file": str(tmp_path / "keys")}}, workers=1)) as daemon:
            for number in range(15):
                refused = daemon.client.get("/v1/models", x_api_key=f"guess-{number}")
                assert (refused.status, refused.headers["x-should-retry"]) == (401, "false")
            daemon.log.wait("request refused", 15)
            assert len(daemon.log.find(" notice .*request refused")) == 10
