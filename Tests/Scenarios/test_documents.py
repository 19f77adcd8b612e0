"""PDF documents for a backend that takes none: their text is sent, the same in every turn."""

from __future__ import annotations

import base64
import time

from harness.backend import Backend
from harness.client import message
from harness.daemon import Daemon, backend_config
from harness.documents import document, pdf


def test_a_pdf_reaches_the_backend_as_text_and_stays_the_same() -> None:
    first = {"role": "user", "content": [document(pdf("Forty-two.")), {"type": "text", "text": "Sum up."}]}
    later = [first, {"role": "assistant", "content": "It says 42."}, {"role": "user", "content": "Thanks."}]
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        answers = [daemon.client.post("/v1/messages", message(messages=turn)) for turn in ([first], later)]
        assert [answer.status for answer in answers] == [200, 200]
        assert answers[0].headers["x-dragoman-dropped"] == "messages.0.content.0"
        told = [turn.json["messages"][0]["content"] for turn in backend.turns]
        assert told == ['<document title="a.pdf">\nForty-two.\n</document>\n\nSum up.'] * 2


def test_a_document_that_cannot_be_read_costs_the_conversation_nothing() -> None:
    with Backend() as backend, Daemon(backend_config(backend.url)) as daemon:
        broken = base64.b64encode(b"\x00" * 3_000_000).decode()
        answer = daemon.client.post(
            "/v1/messages", message(messages=[{"role": "user", "content": [document(broken)]}])
        )
        assert answer.status == 200
        assert backend.turns[0].json["messages"][0]["content"] == "[PDF document omitted: it cannot be read]"


def test_reading_keeps_no_stream_waiting() -> None:
    """Twenty megabytes of a document are named, decoded and read while a stream goes on."""
    large = base64.b64encode(b"%PDF-1.4\n" + b"1 0 obj<</A (x)>>endobj\n" * 700_000).decode()
    with Backend() as backend, Daemon(backend_config(backend.url, workers=1)) as daemon, daemon.client.connect() as slow:
        slow.request("POST", "/v1/messages", message(messages=[{"role": "user", "content": [document(large)]}]))
        gaps = []
        for _ in range(20):
            began = time.monotonic()
            assert daemon.client.message().status == 200
            gaps.append(time.monotonic() - began)
        assert slow.response().status == 200
        assert max(gaps) < 1
        assert len(backend.turns) == 21
