"""The app: routes, errors and the guard, put together for one server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from zerosight import __version__
from zerosight.errors import ZerosightError, one_line
from zerosight.serve.answers import Failed
from zerosight.serve.api import api_router
from zerosight.serve.events import events_router
from zerosight.serve.guard import Guard
from zerosight.serve.inference import inference_router
from zerosight.serve.jobs import ServeError
from zerosight.serve.keep import may_keep
from zerosight.serve.learning import learning_router
from zerosight.serve.marks import marks_router
from zerosight.serve.metrics import Metrics
from zerosight.serve.outbox import Webhook, send_forever
from zerosight.serve.pages import pages_router
from zerosight.serve.pool import model_command
from zerosight.serve.settings import ServeSettings, check_settings
from zerosight.serve.shelf import Command, Shelf
from zerosight.serve.store import Store
from zerosight.serve.tensors import InferRequest
from zerosight.serve.watch import Watcher
from zerosight.serve.work import ANOMALIES

DESCRIPTION = "Defects and lesions in images of things never seen in training. A person decides."


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is not yet listening.

    Attributes:
        app: What listens: the guard with everything behind it.
        api: What is behind it.
        shelf: The models.
    """

    app: ASGIApp
    api: FastAPI
    shelf: Shelf


def create_server(settings: ServeSettings, command: Command = model_command) -> Server:
    """Return a server; its models start and stop with the app's lifespan.

    Args:
        settings: Everything that it is told.
        command: Gives the command that starts a model's process.

    Raises:
        ConfigError: The settings would leave it open to the network.
    """
    check_settings(settings)
    metrics = Metrics(settings.replica)
    shelf = Shelf(settings, metrics, command)
    store = Store(settings.folder)
    webhook = Webhook(settings.webhook, settings.webhook_secret) if settings.webhook else None
    api = FastAPI(
        title="zerosight",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lambda _: running(shelf, store, webhook),
        docs_url=None,  # both load scripts from elsewhere
        redoc_url=None,
        exception_handlers={
            ZerosightError: _known,
            HTTPException: _http,
            RequestValidationError: _invalid,
        },
    )
    api.include_router(api_router(shelf, store, metrics))
    api.include_router(inference_router(shelf))
    api.include_router(learning_router(shelf))
    keeping = may_keep(settings)
    api.include_router(marks_router(store), dependencies=keeping)
    api.include_router(events_router(shelf, store, webhook is not None), dependencies=keeping)
    api.include_router(pages_router(shelf, api))
    _complete_schema(api)
    return Server(Guard(api, settings, metrics), api, shelf)


@asynccontextmanager
async def running(shelf: Shelf, store: Store, webhook: Webhook | None) -> AsyncIterator[None]:
    """Keep the models running, the folder watched and messages sent for as long as the server is there.

    Args:
        shelf: The models, not yet started.
        store: Closed at the end.
        webhook: Who is told of events, if anybody.

    Raises:
        ZerosightError: A model cannot be started.
    """
    settings = shelf.settings
    tasks: list[asyncio.Task[None]] = []
    try:
        await shelf.start()
        if settings.watch is not None:
            watcher = Watcher(
                settings.watch,
                store,
                lambda: shelf.find(None, ANOMALIES),
                settings.limits.body,
                tell=webhook is not None,
            )
            tasks.append(asyncio.create_task(watcher.forever()))
        if webhook is not None:
            tasks.append(asyncio.create_task(send_forever(store, webhook)))
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await shelf.stop()
        store.close()


async def _known(request: Request, error: Exception) -> JSONResponse:
    """Answer an error that a user can mend with its line."""
    status = error.status if isinstance(error, ServeError) else 400
    values: dict[str, object] = {"error": one_line(str(error), 1000)}
    if isinstance(error, Failed):
        values["failures"] = error.failures
    retry = error.retry_after if isinstance(error, ServeError) else None
    return JSONResponse(values, status, {} if retry is None else {"retry-after": str(retry)})


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, dict(error.headers or {}))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Answer a parameter that is not allowed with the first complaint, in one line."""
    assert isinstance(error, RequestValidationError)
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return JSONResponse({"error": one_line(f"{where}: {problem['msg']}")}, 400)


def _complete_schema(api: FastAPI) -> None:
    """Describe wrong parameters as what they are here, problems like any other; and tensors."""
    schema = api.openapi()
    for methods in schema["paths"].values():
        for operation in methods.values():
            described = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
            if described.get("schema", {}).get("$ref", "").endswith("HTTPValidationError"):
                del operation["responses"]["422"]
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    request = InferRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= request.pop("$defs")
    schemas["InferRequest"] = request
