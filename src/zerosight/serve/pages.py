"""Pages for people: templates, styles and scripts, all of them served from here and from nowhere else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from zerosight.files import packaged
from zerosight.report.heatmap import heatmap
from zerosight.report.page import environment
from zerosight.serve.guard import LOGIN, SESSION, STATIC, same, session_of
from zerosight.serve.jobs import ServeError
from zerosight.serve.shelf import Shelf
from zerosight.serve.work import ANOMALIES, FINDINGS

_HERE = Path(__file__).parent
_KINDS = {".js": "text/javascript", ".css": "text/css"}
_WRONG_TOKEN_PAUSE = 0.5
_MONTH = 30 * 24 * 3600


def pages_router(shelf: Shelf, api: FastAPI) -> APIRouter:
    """Return the routes that people use.

    Args:
        shelf: The models.
        api: Described on its own page.
    """
    router = APIRouter(include_in_schema=False)
    content, page = static_files(), Page(shelf)
    router.include_router(login_router(page, shelf.settings.token))

    @router.get("/")
    async def index() -> Response:
        return page("images", facts=page_facts(shelf, ANOMALIES), keep=shelf.settings.keep)

    @router.get("/live")
    async def live() -> Response:
        return page("live", facts=page_facts(shelf, ANOMALIES))

    @router.get("/chest")
    async def chest() -> Response:
        shelf.find(None, FINDINGS)
        return page("chest", facts=page_facts(shelf, FINDINGS))

    @router.get("/api")
    async def described() -> Response:
        return page("api", schema=api.openapi())

    @router.get(f"{STATIC}{{name}}")
    async def static(name: str) -> Response:
        if name not in content:
            raise ServeError("there is no such file", 404)
        return Response(content[name], media_type=_KINDS[Path(name).suffix])

    return router


class Page:
    """Fills in the template of a page.

    Args:
        shelf: The models.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._templates = environment(_HERE / "templates")

    def __call__(self, name: str, **values: Any) -> Response:
        """Return a page with what its template asks for."""
        chest = any(model["kind"] == FINDINGS for model in self._shelf.facts())
        shown = {"here": name, "chest": chest, **values}
        return HTMLResponse(self._templates.get_template(f"{name}.html.j2").render(shown))


def page_facts(shelf: Shelf, kind: str) -> dict[str, Any]:
    """Return what the scripts of a page are told.

    Args:
        shelf: The models.
        kind: Of the models that the page uses.
    """
    limits = shelf.settings.limits
    return {
        "models": [model for model in shelf.facts() if model["kind"] == kind],
        "palette": palette(),
        "body": limits.body,
        "bulk": limits.bulk,
        "bulkFiles": limits.bulk_files,
        "watching": shelf.settings.watch is not None,
    }


def login_router(page: Page, token: str | None) -> APIRouter:
    """Return the routes of the page that asks for the token."""
    router = APIRouter()

    @router.get(LOGIN)
    async def login_page() -> Response:
        return page("login", wrong=False)

    @router.post(LOGIN)
    async def login(request: Request) -> Response:
        form = dict(parse_qsl((await request.body())[:10_000].decode(errors="replace")))
        if not token or not same(form.get("token", ""), token):
            await asyncio.sleep(_WRONG_TOKEN_PAUSE)
            reply = page("login", wrong=True)
            reply.status_code = 401
            return reply
        reply = RedirectResponse("/", 303)
        secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
        session = session_of(token)
        reply.set_cookie(SESSION, session, _MONTH, httponly=True, samesite="strict", secure=secure)
        return reply

    return router


def static_files() -> dict[str, bytes]:
    """Return styles and scripts by name; ``report.css`` is the report's own style."""
    found = {path.name: path.read_bytes() for path in (_HERE / "static").iterdir() if path.suffix in _KINDS}
    found["report.css"] = packaged("report", "style.html.j2").read_bytes()
    return found


def palette() -> list[str]:
    """Return the colours of the heatmaps from 0 to 1, six hexadecimal digits each."""
    levels = np.linspace(0, 1, 256, dtype=np.float32)[None]
    return [bytes(colour).hex() for colour in np.asarray(heatmap(levels))[0]]
