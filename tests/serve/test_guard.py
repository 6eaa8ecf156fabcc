from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from zerosight.errors import ConfigError
from zerosight.serve.app import create_server
from zerosight.serve.guard import HEADERS, Guard, session_of
from zerosight.serve.metrics import Metrics
from zerosight.serve.settings import Limits, ServeSettings, check_settings

TOKEN = "a-long-and-secret-token"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, command: Any) -> Iterator[TestClient]:
    """Return a client of a server that wants a token."""
    settings = ServeSettings(
        models=("mean",), token=TOKEN, folder=tmp_path_factory.mktemp("locked"), names=("testserver",)
    )
    with TestClient(create_server(settings, command).app) as client:
        yield client


def test_every_answer_carries_the_headers(client: TestClient) -> None:
    for path in ("/v1/models", "/nowhere", "/metrics"):
        headers = client.get(path).headers
        assert HEADERS.items() <= dict(headers).items()
        assert "access-control-allow-origin" not in headers
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver:81"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_may_not_post(client: TestClient, png: Any, headers: dict[str, str]) -> None:
    reply = client.post("/v1/predict", files={"images": png()}, headers=headers)
    assert reply.status_code == 403


def test_our_own_page_may_post(client: TestClient, png: Any) -> None:
    headers = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}
    assert client.post("/v1/predict", files={"images": png()}, headers=headers).status_code == 200


def test_a_name_that_was_pointed_here_is_no_way_in(client: TestClient) -> None:
    assert client.get("/v1/models", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/v1/models", headers={"host": "localhost:1"}).status_code == 200
    assert client.get("/v1/models", headers={"host": "[::1]:1"}).status_code == 200


def test_too_much_and_compressed_is_refused(client: TestClient) -> None:
    large = client.post(
        "/v1/predict", content=bytes(2 << 20), headers={"content-type": "multipart/form-data"}
    )
    assert large.status_code == 413

    kind = {"content-type": "multipart/form-data; boundary=x"}

    def pieces() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'
        for _ in range(40):
            yield bytes(1 << 16)

    assert client.post("/v1/predict", content=pieces(), headers=kind).status_code == 413
    squeezed = client.post("/v1/predict", content=b"x", headers={"content-encoding": "gzip"})
    assert squeezed.status_code == 415


def test_without_the_token_nothing_is_told(locked: TestClient) -> None:
    for headers in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": TOKEN},
        {"cookie": "zerosight_session=x"},
    ):
        for path in ("/v1/models", "/metrics", "/openapi.json", "/nowhere"):
            reply = locked.get(path, headers=headers)
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"] == "Bearer"


def test_the_token_or_its_session_opens(locked: TestClient) -> None:
    assert locked.get("/v1/models", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    cookie = f"zerosight_session={session_of(TOKEN)}"
    assert locked.get("/v1/models", headers={"cookie": cookie}).status_code == 200
    assert TOKEN not in session_of(TOKEN)


def test_a_person_without_a_token_is_shown_the_door(locked: TestClient) -> None:
    reply = locked.get("/", headers={"accept": "text/html"}, follow_redirects=False)
    assert reply.status_code == 303
    assert reply.headers["location"] == "/login"


@pytest.mark.parametrize("changes", [{}, {"token": TOKEN}, {"insecure": True}])
def test_the_network_is_only_for_those_who_say_so(changes: dict[str, object]) -> None:
    settings = ServeSettings.parse({"host": "0.0.0.0", **changes})
    if changes:
        check_settings(settings)
        return
    with pytest.raises(ConfigError, match="--token"):
        check_settings(settings)


def test_short_tokens_are_refused() -> None:
    with pytest.raises(ConfigError, match="token"):
        ServeSettings.parse({"token": "short"})


def converse(app: Callable[..., Any], pieces: list[dict[str, Any]], **changes: Any) -> list[dict[str, Any]]:
    """Return what a guard sends for a request that comes in pieces and then stalls."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if pieces:
            return pieces.pop(0)
        await asyncio.sleep(3600)
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def run() -> None:
        settings = ServeSettings(names=("h",), limits=Limits(seconds=0.2, **changes))
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"h")]}
        async with asyncio.timeout(10):
            await Guard(app, settings, Metrics())(scope, receive, send)

    asyncio.run(run())
    return sent


def test_a_slow_sender_is_told_in_time() -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.routing import Route

    async def read(request: Request) -> None:
        await request.body()

    app = Starlette(routes=[Route("/", read, methods=["POST"])])
    sent = converse(app, [{"type": "http.request", "body": b"a", "more_body": True}])
    assert sent[0]["status"] == 408


def test_a_bug_is_500_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("a secret")

    sent = converse(app, [{"type": "http.request", "body": b"", "more_body": False}])
    assert sent[0]["status"] == 500
    assert b"secret" not in sent[1]["body"]
    assert "a secret" in caplog.text


def test_the_server_itself_needs_no_torch() -> None:
    code = "import sys, zerosight.serve.run, zerosight.serve.worker; sys.exit('torch' in sys.modules)"
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": source}, check=False, timeout=60)
    assert done.returncode == 0
