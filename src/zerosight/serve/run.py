"""Listening: uvicorn with this server's limits."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from zerosight.errors import ZerosightError
from zerosight.serve.app import Server, create_server
from zerosight.serve.connection import Connection
from zerosight.serve.settings import ServeSettings
from zerosight.serve.shelf import GRACE

_IDLE = 15


def run_server(settings: ServeSettings, tell: Callable[[str], None]) -> None:
    """Serve until told to stop (SIGINT, SIGTERM), then answer what was accepted.

    Args:
        settings: Everything that the server is told.
        tell: Told the address once the server listens.

    Raises:
        ZerosightError: A model cannot be loaded, the settings are not allowed, or the port is taken.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    server = create_server(settings)
    listening = Listening(uvicorn_config(server, settings), tell)
    asyncio.run(serve_with_models(server, listening))


def uvicorn_config(server: Server, settings: ServeSettings) -> uvicorn.Config:
    """Return uvicorn's settings.

    The lifespan is run by :func:`serve_with_models`, so that its errors are one line. Logging is left as it
    is: a handler of uvicorn's own would hold on to whatever standard error is now.
    """
    return uvicorn.Config(
        server.app,
        host=settings.host,
        port=settings.port,
        lifespan="off",
        http=Connection,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.limits.connections,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=int(GRACE),
        ws="none",
    )


class Listening(uvicorn.Server):
    """uvicorn's server that says where it listens, and ends quietly when it is told to.

    Args:
        config: As above.
        tell: Told the address.
    """

    def __init__(self, config: uvicorn.Config, tell: Callable[[str], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            for listener in self.servers:
                for socket in listener.sockets:
                    host, port = socket.getsockname()[:2]
                    self._tell(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hear SIGINT and SIGTERM while it serves. They are not raised again: the models are yet to stop."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to shut down; a second signal waits for nobody."""
        self.force_exit, self.should_exit = self.should_exit, True


async def serve_with_models(server: Server, listening: Listening) -> None:
    """Start the models, listen, and stop the models.

    Args:
        server: What answers.
        listening: What listens.

    Raises:
        ZerosightError: As :func:`run_server`.
    """
    async with server.api.router.lifespan_context(server.api):
        try:
            await listening.serve()
        except SystemExit:  # uvicorn's way to say that it cannot listen
            if listening.started:
                raise
            address = f"{listening.config.host}:{listening.config.port}"
            raise ZerosightError(f"{address}: cannot be listened on; choose another --port") from None
        if listening.force_exit:
            server.shelf.grace = 0.0
