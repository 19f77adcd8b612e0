"""Which backend and model a request comes to, and what is said when there is none."""

from __future__ import annotations

import os
import signal
import time

import pytest

from harness import network, openai_wire, processes
from harness.backend import Backend, Turn
from harness.client import message
from harness.daemon import Daemon, backend_config, free_port, listener
from harness.events import check_grammar
from harness.log import fields
from harness.ollama import Ollama


def two(high: str, low: str) -> dict[str, object]:
    """Two backends, the first tried first. One worker: each looks at the backends for itself, and a second one
    may not have seen a backend yet that a story stops."""
    return {
        "workers": 1,
        "backends": [
            {"name": "low", "url": low, "type": "openai-compatible", "priority": 10},
            {"name": "high", "url": high, "type": "openai-compatible", "priority": 200},
        ],
    }


def test_the_backend_of_higher_priority_is_tried_first_and_the_other_when_it_is_away() -> None:
    with Backend(openai_wire.text_answer("from low")) as low, Backend(openai_wire.text_answer("from high")) as high:
        with Daemon(two(high.url, low.url)) as daemon:
            answer = daemon.client.message()
            assert answer.json["content"][0]["text"] == "from high"
            assert answer.headers["x-dragoman-backend"] == "high"
            high.stop()
            for stream in (False, True):
                response = daemon.client.message(stream=stream)
                assert response.status == 200 and response.headers["x-dragoman-backend"] == "low"
            daemon.log.allow(".")


def test_when_all_are_away_the_preferred_one_is_named() -> None:
    with Backend() as low, Backend(openai_wire.text_answer("from high")) as high, Daemon(two(high.url, low.url)) as daemon:
        assert daemon.client.message().status == 200
        low.stop()
        high.stop()
        answer = daemon.client.message()
        assert answer.status == 529 and answer.headers["x-dragoman-backend"] == "high"
        assert str(high.port) in answer.json["error"]["message"]
        assert " ms" not in answer.json["error"]["message"]
        entry = fields(daemon.log.wait(f"request_id={answer.headers['request-id']}"))
        assert (entry["backend"], entry["outcome"], entry["attempts"]) == ("high", "upstream_failed", "2")
        daemon.log.allow(".")


def test_a_backend_whose_host_takes_no_connection_any_more_is_passed_over() -> None:
    """Its host is switched off, say: nothing refuses, nothing answers."""
    with Backend(openai_wire.text_answer("from low")) as low, Backend() as high:
        with Daemon({**two(high.url, low.url), "timeouts": {"connect": "500ms"}}) as daemon:
            daemon.log.allow(".")
            assert daemon.client.message().headers["x-dragoman-backend"] == "high"
            high.stop()
            with network.swallowing(high.port):
                for stream in (False, True):
                    response = daemon.client.message(stream=stream)
                    assert response.status == 200 and response.headers["x-dragoman-backend"] == "low"
                refusal = daemon.client.message(model="high/test-model")
                assert refusal.error()[:2] in ((529, "overloaded_error"), (502, "api_error"))
                assert refusal.headers["retry-after"] == "5"


def test_after_the_first_byte_nothing_is_tried_again_elsewhere() -> None:
    async def breaks(turn: Turn) -> None:
        await turn.head()
        await turn.event(openai_wire.text("Hel"))
        turn.reset()

    with Backend() as low, Backend(breaks) as high, Daemon(two(high.url, low.url)) as daemon:
        check_grammar(daemon.client.stream().rest(), ends_in_error=True)
        assert low.turns == []
        daemon.log.allow(".")


