from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from zerosight.errors import ConfigError
from zerosight.serve.outbox import Webhook, send_forever, signature
from zerosight.serve.store import Message, Store

SECRET = "sixteen-letters-and-more"


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers with the statuses that the server lists, the last one for good."""

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Listening)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.got.append((dict(self.headers), body))
        status = server.statuses.pop(0) if len(server.statuses) > 1 else server.statuses[0]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Listening(http.server.ThreadingHTTPServer):
    """A receiver of webhooks."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses = [200]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/alarm"


@pytest.fixture
def receiver() -> Iterator[Listening]:
    server = Listening()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_messages_are_signed(receiver: Listening) -> None:
    Webhook(receiver.url, SECRET)(Message(17, b'{"a":1}', 0))
    [(headers, body)] = receiver.got
    when, proof = headers["X-Zerosight-Signature"].removeprefix("t=").split(",v1=")
    assert proof == signature(SECRET.encode(), int(when), body)
    assert headers["X-Zerosight-Event"] == "17"


@pytest.mark.parametrize("status", [500, 404, 302])
def test_what_does_not_arrive_is_an_error(receiver: Listening, status: int) -> None:
    receiver.statuses = [status]
    with pytest.raises(OSError, match=str(status)):
        Webhook(receiver.url, SECRET)(Message(1, b"{}", 0))


def test_messages_wait_until_they_arrive_and_are_sent_once(
    receiver: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zerosight.serve.outbox._LONGEST_PAUSE", 0.05)
    receiver.statuses = [500, 503, 200]
    store = Store(tmp_path)
    for name in ("a", "b"):
        store.add_event("watch", "mean", {"source": name}, tell=True)

    async def run() -> None:
        sending = asyncio.create_task(send_forever(store, Webhook(receiver.url, SECRET), pause=0.02))
        async with asyncio.timeout(20):
            while store.waiting():
                await asyncio.sleep(0.02)
        sending.cancel()

    asyncio.run(run())
    store.close()
    arrived = [headers["X-Zerosight-Event"] for headers, _ in receiver.got]
    assert sorted(arrived) == ["1", "1", "2", "2"]


@pytest.mark.parametrize(("url", "secret"), [("ftp://a", SECRET), ("alarm", SECRET), ("http://a/b", "short")])
def test_a_webhook_that_cannot_work_is_refused(url: str, secret: str) -> None:
    with pytest.raises(ConfigError, match="webhook"):
        Webhook(url, secret)
