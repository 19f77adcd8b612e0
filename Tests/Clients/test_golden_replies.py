"""Every golden reply before the Anthropic SDK with strict validation: what clients get of any backend, event by event and whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import anthropic
import pytest
from harness import golden

SAID = {room: {case.name: case.sections for case in golden.cases(room)} for room in ("streams", "errors")}
"""What the gateway says in each case: room, name, section."""
HELLO: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Hello"}]
MESSAGE: dict[str, Any] = {"model": "claude-x", "max_tokens": 1000, "messages": HELLO}
# What the SDK's own list of error types lacks, although the API's reference has it.
DOCUMENTED = {"request_too_large"}
TYPES = {
    "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error", "rate_limit_error",
    "timeout_error", "api_error", "overloaded_error", "conflict_error",
}  # fmt: skip


class Player(BaseHTTPRequestHandler):
    """Answers `POST /ROOM/NAME/OUTPUT/v1/messages` with that output, as the gateway would."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        room, name, output = self.path.split("/")[1:4]
        said = SAID[room][name][f"out {output}"]
        status, fields = 200, {"content-type": "text/event-stream" if said.startswith(b"event: ") else "application/json"}
        if said.startswith(b"HTTP "):
            *lines, said, _ = said.split(b"\n")
            status, fields = int(lines[0].split()[1]), {"content-type": "application/json"}
            fields |= dict(line.decode().split(": ", 1) for line in lines[1:])
        self.send_response(status)
        for field, value in fields.items() | {("request-id", "req_golden"), ("content-length", str(len(said)))}:
            self.send_header(field, value)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def player() -> Iterator[str]:
    """The address of a server that plays golden replies."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Player) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def sdk(url: str) -> anthropic.Anthropic:
    """A strict client that does not try again."""
    return anthropic.Anthropic(base_url=url, api_key="made-up", max_retries=0, timeout=10, _strict_response_validation=True)


def check(error: anthropic.APIStatusError, status: int, expected: dict[str, Any]) -> None:
    """The error says what the gateway said, in the API's shape."""
    assert error.status_code == status and error.request_id == "req_golden"
    assert error.body == expected and set(expected) == {"type", "error", "request_id"}
    assert expected["type"] == "error" and expected["request_id"] == "req_golden"
    assert set(expected["error"]) == {"type", "message"} and expected["error"]["message"]
    assert expected["error"]["type"] in TYPES | DOCUMENTED


def failing(player: str, room: str, name: str, output: str) -> None:
    said = SAID[room][name][f"out {output}"]
    status, body = int(said.split()[1]), json.loads(said.splitlines()[-1])
    with sdk(f"{player}/{room}/{name}/{output}") as client:
        with pytest.raises(anthropic.APIStatusError) as raised:
            client.messages.create(**MESSAGE)
        check(raised.value, status, body)
        with pytest.raises(anthropic.APIStatusError) as raised, client.messages.stream(**MESSAGE) as stream:
            stream.get_final_message()
        check(raised.value, status, body)


@pytest.mark.parametrize("name", SAID["errors"])
def test_an_error(player: str, name: str) -> None:
    failing(player, "errors", name, "error")


@pytest.mark.parametrize("name", SAID["streams"])
def test_a_stream(player: str, name: str) -> None:
    """The events are parsed and add up to the message that comes without a stream; a failure raises."""
    said = SAID["streams"][name]["out stream"]
    if said.startswith(b"HTTP "):
        return failing(player, "streams", name, "stream")
    *_, last = [json.loads(line[6:]) for line in said.splitlines() if line.startswith(b"data: ")]
    with sdk(f"{player}/streams/{name}/stream") as client:
        if last["type"] == "error":
            with pytest.raises(anthropic.APIStatusError) as raised, client.messages.stream(**MESSAGE) as stream:
                stream.get_final_message()
            return check(raised.value, 200, last)
        with client.messages.stream(**MESSAGE) as stream:
            kinds = [event.type for event in stream]
            streamed = stream.get_final_message()
        raw = [event.type for event in client.messages.create(stream=True, **MESSAGE)]
    assert kinds[0] == raw[0] == "message_start" and kinds[-1] == raw[-1] == "message_stop"
    with sdk(f"{player}/streams/{name}/whole") as client:
        whole = client.messages.create(**MESSAGE)
    assert streamed.model_dump(exclude={"content"}) == whole.model_dump(exclude={"content"})
    assert [block.to_dict() for block in streamed.content] == [block.to_dict() for block in whole.content]
    return None


@pytest.mark.parametrize("name", [name for name, said in SAID["streams"].items() if said["out whole"].startswith(b"HTTP ")])
def test_a_whole_reply_that_fails(player: str, name: str) -> None:
    failing(player, "streams", name, "whole")