def test_names_are_found_as_backend_and_model_by_rule_by_list_or_by_auto() -> None:
    with Backend(models=["alpha", "beta"]) as one, Backend(models=["gamma"]) as other:
        config = {
            "workers": 1,
            "backends": [
                {"name": "one", "url": one.url, "type": "openai-compatible"},
                {"name": "other", "url": other.url, "type": "openai-compatible", "priority": 10},
            ],
            "models": [{"match": "claude-*haiku*", "use": "gamma"}, {"match": "small", "use": "one/beta"}],
        }
        with Daemon(config) as daemon:
            for asked, backend, model in [
                ("other/gamma", "other", "gamma"),
                ("one/beta", "one", "beta"),
                ("claude-3-5-haiku-latest", "other", "gamma"),
                ("small", "one", "beta"),
                ("beta", "one", "beta"),
                ("gamma", "other", "gamma"),
                ("claude-opus-9", "one", "alpha"),
                ("anthropic/some", "one", "alpha"),
            ]:
                response = daemon.client.message(model=asked)
                assert response.status == 200, (asked, response.body)
                told = (response.headers["x-dragoman-backend"], response.headers["x-dragoman-model"])
                assert told == (backend, model), asked
                assert response.json["model"] == asked
                assert (one if backend == "one" else other).turns[-1].json["model"] == model
            status, kind, words = daemon.client.message(model="gama").error()
            assert (status, kind) == (404, "not_found_error") and "gamma" in words


def test_models_are_listed_in_the_shape_of_the_asker() -> None:
    with Backend(models=["alpha", "beta/1"]) as backend, Daemon(backend_config(backend.url)) as daemon:
        anthropic = daemon.client.get("/v1/models?limit=1000").json
        names = ["alpha", "claude-local-alpha", "beta/1", "claude-local-beta/1"]
        assert [model["id"] for model in anthropic["data"]] == names
        for model in anthropic["data"]:
            assert model["type"] == "model" and model["display_name"] and model["created_at"] and "lifecycle" in model
        assert anthropic["has_more"] is False and anthropic["first_id"] == names[0] and anthropic["last_id"] == names[-1]

        openai = daemon.client.get("/v1/models", anthropic_version="").json
        assert openai["object"] == "list"
        assert [(model["id"], model["object"]) for model in openai["data"]] == [("alpha", "model"), ("beta/1", "model")]
        assert all(isinstance(model["created"], int) for model in openai["data"])

        assert daemon.client.get("/v1/models/alpha").json["type"] == "model"
        assert daemon.client.get("/v1/models/beta%2F1").json["id"] == "beta/1"
        assert daemon.client.get("/v1/models/beta/1").json["id"] == "beta/1"
        assert daemon.client.get("/v1/models/none").error()[:2] == (404, "not_found_error")


def test_models_answer_soon_although_a_backend_is_dead_or_silent() -> None:
    async def silent(turn: Turn) -> None:
        await turn.hang()

    with Backend(models=["alpha"]) as alive, Backend() as mute:
        mute.gets["/v1/models"] = silent
        config = backend_config(alive.url)
        for name, url in (("dead", f"http://127.0.0.1:{free_port()}"), ("mute", mute.url)):
            config["backends"].append({"name": name, "url": url, "type": "openai-compatible"})
        with Daemon(config) as daemon:
            daemon.log.allow(".")
            began = time.monotonic()
            response = daemon.client.get("/v1/models", anthropic_version="")
            assert time.monotonic() - began < 3
            assert [model["id"] for model in response.json["data"]] == ["alpha"]


def test_the_backends_key_is_sent_and_the_clients_is_not() -> None:
    with Backend() as backend:
        config = backend_config(backend.url)
        config["backends"][0]["key"] = {"env": "GPU_KEY"}
        with Daemon(config, environment={"GPU_KEY": "canary-backend-key"}) as daemon:
            client_key = {"x_api_key": "canary-client-key", "authorization": "Bearer canary-client-key"}
            assert daemon.client.post("/v1/messages", message(), **client_key).status == 200
            headers = backend.turn(0).headers
            assert headers["authorization"] == "Bearer canary-backend-key"
            assert "canary-client-key" not in str(headers)


needs_network = pytest.mark.skipif(network.why_not() is not None, reason=f"the usual ports, all free: {network.why_not()}")


