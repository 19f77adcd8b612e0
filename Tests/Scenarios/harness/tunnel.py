"""A proxy that opens tunnels, and a backend behind TLS: real sockets, real certificates.

The certificate's authority is known to the daemon only: it is started in a mount namespace of its own, in which
the system's list of authorities holds nothing but ours.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

from harness.daemon import PROGRAM

AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def why_not() -> str | None:
    """Why this machine cannot do it; nil if it can."""
    if os.geteuid() != 0:
        return "needs a mount namespace, thus root"
    for program in ("openssl", "unshare", "mount"):
        if shutil.which(program) is None:
            return f"needs {program}"
    return None if AUTHORITIES.exists() else f"needs {AUTHORITIES}"


def certificate(folder: Path) -> Path:
    """A key and a certificate of 127.0.0.1 that vouches for itself, in one file."""
    made = folder / "backend.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", str(folder / "key"), "-out", str(folder / "crt")], check=True, capture_output=True)
    made.write_bytes((folder / "key").read_bytes() + (folder / "crt").read_bytes())
    return made


def program(folder: Path, authorities: Path) -> Path:
    """The daemon's executable, with these authorities."""
    wrapper = folder / "dragoman"
    mounted = f'mount --bind {authorities} {AUTHORITIES} && exec "$0" "$@"'
    wrapper.write_text(f"#!/bin/sh\nexec unshare -m sh -c '{mounted}' {PROGRAM} \"$@\"\n")
    wrapper.chmod(0o755)
    return wrapper


class SecureBackend:
    """Answers every POST with `status`, `headers` and `body`, each on a connection of its own."""

    def __init__(self, certificate: Path):
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"{}"
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._reply(200, {}, json.dumps({"object": "list", "data": [{"id": "test-model", "object": "model"}]}).encode())

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self._reply(outer.status, outer.headers, outer.body)

            def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {"content-type": "application/json", **headers, "connection": "close"}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="secure backend", daemon=True).start()

    def __enter__(self) -> SecureBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Proxy:
    """Opens a tunnel for every CONNECT, unless it has an `answer` of its own."""

    def __init__(self) -> None:
        self.answer: bytes | None = None
        self.tunnels = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            head = b""
            while b"\r\n\r\n" not in head:
                more = client.recv(4096)
                if not more:
                    return
                head += more
            if self.answer is not None:
                client.sendall(self.answer)
                return
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as backend:
                self.tunnels += 1
                client.sendall(b"HTTP/1.1 200 Connection established\r\nProxy-Agent: test\r\n\r\n")
                back = threading.Thread(target=self._pump, args=(backend, client), daemon=True)
                back.start()
                self._pump(client, backend)
                back.join()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
