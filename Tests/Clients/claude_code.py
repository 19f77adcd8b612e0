"""The real Claude Code CLI, headless, in a network that has nothing but loopback.

It gets an explicit environment and a made-up key. Nothing of what it sends is ever written down.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import claude_agent_sdk

Json = dict[str, Any]
PROGRAM = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
LIMIT = 120.0


class ClaudeCode:
    """One headless session in a folder of its own. Start it inside a private network."""

    def __init__(
        self,
        folder: Path,
        url: str,
        prompt: str,
        model: str | None = "claude-sonnet-4-5",
        files: dict[str, bytes] | None = None,
        environment: dict[str, str] | None = None,
    ):
        """Without a `model` the one of the `environment` holds, which is added to the CLI's own."""
        self.work = folder / "work"
        for name in ("work", "home", "tmp"):
            (folder / name).mkdir()
        for name, content in (files or {}).items():
            (self.work / name).write_bytes(content)
        environment = {
            **({} if environment and "ANTHROPIC_AUTH_TOKEN" in environment else {"ANTHROPIC_API_KEY": "made-up-key-for-tests"}),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "CLAUDE_CODE_TMPDIR": str(folder / "tmp"),
            "PATH": os.environ["PATH"],
            "ANTHROPIC_BASE_URL": url,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "IS_SANDBOX": "1",
            **(environment or {}),
        }
        assert loopback_only(), "never outside a private network"
        self._process = subprocess.Popen(
            [
                *(str(PROGRAM), "-p", prompt, "--dangerously-skip-permissions"),
                *(("--model", model) if model else ()),
                *("--output-format", "stream-json", "--verbose"),
            ],
            cwd=self.work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> ClaudeCode:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def result(self) -> Json:
        """Waits for the end; the last line of its output."""
        out, err = self._process.communicate(timeout=LIMIT)
        assert self._process.returncode == 0, f"exit status {self._process.returncode}: {err[-2000:]}\n{out[-2000:]}"
        last: Json = json.loads(out.splitlines()[-1])
        assert last["type"] == "result", last
        return last


def loopback_only() -> bool:
    """Whether this thread's network has no interface but loopback."""
    with open("/proc/thread-self/net/dev") as file:
        return [line.split(":")[0].strip() for line in file.readlines()[2:]] == ["lo"]