@needs_network
def test_without_backends_the_demo_answers_and_says_that_it_is_one() -> None:
    with network.private(), Daemon("workers: 2\n") as daemon:
        assert "demo" in daemon.client.message(model="claude-sonnet-4-5").json["content"][0]["text"].lower()
        processes.wait("ready", lambda: daemon.client.get("/ready").status == 200)
        assert "demo" in check_grammar(daemon.client.stream(model="claude-sonnet-4-5").rest())[0]["text"].lower()
        assert [model["id"] for model in daemon.client.get("/v1/models").json["data"]] == ["demo", "claude-local-demo"]
        tools = [{"name": "Bash", "description": "", "input_schema": {"type": "object", "properties": {}}}]
        thinking = check_grammar(daemon.client.stream("please think", model="demo").rest())
        assert "thinking" in {block["type"] for block in thinking}
        called = check_grammar(daemon.client.stream("please call a tool", model="demo", tools=tools).rest())
        assert "tool_use" in {block["type"] for block in called}


@needs_network
def test_a_real_backend_that_appears_is_picked_up_and_the_demo_never_answers_again() -> None:
    async def version(turn: Turn) -> None:
        await turn.reply(200, {"version": "0.12.0"})

    with network.private(), Daemon("workers: 2\n") as daemon:
        daemon.log.allow(".")
        assert "demo" in daemon.client.message(model="claude-x").json["content"][0]["text"].lower()
        with Backend(port=11434, models=["qwen3:8b"]) as ollama:
            ollama.gets["/api/version"] = version
            processes.wait(
                "the new backend answers",
                lambda: daemon.client.message(model="claude-x").json.get("content", [{}])[0].get("text") == "Hello there.",
                30,
            )
            assert ollama.turns[-1].json["model"] == "qwen3:8b"
        for _ in range(20):  # Whichever worker answers.
            status, kind, _ = daemon.client.message(model="claude-x").error()
            assert status in (529, 502, 503), kind


@needs_network
def test_what_answers_on_a_usual_port_is_asked_who_it_is() -> None:
    """A web server on 8080 is no model; the llama.cpp on 8000 is one, whatever port is usual for it."""

    async def props(turn: Turn) -> None:
        await turn.reply(200, {"default_generation_settings": {"params": {}, "n_ctx": 4096}, "total_slots": 1, "model_path": "/m.gguf"})

    async def page(turn: Turn) -> None:
        await turn.reply(200, b"<html><title>It works</title></html>", "text/html")

    with network.private(), listener(("127.0.0.1", 8080)) as plain:
        plain.close()
        with Backend(port=8080) as web, Backend(port=8000, models=["m.gguf"]) as llama:
            for path in ("/v1/models", "/api/version", "/props", "/version", "/api/v0/models"):
                web.gets[path] = page
            llama.gets["/props"] = props
            with Daemon("workers: 1\n") as daemon:
                daemon.log.allow(".")
                processes.wait("the backend is found", lambda: daemon.client.message(model="claude-x").status == 200)
                assert len(llama.turns) >= 1 and web.turns == []
                (backend,) = daemon.status()["backends"]
                assert backend["type"] == "llamacpp" and "8000" in backend["url"]


SLOW_DOWN = {"error": {"message": "slow down", "type": "rate_limit_exceeded", "code": "rate_limit"}}
NO_MODEL = {"error": {"message": "The model `test-model` does not exist.", "code": "model_not_found"}}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("status", "body"), [(429, SLOW_DOWN), (404, NO_MODEL)], ids=["busy", "without the model"])
def test_a_backend_that_is_busy_or_lacks_the_model_is_passed_over(status: int, body: dict[str, object], stream: bool) -> None:
    with Backend(openai_wire.text_answer("from low")) as low, Backend(openai_wire.failing(status, body)) as high:
        with Daemon(two(high.url, low.url)) as daemon:
            response = daemon.client.message(stream=stream)
            assert response.status == 200 and response.headers["x-dragoman-backend"] == "low"
            assert fields(daemon.log.wait(response.headers["request-id"]))["attempts"] == "2"


