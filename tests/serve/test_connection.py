from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from zerosight.serve.connection import HEAD_BYTES, Connection

Story = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n"


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], None]:
    """Return a function that plays a story on a connection whose heads may take half a second."""
    monkeypatch.setattr("zerosight.serve.connection.HEAD_SECONDS", 0.5)
    config = uvicorn.Config(answer, lifespan="off", log_config=None)
    config.load()

    async def run(story: Story) -> None:
        loop, state = asyncio.get_running_loop(), ServerState()
        server = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await story(reader, writer)
            writer.close()
            server.close()
            await server.wait_closed()
            await asyncio.sleep(0)

    return lambda story: asyncio.run(run(story))


async def read(reader: asyncio.StreamReader) -> bytes:
    """Return an answer's status line and body of two bytes."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head.split(b"\r\n")[0] + b" " + await reader.readexactly(2)


def test_requests_follow_each_other_and_bodies_may_take_longer(play: Callable[[Story], None]) -> None:
    async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(HEAD)
            await asyncio.sleep(0.8)
            writer.write(b"ab")
            assert await read(reader) == b"HTTP/1.1 200 OK ab"
        writer.write(HEAD + b"cd" + HEAD + b"ef")
        assert [await read(reader) for _ in range(2)] == [b"HTTP/1.1 200 OK cd", b"HTTP/1.1 200 OK ef"]

    play(story)


@pytest.mark.parametrize("before", [b"", HEAD + b"ab"])
def test_a_head_that_comes_byte_by_byte_ends_the_connection(
    play: Callable[[Story], None], before: bytes
) -> None:
    async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        if before:
            await read(reader)
        for byte in HEAD:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)
            if reader.at_eof():
                break
        assert await reader.read() == b""
        assert reader.at_eof()

    play(story)


def test_a_head_without_an_end_ends_the_connection(play: Callable[[Story], None]) -> None:
    async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.1\r\nX: " + bytes([97]) * (HEAD_BYTES + 1))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(reader.readexactly(1), 0.4)

    play(story)
