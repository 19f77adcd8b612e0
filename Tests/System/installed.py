"""Dragoman installed into a machine as `make install` installs it, with a backend to speak to."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.backend import Answer, Backend
from harness.client import Connection, Response, Stream, message, written
from machine import Machine

ROOT = Path(__file__).resolve().parents[2]
SOCKET, SERVICE = "dragoman.socket", "dragoman.service"
PORT = 8484
Json = dict[str, Any]


def install(machine: Machine) -> None:
    """`make install` into a staging folder, moved in from there."""
    stage = machine.exchange / "stage"
    done = subprocess.run(
        ["make", "install", f"DESTDIR={stage}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    machine.run("cp", "-a", "/run/host/stage/.", "/", check=True)
    machine.systemctl("daemon-reload")


@contextlib.contextmanager
def dragoman(
    answer: Answer | None = None, config: Json | str | None = None, drop_in: str = "", files: dict[str, str] | None = None
) -> Iterator[tuple[Machine, Backend]]:
    """A machine with the socket listening, the service not yet started, and a backend on its port 9000."""
    with Machine() as machine:
        with machine.network():
            backend = Backend(answer, port=9000)
        with backend:
            install(machine)
            plain = {"workers": 2, "backends": [{"name": "gpu1", "url": backend.url, "type": "openai-compatible"}]}
            text = config if isinstance(config, str) else json.dumps(plain | (config or {}))
            machine.write("/etc/dragoman/dragoman.yaml", text)
            for path, content in (files or {}).items():
                machine.write(path, content, 0o600)
            if drop_in:
                machine.write(f"/etc/systemd/system/{SERVICE}.d/test.conf", drop_in)
            machine.systemctl("daemon-reload")
            machine.systemctl("start", SOCKET)
            yield machine, backend


def connect(machine: Machine) -> Connection:
    """A client's connection to the door inside."""
    return Connection.over(machine.connect(PORT))


def ask(machine: Machine, method: str = "POST", path: str = "/v1/messages", **headers: str) -> Response:
    """One exchange on a connection of its own."""
    with connect(machine) as connection:
        connection.request(method, path, message() if method == "POST" else None, **headers)
        return connection.response()


def stream(machine: Machine) -> Stream:
    """A streamed exchange."""
    connection = connect(machine)
    connection.send(written("POST", "/v1/messages", message(stream=True)))
    return connection.stream()


def journal(machine: Machine, *matches: str) -> list[Json]:
    """The journal's entries that match, oldest first."""
    machine.run("journalctl", "--sync", check=True)
    printed = machine.run("journalctl", "--no-pager", "-o", "json", *matches, check=True).stdout
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
