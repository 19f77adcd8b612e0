"""What the service knows of its backends and their models: the same in all workers, asked by one of them."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from harness import network, processes
from harness.backend import Backend, Turn
from harness.client import Json
from harness.daemon import Daemon, backend_config
from harness.fleet import Fleet, Member
from harness.log import fields
from harness.ollama import Ollama

RARELY: Json = {"health": {"interval": "1h"}, "supervision": {"heartbeat": "50ms"}}
"""Each backend is asked once, unless something is wrong."""


def listed(daemon: Daemon) -> dict[str, Json]:
    """The models as clients of the Messages API see them, without their aliases."""
    entries = daemon.client.get("/v1/models?limit=1000").json["data"]
    return {entry["id"]: entry for entry in entries if not entry["id"].startswith("claude-local-")}


def looks(backend: Backend) -> int:
    """How often it was asked for its models."""
    return backend.paths.count("GET /v1/models") + backend.paths.count("GET /api/tags")


def in_all_workers(daemon: Daemon, asked: str, expected: str) -> None:
    """Whoever gets the connection sends the request there; each connection is a new one."""
    for _ in range(4 * len(daemon.workers())):
        response = daemon.client.message(model=asked)
        assert response.status == 200 and response.headers["x-dragoman-model"] == expected, response.headers


def test_one_worker_asks_and_all_know() -> None:
    with Fleet(Member("a", models=["one", "both"]), Member("b", models=["two", "Both:latest"])) as fleet:
        with Daemon(fleet.config() | RARELY) as daemon:
            for asked, backends in [("one", "a"), ("two", "b"), ("both", "ab")]:
                for _ in range(8):
                    assert daemon.client.message(model=asked).headers["x-dragoman-backend"] in backends
            assert listed(daemon).keys() == {"one", "both", "two"}
            # A worker that starts later is told; it asks nobody.
            youngest = daemon.workers()[-1]
            os.kill(youngest, signal.SIGKILL)
            daemon.log.wait("worker died.*signal=SIGKILL")
            daemon.wait_workers(4, without=[youngest])
            daemon.log.wait("worker ready", 5)
            in_all_workers(daemon, "two", "two")
        assert looks(fleet["a"].backend) == 1 and looks(fleet["b"].backend) == 1


def test_the_list_says_where_a_model_is_and_how_large_its_window() -> None:
    async def sized(turn: Turn) -> None:
        windows = {"qwen3-coder:30b": 131072, "alone": 32768}
        await turn.reply(200, {"object": "list", "data": [{"id": name, "max_model_len": size} for name, size in windows.items()]})

    with Backend() as small, Backend() as large:
        small.models = ["QWEN3-Coder:30b"]
        large.gets["/v1/models"] = sized
        backends = [{"name": "box1", "url": large.url, "type": "vllm"}, {"name": "box2", "url": small.url, "type": "openai-compatible"}]
        with Daemon(backend_config("", backends=backends)) as daemon:
            entries = daemon.client.get("/v1/models?limit=1000").json["data"]
            assert [entry["id"] for entry in entries] == [
                "qwen3-coder:30b",
                "claude-local-qwen3-coder:30b",
                "alone",
                "claude-local-alone",
            ]
            shared, offered, alone, _ = entries
            assert shared["description"] == "qwen3-coder:30b on box1, box2; 128k context; loaded on box1"
            assert shared["display_name"] == offered["display_name"] == "qwen3-coder:30b (box1, box2)"
            assert shared["max_input_tokens"] == 131072 and offered["description"] == shared["description"]
            assert alone["description"] == "alone on box1; 32k context; loaded" and alone["max_input_tokens"] == 32768
            assert all(entry["capabilities"] is None for entry in entries), "nothing is known of them"
            plain = json.loads(daemon.client.get("/v1/models", anthropic_version="").body)["data"]
            assert [(entry["id"], entry["owned_by"]) for entry in plain] == [("qwen3-coder:30b", "box1"), ("alone", "box1")]


def test_capabilities_are_told_where_they_are_known() -> None:
    with Ollama() as backend, Daemon(backend_config("", backends=[{"name": "o", "url": backend.url}])) as daemon:
        told = listed(daemon)["qwen3:8b"]["capabilities"]
        assert told["thinking"]["supported"] and told["thinking"]["types"]["adaptive"]["supported"]
        assert not told["image_input"]["supported"] and told["context_management"]["supported"]
        assert set(told) == {
            "batch",
            "citations",
            "code_execution",
            "context_management",
            "effort",
            "image_input",
            "pdf_input",
            "server_tools",
            "structured_outputs",
            "thinking",
        }


def test_a_filter_holds_for_the_list_and_for_every_way_to_ask() -> None:
    names = ["qwen3:4b", "qwen3:embed", "llama"]
    members = [Member("a", models=names), Member("b", models=names)]
    # A member's own keyword is its list; the filter is a key of its entry.
    members[0].keys["models"] = ["qwen3:*", "!*embed*"]
    members[1].keys["models"] = ["!qwen3*"]
    with Fleet(*members) as fleet, Daemon(fleet.config()) as daemon:
        daemon.log.allow("exchange")
        assert listed(daemon).keys() == {"qwen3:4b", "llama"}
        for asked, backend in [("qwen3:4b", "a"), ("llama", "b"), ("a/qwen3:4b", "a"), ("a/qwen3:unlisted", "a")]:
            for _ in range(4):
                assert daemon.client.message(model=asked).headers["x-dragoman-backend"] == backend
        for asked in ("qwen3:embed", "a/qwen3:embed", "a/llama", "b/qwen3:4b", "claude-local-a/llama"):
            assert daemon.client.message(model=asked).error()[:2] == (404, "not_found_error"), asked
        shown = {backend["name"]: len(backend["models"]) for backend in daemon.status()["backends"]}
        assert shown == {"a": 1, "b": 1}


def test_the_next_worker_asks_when_the_prober_dies() -> None:
    with Fleet(Member("a", models=["one"]), Member("b", models=["two"])) as fleet, Daemon(fleet.config()) as daemon:
        in_all_workers(daemon, "one", "one")
        for number in range(3):
            prober = daemon.workers()[0]
            os.kill(prober, signal.SIGKILL)
            daemon.log.wait("worker died.*signal=SIGKILL", number + 1)
            daemon.wait_workers(4, without=[prober])
            # Only who asks can find it.
            fleet["a"].backend.models.append(f"new{number}")
            daemon.log.wait("backend changed its models.*backend=a", number + 1)
            in_all_workers(daemon, f"new{number}", f"new{number}")
        fleet["b"].stop()
        daemon.log.wait("backend does not answer.*backend=b")
        processes.wait("it is down", lambda: {b["name"]: b["state"] for b in daemon.status()["backends"]} == {"a": "up", "b": "down"})
        found = [fields(line) for line in daemon.log.find("notice backend found")]
        assert sorted(line["backend"] for line in found) == ["a", "b"], "nothing was found twice"


def test_a_new_prober_leaves_the_windows_of_ollama_as_they_are() -> None:
    """Another window would load the model anew, in the middle of a conversation."""
    backend = Ollama()
    backend.loaded["qwen3:8b"] = 131072
    with backend:
        config = backend_config(backend.url, workers=4, health={"interval": "200ms"})
        config["backends"][0]["type"] = "ollama"
        with Daemon(config) as daemon:
            daemon.client.message(model="claude-x")
            backend.loaded = {}
            prober = daemon.workers()[0]
            os.kill(prober, signal.SIGKILL)
            daemon.log.wait("worker died.*signal=SIGKILL")
            daemon.wait_workers(4, without=[prober])
            seen = looks(backend)
            backend.wait("the new one has looked twice", lambda: looks(backend) >= seen + 2)
            in_all_workers(daemon, "claude-x", "qwen3:8b")
        assert {turn.json["options"]["num_ctx"] for turn in backend.turns} == {131072}


def test_all_workers_hear_of_a_change_at_once() -> None:
    with Fleet(Member("a", models=["old"])) as fleet, Daemon(fleet.config()) as daemon:
        in_all_workers(daemon, "auto", "old")
        fleet["a"].backend.models[:] = ["young"]
        daemon.log.wait("backend changed its models")
        told = time.monotonic()
        in_all_workers(daemon, "young", "young")
        in_all_workers(daemon, "auto", "young")
        assert time.monotonic() - told < 5
        daemon.log.allow("exchange")
        assert daemon.client.message(model="old").error()[0] == 404


def test_auto_is_one_name_for_the_service() -> None:
    """It goes on with what it gave; another one takes over when nobody who has that answers, and keeps the place."""
    members = [Member("a", models=["big"]), Member("b", models=["small"]), Member("c", models=["Small:latest"])]
    with Fleet(*members) as fleet, Daemon(fleet.config()) as daemon:
        daemon.log.allow("exchange", "backend")
        in_all_workers(daemon, "claude-x", "big")
        fleet["a"].stop()
        daemon.log.wait("backend does not answer.*backend=a")
        seen = set()
        for _ in range(24):
            response = daemon.client.message(model="claude-x")
            assert response.status == 200, response.body
            seen.add(response.headers["x-dragoman-model"])
        assert seen <= {"small", "Small:latest"}, seen
        fleet["a"].start()
        daemon.log.wait("backend found.*backend=a", 2)
        for _ in range(16):
            assert daemon.client.message(model="auto").headers["x-dragoman-model"] in ("small", "Small:latest")
        assert not fleet["a"].backend.turns


def test_auto_falls_back_to_another_model_for_one_request_only() -> None:
    """Whose backend has just gone away is answered all the same; what auto gives is as before when it is back."""
    with Fleet(Member("a", models=["big"]), Member("b", models=["small"])) as fleet:
        config = fleet.config() | {"health": {"interval": "1h", "fall": 100}, "supervision": {"heartbeat": "50ms"}}
        with Daemon(config) as daemon:
            daemon.log.allow("exchange")
            in_all_workers(daemon, "claude-x", "big")
            fleet["a"].stop()
            response = daemon.client.message(model="claude-x")
            assert (response.status, response.headers["x-dragoman-model"]) == (200, "small"), response.body
            assert fields(daemon.log.wait(response.headers["request-id"]))["attempts"] == "2"
            # Whoever names a model gets that one or none.
            assert daemon.client.message(model="big").status == 529
            fleet["a"].start()
            in_all_workers(daemon, "claude-x", "big")


def test_a_backend_that_lists_nonsense_costs_little() -> None:
    """Ten thousand models, names of ten kilobytes, each model twice, windows that cannot be."""

    async def nonsense(turn: Turn) -> None:
        windows = [-1, 0, 1 << 62, "many", 1e300, None, 4096]
        entries = [{"id": "x" * 10_000, "max_model_len": 9}, {"id": ""}, {"id": 7}, {"id": "a\u0000b"}, 3, {"id": "\ud83d"}]
        for number in range(10_000):
            entries += [{"id": f"model-{number}", "max_model_len": windows[number % 7]}] * 2
        await turn.reply(200, {"object": "list", "data": entries})

    with Backend() as backend:
        backend.gets["/v1/models"] = nonsense
        with Daemon(backend_config(backend.url, health={"interval": "200ms"})) as daemon:
            seen = looks(backend)
            backend.wait("it was asked again", lambda: looks(backend) > seen + 3)
            plain = json.loads(daemon.client.get("/v1/models", anthropic_version="").body)["data"]
            assert 2000 < len(plain) <= 4096 and all(len(entry["id"]) < 257 for entry in plain)
            assert len({entry["id"] for entry in plain}) == len(plain)
            page = daemon.client.get("/v1/models?limit=1000").json
            assert len(page["data"]) == 1000 and page["has_more"] is True
            windows = {entry.get("max_input_tokens") for entry in page["data"]}
            assert windows == {None, 4096}
            in_all_workers(daemon, "model-1", "model-1")
            assert len(daemon.run("status", "--json").stdout) < 1 << 20
            assert not daemon.log.find("changed its models")


@pytest.mark.skipif(network.why_not() is not None, reason=f"the usual ports, all free: {network.why_not()}")
def test_what_was_found_stays_found_when_the_prober_dies() -> None:
    with network.private(), Daemon("workers: 3\nhealth: {interval: 200ms}\nsupervision: {heartbeat: 50ms}\n") as daemon:
        processes.wait("the demo is ready", lambda: daemon.client.get("/ready").status == 200)
        prober = daemon.workers()[0]
        os.kill(prober, signal.SIGKILL)
        daemon.log.wait("worker died.*signal=SIGKILL")
        daemon.wait_workers(3, without=[prober])
        with Backend(port=8000, models=["m"]) as backend:
            daemon.log.wait("backend found.*url=http://127.0.0.1:8000", patience=20)
            in_all_workers(daemon, "claude-x", "m")
            prober = daemon.workers()[0]
            os.kill(prober, signal.SIGKILL)
            daemon.log.wait("worker died.*signal=SIGKILL", 2)
            daemon.wait_workers(3, without=[prober])
            seen = looks(backend)
            backend.wait("the new one asks", lambda: looks(backend) > seen + 2)
            in_all_workers(daemon, "claude-x", "m")
            assert len(daemon.log.find("notice backend found")) == 1
            assert len(daemon.status()["backends"]) == 1
