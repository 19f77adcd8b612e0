"""One llama.cpp server as a process: `llama_process.py MODEL '{"port": 8080, "n_ctx": 8192, …}'`.

The PyPI wheel xllamacpp holds llama.cpp's own C++ server with all its routes, run here with the parameters that are given
(fields of its CommonParams; a name with a dot is a field of a field). It writes llama.cpp's log and ends by a signal.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from typing import Any

import xllamacpp

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serves until a signal."""
    # It does not outlive the tests, however these end.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # Not Python's handler: it would run only when the C++ code comes back.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parameters: Any = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    for name, value in json.loads(sys.argv[2]).items():
        *holders, last = name.split(".")
        target = parameters
        for holder in holders:
            target = getattr(target, holder)
        if last == "load_mode":
            value = getattr(xllamacpp.llama_load_mode, value)
        setattr(target, last, set(value) if last == "model_alias" else value)
    server = xllamacpp.Server(parameters)
    print(f"llama.cpp serves at {server.listening_address}", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