@pytest.mark.parametrize(
    ("high", "low", "told"),
    [
        pytest.param((429, SLOW_DOWN), (429, SLOW_DOWN), (429, "high"), id="all busy"),
        pytest.param((404, NO_MODEL), (429, SLOW_DOWN), (429, "low"), id="busy where the model is"),
        pytest.param((429, SLOW_DOWN), (404, NO_MODEL), (429, "high"), id="without the model where it is free"),
        pytest.param((404, NO_MODEL), (404, NO_MODEL), (404, "high"), id="nobody has the model"),
        pytest.param((400, {"error": {"message": "bad"}}), (429, SLOW_DOWN), (400, "high"), id="the client's own fault"),
    ],
)
def test_the_best_of_several_failures_is_told(high: tuple[int, dict[str, object]], low: tuple[int, dict[str, object]], told: tuple[int, str]) -> None:
    with Backend(openai_wire.failing(*low)) as second, Backend(openai_wire.failing(*high, retry_after="7")) as first:
        with Daemon(two(first.url, second.url)) as daemon:
            daemon.log.allow(".")
            response = daemon.client.message()
            assert (response.status, response.headers["x-dragoman-backend"]) == told


def test_auto_goes_on_giving_what_it_gave_although_another_model_is_loaded_meanwhile() -> None:
    """A small model loaded for a title must not take over the conversation, in no worker."""
    backend = Ollama(models=["qwen3:30b", "qwen3:4b"])
    with backend:
        config = backend_config(backend.url, models=[{"match": "*haiku*", "use": "qwen3:4b"}, {"match": "claude-*", "use": "auto"}])
        config["backends"][0]["type"] = "ollama"
        with Daemon(config) as daemon:
            assert daemon.client.message(model="claude-opus").headers["x-dragoman-model"] == "qwen3:30b"
            assert daemon.client.message(model="claude-haiku").headers["x-dragoman-model"] == "qwen3:4b"
            backend.loaded = {"qwen3:4b": 8192}
            first = len([path for path in backend.paths if path == "GET /api/ps"])
            for worker in daemon.workers():
                os.kill(worker, signal.SIGKILL)
            daemon.log.allow("worker died")
            backend.wait("a new worker has looked", lambda: len([p for p in backend.paths if p == "GET /api/ps"]) >= first + 1)
            daemon.wait_workers(2)
            for _ in range(8):
                assert daemon.client.message(model="claude-opus").headers["x-dragoman-model"] == "qwen3:30b"


def test_a_listed_name_comes_before_a_backends_name_in_front_of_a_slash() -> None:
    with Backend(models=["gpt-oss-20b"]) as cloud, Backend(models=["oai/gpt-oss-20b", "oai/other"]) as local:
        backends = [{"name": "oai", "url": cloud.url, "type": "openai-compatible"}, {"name": "home", "url": local.url, "type": "openai-compatible"}]
        with Daemon({"workers": 1, "backends": backends}) as daemon:
            for name, backend in (("oai/gpt-oss-20b", "home"), ("oai/other", "home"), ("home/oai/other", "home"), ("gpt-oss-20b", "oai")):
                assert daemon.client.message(model=name).headers["x-dragoman-backend"] == backend, name
            listed = daemon.client.get("/v1/models/oai%2Fgpt-oss-20b", anthropic_version="")
            assert (listed.status, listed.json["owned_by"], listed.json["created"]) == (200, "home", 1700000000)
            assert daemon.client.get("/v1/models/home%2Foai%2Fother").json["id"] == "home/oai/other"


def test_a_backend_that_lists_no_models_is_named() -> None:
    with Backend(models=[]) as backend, Daemon(backend_config(backend.url)) as daemon:
        response = daemon.client.message(model="claude")
        assert response.error()[:2] == (404, "not_found_error") and response.headers["x-should-retry"] == "false"
        assert "the backend gpu1 answers but lists no models" in response.error()[2]
        assert daemon.client.message(model="gpu1//path/of/model").status == 200
