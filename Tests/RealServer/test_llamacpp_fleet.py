"""Two real servers as one service: conversations of the real Claude Code go on while one of them dies and returns."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_code import PROGRAM, ClaudeCode
from harness import network, processes
from harness.client import Json, message
from harness.daemon import Daemon
from llama import LlamaServer
from scripted.scripts import SCRIPTS

WINDOW = 98_304
CONVERSATIONS = 3
missing = network.why_not() or (None if PROGRAM.exists() else "the CLI is not in the claude-agent-sdk wheel")


def fleet(*servers: LlamaServer, **more: object) -> Json:
    """Dragoman before them; checks often enough for a test."""
    backends = [{"name": f"box{number}", "url": server.url, "type": "llamacpp"} for number, server in enumerate(servers, 1)]
    return {
        "workers": 4,
        "backends": backends,
        "health": {"interval": "500ms", "timeout": "5s", "fall": 2},
        "supervision": {"heartbeat": "50ms"},
        **more,
    }


def test_a_conversation_stays_with_its_cache(model: Path, tmp_path: Path) -> None:
    """Its second turn is read from the cache of the server that has answered the first."""
    with LlamaServer(model, log=tmp_path / "one") as one, LlamaServer(model, log=tmp_path / "two") as two:
        with Daemon(fleet(one, two)) as daemon:
            for number in range(4):
                question = {"role": "user", "content": f"Conversation {number}: " + "Tell me of the weather. " * 100}
                first = daemon.client.post("/v1/messages", message(messages=[question]))
                assert first.status == 200
                said = {"role": "assistant", "content": first.json["content"]}
                messages = [question, said, {"role": "user", "content": "And tomorrow?"}]
                second = daemon.client.post("/v1/messages", message(messages=messages))
                assert second.status == 200
                assert second.headers["x-dragoman-backend"] == first.headers["x-dragoman-backend"]
                assert second.headers["x-dragoman-route"] == "prefix"
                assert second.json["usage"]["cache_read_input_tokens"] > 300, second.json["usage"]


@pytest.mark.skipif(missing is not None, reason=f"the real Claude Code CLI: {missing}")
def test_claude_code_sees_nothing_but_a_pause(slow_model: Path, tmp_path: Path) -> None:
    """Three conversations at a time, one server killed in the middle of its answers and started again."""
    with (
        network.private(),
        LlamaServer(slow_model, WINDOW, log=tmp_path / "one") as one,
        LlamaServer(slow_model, WINDOW, log=tmp_path / "two") as two,
        Daemon(fleet(one, two)) as daemon,
    ):
        daemon.log.allow("exchange", "backend")
        for round_number in range(2):
            sessions = []
            for number in range(CONVERSATIONS):
                folder = tmp_path / f"{round_number}-{number}"
                folder.mkdir()
                sessions.append(ClaudeCode(folder, daemon.url, "Please [[bash]]", "test-model"))
            try:
                processes.wait("a server answers", lambda: any(each.busy() > 0 for each in (one, two)), 60)
                server = one if one.busy() else two
                server.kill()
                processes.wait("it is seen away", lambda: any(b["state"] != "up" for b in daemon.status()["backends"]), 30)
                server.start()
                server.wait_ready()
                for session in sessions:
                    result = session.result()
                    assert (result["subtype"], result["is_error"]) == ("success", False), result
                    assert result["result"] == SCRIPTS["after-result"]
            finally:
                for session in sessions:
                    session.__exit__()
        processes.wait("nothing is in flight", lambda: daemon.status()["in_flight"] == 0)

        def both_up() -> bool:
            # After failures the next new conversation tries it.
            assert daemon.client.message("[[lines]]", max_tokens=20).status == 200
            return all(backend["state"] == "up" for backend in daemon.status()["backends"])

        processes.wait("both are up", both_up, 30)
