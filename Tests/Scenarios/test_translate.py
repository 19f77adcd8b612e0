"""`dragoman-worker translate`: a conversion to look at, without any backend."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from harness import golden
from harness.daemon import PROGRAM

WORKER = PROGRAM.parent / "dragoman-worker"


def translated(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """`dragoman-worker translate` with these arguments and this standard input."""
    return subprocess.run([WORKER, "translate", *arguments], input=given, capture_output=True, timeout=20, check=False)


@pytest.mark.parametrize("through_file", [True, False], ids=["file", "standard-input"])
def test_the_conversion_is_on_the_output_the_omissions_on_the_error(through_file: bool, tmp_path: Path) -> None:
    body = tmp_path / "request.json"
    body.write_bytes(golden.case("requests", "top-k-not-taken").sections["in request"])
    arguments = ["--from", "anthropic", "--to", "openai", "--model", "local-model"]
    arguments += ["--profile", "openai", str(body)] if through_file else ["--profile", "openai", "-"]
    done = translated(*arguments, given=b"" if through_file else body.read_bytes())
    assert done.returncode == 0
    assert json.loads(done.stdout)["model"] == "local-model"
    said = done.stderr.decode()
    assert "POST /v1/chat/completions" in said
    assert "left out: top_k: " in said


def test_a_bad_request_is_refused_in_the_words_that_a_client_reads() -> None:
    done = translated("--from", "anthropic", "--to", "openai", given=b'{"model":"m","messages":[]}')
    assert done.returncode == 65
    assert done.stdout == b""
    assert done.stderr == b"400 invalid_request_error: messages: at least one message is required\n"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--from", "anthropic", "--to", "anthropic"], 64, "expected --to openai or --to ollama"),
        (["--from", "anthropic", "--to", "ollama", "--profile", "vllm"], 64, "profile vllm does not speak ollama"),
        (["--from", "anthropic", "--to", "openai", "--profile", "none"], 64, "unknown profile none"),
        ([], 64, "usage: dragoman-worker translate"),
        (["--from", "anthropic", "--to", "openai", "/does/not/exist"], 66, "/does/not/exist: No such file"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], status: int, words: str) -> None:
    done = translated(*arguments)
    assert done.returncode == status
    assert done.stdout == b""
    assert words in done.stderr.decode()
