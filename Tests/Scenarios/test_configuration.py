"""`dragoman check` and the start: every mistake at once with its line, or what will be in force."""

from __future__ import annotations

import array
import fcntl
import os
import re
import signal
import subprocess
import termios
from pathlib import Path
from typing import IO

import pytest

from harness import processes
from harness.backend import Backend
from harness.client import Client, message
from harness.daemon import PROGRAM, ROOT, Daemon, backend_config, command, free_port

MISTAKES = """\
listen: ["0.0.0.0:8484"]
wrokers: 2
timeouts: {idle: 5 parsecs}
backends:
  - name: gpu1
    url: gpu1:8000
    type: vlllm
  - name: gpu2
    url: http://b
    priority: high
  - name: gpu3
    url: http://c
  - name: GPU3
    url: http://d
models:
  - match: "claude-*"
"""

GOOD = """\
workers: 3
access: {keys: {file: FOLDER/keys}}
backends:
  - {name: gpu1, url: "http://10.0.0.5:8000", type: vllm, key: {env: GPU_KEY}}
  - {name: local, url: "http://127.0.0.1:11434", type: ollama}
models:
  - {match: "claude-*haiku*", use: "local/qwen3:4b"}
"""


def checked(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """`dragoman check` of a file with this text."""
    file = tmp_path / "dragoman.yaml"
    file.write_text(text.replace("FOLDER", str(tmp_path)))
    (tmp_path / "keys").write_text("canary-key-of-door\n")
    environment = {"PATH": os.environ["PATH"], "GPU_KEY": "canary-key-of-gpu"}
    return command("check", "--config", str(file), environment=environment)


def test_all_mistakes_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    done = checked(tmp_path, MISTAKES)
    assert done.returncode == 78
    told = (done.stdout + done.stderr).splitlines()
    places = [line.removeprefix(f"{tmp_path}/dragoman.yaml:").split(": ", 2)[:2] for line in told if "dragoman.yaml:" in line]
    assert [
        ["1", "listen[0]"],
        ["2", "wrokers"],
        ["3", "timeouts.idle"],
        ["6", "backends[0].url"],
        ["7", "backends[0].type"],
        ["10", "backends[1].priority"],
        ["13", "backends[3].name"],
        ["16", "models[0].use"],
    ] == places, told
    assert any("wrokers" in line and "workers" in line for line in told), "the nearest key is named"
    assert any("duplicate name GPU3" in line for line in told), told


def test_a_good_file_is_shown_as_it_will_be_in_force_and_reads_back(tmp_path: Path) -> None:
    done = checked(tmp_path, GOOD)
    assert done.returncode == 0, done.stderr
    assert "canary" not in done.stdout + done.stderr
    assert "workers: 3" in done.stdout and "worker_slots: 1024" in done.stdout and "hold_status: 8s" in done.stdout
    again = checked(tmp_path, done.stdout)
    assert (again.returncode, again.stdout) == (0, done.stdout)


def test_the_example_is_good_and_so_is_every_line_that_it_offers(tmp_path: Path) -> None:
    example = (ROOT / "deploy/dragoman.yaml").read_text()
    assert checked(tmp_path, example).returncode == 0
    # Words follow `# `; what stands right behind the `#`, or further in, is YAML.
    offered = re.sub(r"(?m)^#(?=[a-z_]+:|  )", "", example)
    assert len(re.findall(r"(?m)^[a-z_]+:", offered)) == 18, offered
    done = checked(tmp_path, offered)
    assert done.returncode == 0, done.stderr
    assert "note: backends[0].key was not checked" in done.stdout


@pytest.mark.parametrize(
    "text",
    [
        "routes: {background: auto}\n",
        "takeover: unsent\n",
        "backends: [{name: a, url: 'http://a', think: {value: true}}]\n",
    ],
)
def test_what_this_version_cannot_do_is_refused_not_ignored(tmp_path: Path, text: str) -> None:
    done = checked(tmp_path, text)
    assert done.returncode == 78 and "expected a known key" in done.stdout + done.stderr


def test_the_daemon_does_not_start_with_a_mistake_and_says_all_of_them() -> None:
    with Daemon(MISTAKES, wait=False) as daemon:
        assert daemon.exit_status() == 78
        daemon.log.allow(".")
        for key in ("listen[0]", "wrokers", "timeouts.idle", "backends[0].type"):
            daemon.log.wait(re.escape(key))
        assert not [notice for notice in daemon.notify.notices if "READY" in notice.pairs]


def test_a_file_that_is_not_there_is_a_mistake() -> None:
    done = command("check", "--config", "/nonexistent/dragoman.yaml")
    assert done.returncode == 78 and "/nonexistent/dragoman.yaml" in done.stdout + done.stderr


def test_a_key_that_cannot_be_read_is_a_mistake() -> None:
    config = {"backends": [{"name": "a", "url": "http://127.0.0.1:9", "key": {"env": "NOT_SET_ANYWHERE"}}]}
    with Daemon(config, wait=False) as daemon:
        assert daemon.exit_status() == 78
        daemon.log.wait("NOT_SET_ANYWHERE")


def test_the_configuration_can_be_named_by_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.yaml"
    file.write_text("workers: 7\n")
    done = command("check", environment={"PATH": os.environ["PATH"], "DRAGOMAN_CONFIG": str(file)})
    assert done.returncode == 0 and "workers: 7" in done.stdout


@pytest.mark.parametrize("arguments", [["no-such-command"], ["serve", "--no-such-option"], ["serve", "--workers", "many"]])
def test_a_wrong_command_line_is_told_and_nothing_starts(arguments: list[str]) -> None:
    done = command(*arguments)
    assert done.returncode in (64, 78) and done.stderr


def test_a_configuration_from_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [str(PROGRAM), "check", "--config", "/dev/stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    for part in ("workers: 3\n", "worker_slots: 7\n"):
        process.stdin.write(part)
        process.stdin.flush()
        # Taken, and the reader waits for more.
        processes.wait("the pipe is empty", lambda: not unread(process.stdin))
        assert process.poll() is None
    printed, _ = process.communicate()
    assert process.returncode == 0 and "workers: 3\n" in printed and "worker_slots: 7\n" in printed


def unread(pipe: IO[str] | None) -> int:
    """Bytes in a pipe that nobody has read yet."""
    assert pipe is not None
    room = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, room)
    return room[0]


def test_an_empty_pipe_is_no_configuration() -> None:
    done = subprocess.run([str(PROGRAM), "check", "--config", "/dev/stdin"], input="", capture_output=True, text=True, check=False)
    assert done.returncode == 78 and "empty pipe" in done.stderr


def test_what_the_command_line_says_reaches_the_workers() -> None:
    """`listen` of the file would be refused under `access: loopback`; the command line's is what counts."""
    port = free_port()
    config = {"listen": ["0.0.0.0:1"], "workers": 5, "backends": [{"name": "a", "url": "http://127.0.0.1:9"}]}
    arguments = ["--listen", f":{port}", "--workers", "2"]
    with Daemon(config, sockets=[], arguments=arguments) as daemon:
        daemon.log.allow("backend does not answer")
        assert len(daemon.workers()) == 2
        assert Client(("127.0.0.1", port)).get("/health").status == 200


def test_a_worker_started_later_has_the_secrets_of_its_generation(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("one\n")
    with Backend() as backend:
        config = backend_config(backend.url, workers=1, access={"keys": {"file": str(keys)}})
        config["backends"][0]["key"] = {"env": "GPU_KEY"}
        with Daemon(config, environment={"GPU_KEY": "canary-gpu"}) as daemon:
            for change in ("", "two\n"):
                keys.write_text(change)
                (worker,) = daemon.workers()
                os.kill(worker, signal.SIGKILL)
                (worker,) = daemon.wait_workers(1, without=[worker])
                assert daemon.client.post("/v1/messages", message(), x_api_key="one").status == 200
                assert daemon.client.post("/v1/messages", message(), x_api_key="two").status == 401
                assert b"canary-gpu" not in Path(f"/proc/{worker}/environ").read_bytes()
            assert {turn.headers["authorization"] for turn in backend.turns} == {"Bearer canary-gpu"}
            daemon.log.allow("worker died.*signal=SIGKILL")


def test_check_notes_what_it_cannot_promise(tmp_path: Path) -> None:
    done = checked(tmp_path, GOOD + "listen: [8484, ':8485']\n")
    assert done.returncode == 0, done.stderr
    assert "note: listen is ignored under systemd" in done.stdout
    missing = checked(tmp_path, "access: {keys: {file: FOLDER/none}}\n")
    assert missing.returncode == 78 and "access.keys" in missing.stderr and "No such file" in missing.stderr


def test_no_core_also_when_started_by_hand() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        for pid in [daemon.pid, *daemon.workers()]:
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert re.search(r"Max core file size +0 +0 ", limits), limits
        assert Path(f"/proc/{daemon.workers()[0]}/oom_score_adj").read_text() == "200\n"
