"""Connections: the head of a request comes soon and is short, or the connection is closed.

Bodies and answers have limits of their own (:mod:`zerosight.serve.guard`), which begin when a head is whole.
A client that sends its head a byte at a time never gets so far, and would hold a connection for ever.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
HEAD_BYTES = 64 << 10


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with an end to the wait for a head."""

    _waiting: asyncio.TimerHandle | None = None
    _bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stop waiting where a head is whole; close where it is too long."""
        before = self.cycle
        super().data_received(data)
        if self._waiting is None:
            return
        self._bytes += len(data)
        if self.cycle is not before:
            self._stop_waiting()
        elif self._bytes > HEAD_BYTES:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next head, unless it has come already."""
        super().on_response_complete()
        if self.cycle is None or self.cycle.response_complete:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop_waiting()
        self._bytes = 0
        self._waiting = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
