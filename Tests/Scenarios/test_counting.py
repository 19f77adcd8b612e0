"""How many tokens a request has: counted by the backend that can, estimated otherwise, and learnt from use."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from typing import Any

from harness import openai_wire, processes
from harness.backend import Answer, Backend, Json, Turn
from harness.daemon import Daemon, backend_config

COUNT = "/v1/messages/count_tokens"
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}


def config(backend: Backend, kind: str, **more: Any) -> Json:
    """The configuration of one backend of this type."""
    made = backend_config(backend.url, **more)
    made["backends"][0]["type"] = kind
    return made


def by_path(**answers: Answer) -> Answer:
    """Answers by the last word of the path; others are a 404."""

    async def answer(turn: Turn) -> None:
        name = turn.path.partition("?")[0].rpartition("/")[2].replace("-", "_")
        if name in answers:
            await answers[name](turn)
        else:
            await turn.reply(404, {"error": {"message": "not found"}})

    return answer


def counting(tokens: int) -> Answer:
    """vLLM's `/tokenize`."""

    async def answer(turn: Turn) -> None:
        await turn.reply(200, {"count": tokens, "max_model_len": 4096, "tokens": list(range(tokens))})

    return answer


def count(daemon: Daemon, body: Json) -> int:
    """What `count_tokens` says."""
    answer = daemon.client.post(COUNT, body)
    assert answer.status == 200 and answer.json.keys() == {"input_tokens"}, answer
    tokens: int = answer.json["input_tokens"]
    return tokens


def conversation(words: str = "Hi", **more: Any) -> Json:
    """A body as Claude Code sends it here: without `max_tokens`."""
    return {"model": "test-model", "messages": [{"role": "user", "content": words}], **more}


def test_vllm_counts_the_conversation_as_it_would_get_it() -> None:
    with Backend(by_path(tokenize=counting(321))) as backend, Daemon(config(backend, "vllm")) as daemon:
        assert count(daemon, conversation(tools=[TOOL], system="Be brief.", thinking={"type": "disabled"})) == 321
        asked = backend.turn(0).json
        assert backend.turn(0).path == "/tokenize"
        assert asked["model"] == "test-model" and asked["add_generation_prompt"] is True
        assert [part["role"] for part in asked["messages"]] == ["system", "user"]
        assert [tool["function"]["name"] for tool in asked["tools"]] == ["look"]
        assert asked["chat_template_kwargs"] == {"enable_thinking": False}
        assert asked.keys() == {"model", "messages", "tools", "chat_template_kwargs", "add_generation_prompt"}
        assert len(backend.turns) == 1


def test_llama_cpp_makes_the_prompt_and_then_its_tokens() -> None:
    prompt = 'system: "näh"\n\x07<|im_start|>user'

    async def template(turn: Turn) -> None:
        await turn.reply(200, {"prompt": prompt})

    async def tokens(turn: Turn) -> None:
        await turn.reply(200, {"tokens": [71, 114, 195, 188, 2613]})

    with Backend(by_path(apply_template=template, tokenize=tokens)) as backend, Daemon(config(backend, "llamacpp")) as daemon:
        answer = daemon.client.post(COUNT, conversation(tools=[TOOL]))
        assert answer.json == {"input_tokens": 5}
        assert (answer.headers["x-dragoman-backend"], answer.headers["x-dragoman-model"]) == ("gpu1", "test-model")
        assert [turn.path for turn in backend.turns] == ["/apply-template", "/tokenize"]
        assert backend.turn(0).json["tools"][0]["function"]["name"] == "look"
        assert backend.turn(1).json == {"model": "test-model", "content": prompt, "add_special": True, "parse_special": True}


def test_pictures_are_added_to_what_a_tokenizer_sees() -> None:
    with Backend(by_path(tokenize=counting(40))) as backend, Daemon(config(backend, "vllm")) as daemon:
        body = conversation()
        body["messages"][0]["content"] = [PICTURE, {"type": "text", "text": "What is it?"}]
        assert 1000 < count(daemon, body) - 40 < 2000
        assert "image" not in backend.turn(0).body.decode()
        assert backend.turn(0).json["messages"][-1]["content"] == [{"type": "text", "text": "What is it?"}]


