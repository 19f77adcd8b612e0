"""What the tests with a real server share: the model, a server for most of them, and Dragoman before it on both ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import llama
from asking import WAYS, config
from harness.client import Client
from harness.daemon import Daemon
from llama import LlamaServer
from scripted.network import write


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the server every test here is skipped, by name."""
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    missing = llama.why_not() if ours else None
    for item in ours:
        if missing is not None:
            item.add_marker(pytest.mark.skip(reason=f"the real llama.cpp server: {missing}"))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reciting model, as fast as it goes."""
    path = tmp_path_factory.mktemp("model") / "scripted.gguf"
    write(path)
    return path


@pytest.fixture(scope="session")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same at a reader's pace: an answer lasts as long as a test needs it to."""
    path = tmp_path_factory.mktemp("slow") / "slow.gguf"
    write(path, ballast=60_000)
    return path


@pytest.fixture(scope="session")
def server(model: Path) -> Iterator[LlamaServer]:
    """Two slots with a large window each."""
    with LlamaServer(model) as running:
        yield running


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Translated or passed through."""
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture(scope="module")
def daemon(server: LlamaServer, way: str) -> Iterator[Daemon]:
    """Dragoman before the server, on one of the ways."""
    with Daemon(config(server.url, way)) as running:
        yield running


@pytest.fixture(scope="module")
def translating(server: LlamaServer) -> Iterator[Daemon]:
    """Dragoman before the server, translating: for what passes through untouched otherwise."""
    with Daemon(config(server.url)) as running:
        yield running


@pytest.fixture
def client(daemon: Daemon) -> Client:
    """A client on one of the ways."""
    return daemon.client


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    """Whether the client asks for a stream."""
    return bool(request.param)
