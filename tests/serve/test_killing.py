"""The server and its model killed while 200 clients ask: every request is answered or fails at once.

Run by ``make test-serve``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zerosight.benchmark.serve import Client

pytestmark = [pytest.mark.slow, pytest.mark.long]

CLIENTS, SILENCE = 200, 60.0
DIGEST = hashlib.sha256(b"x").hexdigest()
MARK = {"name": "a.png", "verdict": "fine", "model": "mean", "score": 0.25, "threshold": 0.5}


class Crowd:
    """Clients that ask until they are told to stop, or until their server is gone.

    Args:
        port: Where they ask.
        request: What they send, the same every time.
    """

    def __init__(self, port: int, request: bytes) -> None:
        self.port, self.request, self.going = port, request, True
        self.statuses: Counter[int] = Counter()
        self.unanswered: list[float] = []
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(CLIENTS)]

    async def _ask(self) -> None:
        client = Client(("127.0.0.1", self.port))
        try:
            while self.going:
                sent = time.monotonic()
                try:
                    async with asyncio.timeout(SILENCE):
                        status, headers, _ = await client.ask(self.request)
                except OSError:
                    self.unanswered.append(sent)
                    return
                self.statuses[status] += 1
                if status == 429:
                    await asyncio.sleep(float(headers["retry-after"]))
        finally:
            client.close()

    async def end(self) -> None:
        """Wait for the last answers.

        Raises:
            TimeoutError: A client waits in silence.
        """
        self.going = False
        await asyncio.gather(*self._tasks)


def asking(content: bytes) -> bytes:
    """Return a whole request to look at an image for which the model takes 50 ms."""
    body = b'--x\r\nContent-Disposition: form-data; name="images"; filename="brief"\r\n\r\n' + content
    body += b"\r\n--x--\r\n"
    lines = ("POST /v1/predict HTTP/1.1", "Host: 127.0.0.1", "Content-Type: multipart/form-data; boundary=x")
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode() + body


@pytest.fixture
def running(start_server: Callable[..., Any], tmp_path: Path) -> Iterator[Any]:
    server = start_server(tmp_path, "mean")
    yield server
    server.kill()


def model_of(server: Any) -> int:
    """Return the number of the process of the model of anomalies, which is started first."""
    found = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    if not found.exists():
        pytest.skip("the system does not tell whose child is whose")
    told = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found.read_text().split()}
    return next(pid for pid, command in told.items() if b'"model": "mean"' in command)


def test_a_model_killed_twice_and_a_server_told_to_stop_lose_nothing(running: Any, png: Any) -> None:
    async def story() -> tuple[Crowd, float]:
        crowd = Crowd(running.port, asking(png()))
        for _ in range(2):
            before = crowd.statuses[200]
            while crowd.statuses[200] < before + CLIENTS:
                await asyncio.sleep(0.05)
            os.kill(model_of(running), signal.SIGKILL)
        before = crowd.statuses[200]
        while crowd.statuses[200] < before + CLIENTS:
            await asyncio.sleep(0.05)
        told = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        await crowd.end()
        return crowd, told

    crowd, told = asyncio.run(asyncio.wait_for(story(), 150))
    assert running.process.wait(60) == 0
    assert crowd.statuses.keys() <= {200, 429, 500, 503}
    assert crowd.statuses[200] >= 3 * CLIENTS
    accepted = [sent for sent in crowd.unanswered if sent < told - 0.5]
    assert not accepted


def test_a_killed_server_is_an_error_at_once_and_forgets_no_mark(running: Any, png: Any) -> None:
    values = json.dumps(MARK).encode()
    kind = {"content-type": "application/json"}
    url = f"{running.url}/v1/marks/{DIGEST}"
    with urllib.request.urlopen(urllib.request.Request(url, values, kind, method="PUT"), timeout=30):
        pass

    async def story() -> Crowd:
        crowd = Crowd(running.port, asking(png()))
        while crowd.statuses[200] < CLIENTS:
            await asyncio.sleep(0.05)
        running.process.kill()
        async with asyncio.timeout(20):
            await asyncio.gather(*crowd._tasks)
        return crowd

    crowd = asyncio.run(asyncio.wait_for(story(), 120))
    assert len(crowd.unanswered) == CLIENTS
    running.kill()
    running.start()
    with urllib.request.urlopen(f"{running.url}/v1/marks", timeout=30) as reply:
        [mark] = json.load(reply)["marks"]
    assert (mark["hash"], mark["verdict"]) == (DIGEST, "fine")
