"""The outbox: messages about events, signed, sent until they arrive.

Each is a POST of JSON with the headers::

    X-Zerosight-Event: 17                       the same at every try, so that a receiver can drop repeats
    X-Zerosight-Signature: t=1760000000,v1=…    HMAC-SHA256 of "t.body" under the shared secret, in hex

A receiver that answers with 2xx has it; anything else is tried again, after 2 s, 4 s, 8 s … up to an hour.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from zerosight.errors import ConfigError
from zerosight.serve.store import Message, Store

log = logging.getLogger("zerosight.serve")

_PAUSE, _LONGEST_PAUSE, _TIMEOUT = 0.5, 3600.0, 10.0
Post = Callable[[Message], None]


class Webhook:
    """Sends messages to one address.

    Args:
        url: ``http://`` or ``https://``.
        secret: Shared with the receiver, 16 or more characters.

    Raises:
        ConfigError: The address is none, or the secret too short.
    """

    def __init__(self, url: str, secret: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("webhook: should be an address such as https://example.org/alarm")
        if len(secret) < 16:
            raise ConfigError(
                "webhook: needs a secret of 16 or more characters in ZEROSIGHT_WEBHOOK_SECRET, to sign with"
            )
        self._url, self._secret = url, secret.encode()
        self._opener = urllib.request.build_opener(_NoRedirect)

    def __call__(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: It did not arrive.
        """
        now = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "zerosight",
            "X-Zerosight-Event": str(message.id),
            "X-Zerosight-Signature": f"t={now},v1={signature(self._secret, now, message.body)}",
        }
        request = urllib.request.Request(self._url, message.body, headers, method="POST")
        with self._opener.open(request, timeout=_TIMEOUT):
            pass


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A receiver may not send the message on to another address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def signature(secret: bytes, now: int, body: bytes) -> str:
    """Return what proves that a body was sent by who knows the secret, at that time."""
    return hmac.new(secret, b"%d." % now + body, hashlib.sha256).hexdigest()


async def send_forever(store: Store, post: Post, pause: float = _PAUSE) -> None:
    """Send what waits in the store, and try again what does not arrive; never returns.

    Args:
        store: Where messages wait.
        post: Sends one, or raises OSError.
        pause: Seconds between looks.
    """
    while True:
        for message in await asyncio.to_thread(store.due, time.time()):
            try:
                await asyncio.to_thread(post, message)
            except (OSError, ValueError) as error:
                wait = min(_LONGEST_PAUSE, 2.0 ** (message.tries + 1))
                log.warning("webhook: event message %d waits %g s (%s)", message.id, wait, error)
                await asyncio.to_thread(store.postpone, message.id, time.time() + wait)
            else:
                await asyncio.to_thread(store.sent, message.id)
        await asyncio.sleep(pause)