def test_a_backend_of_the_same_api_counts_itself_pictures_and_all() -> None:
    async def counted(turn: Turn) -> None:
        await turn.reply(200, {"input_tokens": 4321})

    body = conversation(tools=[TOOL])
    body["messages"][0]["content"] = [PICTURE, {"type": "text", "text": "What is it?"}]
    with Backend(by_path(count_tokens=counted)) as backend:
        made = config(backend, "llamacpp")
        made["backends"][0]["dialect"] = "anthropic"
        with Daemon(made) as daemon:
            asked = daemon.client.post(COUNT + "?beta=true", {**body, "model": "claude-x"}, anthropic_beta="files-2025")
            assert asked.json == {"input_tokens": 4321}
            turn = backend.turn(0)
            assert turn.path == COUNT + "?beta=true" and turn.json == {**body, "model": "test-model"}
            assert (turn.headers["anthropic-version"], turn.headers["anthropic-beta"]) == ("2023-06-01", "files-2025")


def test_a_backend_that_does_not_count_is_asked_once() -> None:
    with Backend(by_path()) as backend, Daemon(config(backend, "vllm", workers=1)) as daemon:
        first = count(daemon, conversation("word " * 300))
        assert 250 < first < 500
        assert count(daemon, conversation("word " * 300)) == first
        assert len(backend.turns) == 1
        assert "x-dragoman-backend" not in daemon.client.post(COUNT, conversation()).headers


def test_a_backend_that_hangs_or_talks_nonsense_costs_two_seconds_at_most() -> None:
    async def hang(turn: Turn) -> None:
        await turn.hang()

    with Backend(by_path(tokenize=hang)) as backend, Daemon(config(backend, "vllm", workers=1)) as daemon:
        began = time.monotonic()
        assert count(daemon, conversation()) > 0
        assert 1.5 < time.monotonic() - began < 5
        backend.turn(0).wait_gone()
        began = time.monotonic()
        assert count(daemon, conversation()) > 0
        assert time.monotonic() - began < 1 and len(backend.turns) == 1

    for nonsense in (b"<html>", b'{"count":"many"}', b'{"count":-1}', b'{"count":0}', b"[]"):

        async def talk(turn: Turn, body: bytes = nonsense) -> None:
            await turn.reply(200, body)

        with Backend(by_path(tokenize=talk)) as backend, Daemon(config(backend, "vllm")) as daemon:
            assert count(daemon, conversation()) > 0


def test_a_burst_of_counts_is_answered_by_the_backend() -> None:
    with Backend(by_path(tokenize=counting(77))) as backend, Daemon(config(backend, "vllm")) as daemon:
        connections = [http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10) for _ in range(25)]
        for connection in connections:
            connection.request("POST", COUNT, json.dumps(conversation("x" * 20_000)))
        for connection in connections:
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())) == (200, {"input_tokens": 77})
            connection.close()


def test_a_prompt_beyond_the_window_is_counted_not_refused() -> None:
    async def models(turn: Turn) -> None:
        await turn.reply(200, {"object": "list", "data": [{"id": "test-model", "object": "model", "max_model_len": 512}]})

    with Backend(by_path(tokenize=counting(9000))) as backend:
        backend.gets["/v1/models"] = models
        with Daemon(config(backend, "vllm")) as daemon:
            assert count(daemon, conversation("word " * 9000)) == 9000


WORDS = "The ship left the harbour at dawn. " * 300


def reporting(factor: float, estimate: int) -> Answer:
    """Says that the prompt has `factor` times as many tokens as estimated."""

    async def answer(turn: Turn) -> None:
        prompt = int(estimate * factor)
        if turn.json.get("stream"):
            await turn.head()
            await turn.event(openai_wire.text("Yes."), openai_wire.finish(), openai_wire.chunk(usage=openai_wire.usage(prompt=prompt)))
            await turn.done()
        else:
            await turn.reply(200, {**openai_wire.completion({"content": "Yes."}), "usage": openai_wire.usage(prompt=prompt)})

    return answer


def test_the_estimate_learns_from_what_the_backend_reports_and_all_workers_know() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        bare = count(daemon, conversation(WORDS))
        backend.answer = reporting(1.5, bare)
        for _ in range(4):
            assert daemon.client.message(WORDS).json["usage"]["input_tokens"] == int(bare * 1.5)
        processes.wait("it was learnt", lambda: bool(daemon.learned()) and daemon.learned()[0]["tokens_per_thousand"] > 1400)
        assert daemon.learned()[0]["model"] == "test-model"
        table = daemon.run("status").stdout
        assert "learned: test-model counts 1" in table, table
        # Each connection goes to another worker: all say the same, within what is not worth telling.
        counts = [count(daemon, conversation(WORDS)) for _ in range(8)]
        assert all(bare * 1.4 < tokens < bare * 1.6 for tokens in counts), (bare, counts)
        stream = daemon.client.stream(WORDS)
        start = stream.until("message_start")
        assert bare * 1.4 < start.data["message"]["usage"]["input_tokens"] < bare * 1.6
        stream.rest()


