"""The guard at the door: who may ask, how much, how long; and the headers that every answer carries.

It stands before everything else. Cross-site requests are refused by their ``Origin`` and ``Sec-Fetch-Site``,
so a page of another site cannot make a browser post here, and by their ``Host``, so a name that an attacker
points at this machine is no way in either. There are no CORS headers: no other site may read an answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zerosight.serve.jobs import ServeError
from zerosight.serve.metrics import Metrics
from zerosight.serve.settings import LOOPBACK, Limits, ServeSettings

log = logging.getLogger("zerosight.serve")

SESSION = "zerosight_session"
LOGIN = "/login"
OPEN_PATHS = frozenset((LOGIN, "/v2/health/live", "/v2/health/ready"))
STATIC = "/static/"
_READING = frozenset(("GET", "HEAD", "OPTIONS"))
_DRAIN_SECONDS = 5.0
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; media-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}


class Guard:
    """Lets requests through to an app, or answers them itself.

    Args:
        app: The app.
        settings: Host, token and limits.
        metrics: Counters.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self._hosts = LOOPBACK | {settings.host, *settings.names}
        self._any_host = settings.public and not settings.names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is refused, or hand it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        limits = self._limits(scope["path"])
        exchange = Exchange(scope, receive, send, limits)
        start = time.perf_counter()
        try:
            self._check(scope, Headers(scope=scope), limits)
            await self.app(scope, exchange.receive, exchange.send)
        except ServeError as error:
            await exchange.refuse(error)
        except asyncio.CancelledError:  # the time to shut down is over
            await exchange.refuse(ServeError("the server is shutting down", 503, 5))
            raise
        except Exception:
            log.exception("a request failed")
            await exchange.refuse(ServeError("internal error; the server's log says more", 500))
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(route, exchange.status).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - start)

    def _check(self, scope: Scope, headers: Headers, limits: Limits) -> None:
        """Refuse a request by its head.

        Raises:
            ServeError: As above.
        """
        host = headers.get("host", "")
        if not self._any_host and _name(host) not in self._hosts:
            raise ServeError("this host name is not served here; see --name", 421)
        if scope["method"] not in _READING and _is_foreign(headers, host):
            raise ServeError("a page of another site may not post here", 403)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise ServeError("compressed requests are not read; send it plain", 415)
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > limits.body:
            raise _too_large(limits)
        path = scope["path"]
        if self.settings.token and path not in OPEN_PATHS and not path.startswith(STATIC):
            self._check_token(scope, headers, self.settings.token)

    def _limits(self, path: str) -> Limits:
        """Return the limits of a route: where many images are taken at once, they are wider."""
        limits = self.settings.limits
        if path == "/v1/report" or (path.startswith("/v1/models/") and path.endswith("/normals")):
            return limits.model_copy(update={"body": limits.bulk, "seconds": 10 * limits.seconds})
        return limits

    def _check_token(self, scope: Scope, headers: Headers, token: str) -> None:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and same(given.strip(), token):
            return
        with suppress(CookieError):
            morsel = SimpleCookie(headers.get("cookie", "")).get(SESSION)
            if morsel is not None and same(morsel.value, session_of(token)):
                return
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            raise SeeLogin()
        raise ServeError("a token is needed: send 'Authorization: Bearer TOKEN'", 401)


class SeeLogin(ServeError):
    """A person without a token, who is shown where to give one."""

    def __init__(self) -> None:
        super().__init__("log in first", 303)


class Exchange:
    """One request and its answer, measured on the way in and dressed on the way out.

    Args:
        scope: Of the request.
        receive: The server's.
        send: The server's.
        limits: On bytes and time.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self._receive, self._send, self._limits = receive, send, limits
        self._static = scope["path"].startswith(STATIC)
        self._expects = "expect" in Headers(scope=scope)
        self._bytes, self._read_all, self._started = 0, False, False
        self._until = time.monotonic() + limits.seconds
        self.status = 500

    async def receive(self) -> Message:
        """Return the next piece of the body.

        Raises:
            HTTPException: It is too large (413), or came too slowly (408).
        """
        if self._read_all:
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._until - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            self._read_all = True  # nothing more of it is wanted
            raise HTTPException(408, f"the request took more than {self._limits.seconds:g} s") from None
        self._bytes += len(message.get("body", b""))
        self._read_all = message["type"] != "http.request" or not message.get("more_body", False)
        if self._bytes > self._limits.body:
            error = _too_large(self._limits)
            raise HTTPException(error.status, str(error))
        return message

    async def send(self, message: Message) -> None:
        """Send a piece of the answer, its head with the headers that all answers carry."""
        if message["type"] == "http.response.start":
            self._started, self.status = True, message["status"]
            await self._drain()
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "max-age=3600" if self._static else "no-store")
        await self._send(message)

    async def refuse(self, error: ServeError) -> None:
        """Answer with an error of one line, if the answer has not begun."""
        if self._started:
            return
        headers = [(b"content-type", b"application/json")]
        if isinstance(error, SeeLogin):
            headers.append((b"location", LOGIN.encode()))
        if error.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if error.retry_after is not None:
            headers.append((b"retry-after", str(error.retry_after).encode()))
        body = json.dumps({"error": str(error)}).encode()
        headers.append((b"content-length", str(len(body)).encode()))
        await self.send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def _drain(self) -> None:
        """Read what is left of a request answered early, so that its sender gets to see the answer."""
        if self._read_all or self._expects:
            return
        self._read_all = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self._bytes <= 2 * self._limits.body:
                    message = await self._receive()
                    self._bytes += len(message.get("body", b""))
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        return


def same(given: str, secret: str) -> bool:
    """Return whether two texts are the same, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(
        hashlib.sha256(given.encode()).digest(), hashlib.sha256(secret.encode()).digest()
    )


def session_of(token: str) -> str:
    """Return what the browser keeps in place of the token."""
    return hmac.new(token.encode(), b"zerosight session", hashlib.sha256).hexdigest()


def _too_large(limits: Limits) -> ServeError:
    return ServeError(f"the request is larger than {limits.body:,} bytes; send fewer or smaller images", 413)


def _name(host: str) -> str:
    """Return the host name in a ``Host`` header, without its port.

    >>> _name("localhost:8000"), _name("[::1]:8000"), _name("a.example")
    ('localhost', '::1', 'a.example')
    """
    with suppress(ValueError):
        return urlsplit(f"//{host}").hostname or ""
    return ""


def _is_foreign(headers: Headers, host: str) -> bool:
    """Return whether a browser sent the request on behalf of another site's page."""
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != host
