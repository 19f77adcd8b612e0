"""llama.cpp's real server for tests: started on a loopback port, looked into, killed and started again."""

from __future__ import annotations

import contextlib
import functools
import http.client
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from harness import PATIENCE, processes
from harness.daemon import free_port

Json = dict[str, Any]
PROGRAM = Path(__file__).with_name("llama_process.py")
MODEL = "test-model"
"""The name that the server gives its model."""

# One thread is the fastest for so small a model, and what two servers side by side can be given.
PARAMETERS: Json = {"fit_params": False, "warmup": False, "cpuparams.n_threads": 1, "cpuparams_batch.n_threads": 1}


@functools.cache
def why_not() -> str | None:
    """What is missing to run it; nil when it can be run."""
    if importlib.util.find_spec("xllamacpp") is None:
        return "there is no wheel xllamacpp in the Python environment"
    loaded = subprocess.run([sys.executable, "-c", "import xllamacpp"], capture_output=True, text=True, check=False)
    return None if loaded.returncode == 0 else f"the wheel xllamacpp cannot be loaded: {loaded.stderr.strip().splitlines()[-1]}"


class LlamaServer:
    """One server; `with LlamaServer(model) as server`. Each slot has the whole window."""

    def __init__(self, model: Path, window: int = 65_536, slots: int = 2, log: Path | None = None, **more: Any):
        self.model, self.window, self.slots = model, window, slots
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.parameters = PARAMETERS | {"port": self.port, "n_ctx": window * slots, "n_parallel": slots, "model_alias": [MODEL], **more}
        self._log = log or model.with_suffix(f".{self.port}.log")
        self._began = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LlamaServer:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
        if kind is not None:
            print(f"--- the end of llama.cpp's log ---\n{self.log()[-4000:]}")

    def start(self) -> None:
        """Starts it, on the same port each time; it answers with 503 until the model is loaded."""
        assert self._process is None, "it runs already"
        self._began = len(self.log())
        command = [sys.executable, str(PROGRAM), str(self.model), json.dumps(self.parameters)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL: what it was saying is cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log(self) -> str:
        """All it has written."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    # What it says of itself, asked without Dragoman.

    def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, Any]:
        """Status and JSON of an answer; 0 when it cannot be reached."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            try:
                connection.request(method, path, None if body is None else json.dumps(body))
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
            except (ConnectionError, http.client.HTTPException):
                return 0, None

    def wait_status(self, status: int, patience: float = PATIENCE) -> None:
        """Until `/health` has this status: 503 while it loads, 200 when it serves."""

        def there() -> bool:
            assert self._process is None or self._process.poll() is None, f"llama.cpp has ended:\n{self.log()[-4000:]}"
            return self.ask("GET", "/health")[0] == status

        processes.wait(f"llama.cpp answers with {status}", there, patience)

    def wait_ready(self, patience: float = 30) -> None:
        """Until it serves."""
        self.wait_status(200, patience)

    def busy(self) -> int:
        """How many slots are at work, by its log: asking for `/slots` would wake the server, and what it does then is not what
        it does by itself."""
        words = self.log()[self._began :]
        return words.count("| processing task") - words.count("| stop processing")

    def wait_busy(self, count: int, patience: float = PATIENCE) -> None:
        """Until so many slots are at work, and `/slots` says the same."""
        processes.wait(f"{count} slots at work", lambda: self.busy() == count, patience)
        status, slots = self.ask("GET", "/slots")
        assert status == 200 and sum(slot["is_processing"] for slot in slots) == count, slots