def test_what_was_learnt_survives_the_workers() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        bare = count(daemon, conversation(WORDS))
        backend.answer = reporting(1.5, bare)
        daemon.client.message(WORDS)
        processes.wait("it was learnt", lambda: bool(daemon.learned()))
        daemon.log.allow("worker died")
        dead = daemon.workers()
        for worker in dead:
            os.kill(worker, signal.SIGKILL)
        daemon.wait_workers(2, without=dead)
        processes.wait("the successors tell", lambda: bool(daemon.learned()))
        counts = [count(daemon, conversation(WORDS)) for _ in range(8)]
        assert all(bare * 1.2 < tokens for tokens in counts), (bare, counts)


def test_a_backend_that_counts_teaches_the_estimate() -> None:
    with Backend(by_path(tokenize=counting(5000))) as backend, Daemon(config(backend, "vllm", workers=1)) as daemon:
        assert count(daemon, conversation(WORDS)) == 5000
        backend.answer = by_path()
        tokens = count(daemon, conversation(WORDS))
        assert 3200 < tokens < 5000, "the estimate alone would be some 2600"


def test_messages_are_not_in_the_way_of_counts() -> None:
    with Backend() as backend:
        made = config(backend, "vllm", workers=1)
        made["backends"][0]["max_concurrent"] = 1

        async def hang(turn: Turn) -> None:
            await turn.hang()

        backend.answer = by_path(tokenize=counting(12), completions=hang)
        with Daemon(made) as daemon:
            held = daemon.client.begin()
            backend.turn(0)
            assert count(daemon, conversation()) == 12
            held.close()


def test_a_prompt_in_doubt_is_counted_by_the_backend_and_sent_when_it_fits() -> None:
    """The estimate says twice what the tokenizer does: only the backend knows."""
    words = "information " * 6000
    facts = {"default_generation_settings": {"n_ctx": 8192}}
    for tokens, fits in ((6013, True), (8193, False)):

        async def props(turn: Turn) -> None:
            await turn.reply(200, facts)

        async def template(turn: Turn) -> None:
            await turn.reply(200, {"prompt": "all of it"})

        async def tokenize(turn: Turn, tokens: int = tokens) -> None:
            await turn.reply(200, {"tokens": list(range(tokens))})

        answer = by_path(apply_template=template, tokenize=tokenize, completions=openai_wire.text_answer("Yes."))
        with Backend(answer) as backend:
            backend.gets["/props"] = props
            with Daemon(config(backend, "llamacpp")) as daemon:
                response = daemon.client.message(words, stream=False)
                assert [turn.path for turn in backend.turns[:2]] == ["/apply-template", "/tokenize"]
                if fits:
                    assert response.status == 200 and len(backend.turns) == 3, response
                else:
                    assert response.error() == (400, "invalid_request_error", f"prompt is too long: {tokens} tokens > 8192 maximum")
                    assert len(backend.turns) == 2


def test_where_nobody_counts_only_what_lies_far_beyond_the_window_is_refused() -> None:
    async def overflow(turn: Turn) -> None:
        message = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the messages"
        await turn.reply(400, {"error": {"message": message}})

    async def listed(turn: Turn) -> None:
        await turn.reply(200, {"object": "list", "data": [{"id": "test-model", "object": "model", "context_length": 4096}]})

    with Backend(overflow) as backend:
        backend.gets["/v1/models"] = listed
        with Daemon(config(backend, "openai-compatible")) as daemon:
            daemon.log.allow("prompt is too long")
            near = daemon.client.message("information " * 3500)
            assert near.error()[0] == 400 and "prompt is too long: 5000 tokens > 4096 maximum" in near.error()[2]
            assert len(backend.turns) == 1
            far = daemon.client.message("information " * 20000)
            assert far.error()[0] == 400 and "prompt is too long: " in far.error()[2]
            assert len(backend.turns) == 1, "nobody was asked"
