"""A real server that loads its model: it listens, and says 503 until it can answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from asking import WAYS, ask, config
from harness import processes
from harness.client import Client
from harness.daemon import Daemon
from llama import LlamaServer
from scripted.network import write
from scripted.scripts import SCRIPTS

# Read instead of mapped, a model takes as long to load as it takes to copy.
PARAMETERS: dict[str, Any] = {"window": 2048, "slots": 1, "load_mode": "LLAMA_LOAD_MODE_NONE"}


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that loads for about a second."""
    path = tmp_path_factory.mktemp("heavy") / "heavy.gguf"
    write(path, ballast=120_000)
    return path


def refusals_until_loaded(client: Client, patience: float = 60) -> int:
    """Asks until it is answered, some times a second; how many times it was told to come back."""
    refused = 0
    deadline = time.monotonic() + patience
    while (response := client.message("[[lines]]", max_tokens=50)).status != 200:
        assert (response.status, response.error()[1]) == (529, "overloaded_error"), response.body
        assert 1 <= int(response.headers["retry-after"]) <= 60
        assert time.monotonic() < deadline, f"not loaded in {patience:g} s"
        refused += 1
        time.sleep(0.1)
    assert response.json["content"][0]["text"] == SCRIPTS["lines"]
    return refused


@pytest.mark.parametrize("way", WAYS)
def test_loading_is_not_down(heavy: Path, tmp_path: Path, way: str) -> None:
    server = LlamaServer(heavy, log=tmp_path / "log", **PARAMETERS)
    try:
        with Daemon(config(server.url, way)) as daemon:
            daemon.log.allow("exchange|backend")
            server.start()
            server.wait_status(503)
            assert refusals_until_loaded(daemon.client) > 0
            assert server.ask("GET", "/health")[0] == 200
    finally:
        server.kill()
