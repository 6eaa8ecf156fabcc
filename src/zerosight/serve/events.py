"""Events over HTTP: what the watched folder and the camera showed, and the pictures of the former."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from zerosight.serve.answers import Prediction, problems
from zerosight.serve.jobs import Job, ServeError
from zerosight.serve.shelf import Shelf
from zerosight.serve.store import Store
from zerosight.serve.upload import clean_name
from zerosight.serve.watch import WATCH

CAMERA = "camera"


class NewEvent(BaseModel):
    """What the camera's page saw: a prediction that ``/v1/predict`` had returned to it."""

    model: str
    prediction: Prediction


class Events(BaseModel):
    """Events, newest first."""

    events: list[dict[str, Any]]


def events_router(shelf: Shelf, store: Store, tell: bool) -> APIRouter:
    """Return the routes under ``/v1/events``.

    Args:
        shelf: The models.
        store: Where events are kept.
        tell: Whether a webhook hears of them.
    """
    router = APIRouter(prefix="/v1/events", tags=["events"])

    @router.get("", response_model=Events, responses=problems())
    def events(after: Annotated[int, Query(ge=0, le=2**62)] = 0) -> Response:
        """List events after one, newest first, at most 200."""
        return JSONResponse({"events": [asdict(event) for event in store.events(after)]})

    @router.post("", status_code=201, responses=problems(404))
    def add(said: NewEvent) -> Response:
        """Keep what the camera showed; of the image itself nothing is kept."""
        pool = shelf.find(said.model, "anomalies")
        values = said.prediction.model_dump(mode="json", exclude={"map", "preview"})
        values["source"] = clean_name(values["source"])
        number = store.add_event(CAMERA, pool.name, values, tell=tell and values["is_anomalous"])
        return JSONResponse({"id": number}, 201)

    @router.get("/{number}/{picture}", responses=problems(404, 422, 429, 503, 504), response_class=Response)
    async def picture(number: Annotated[int, "of the event"], picture: Literal["preview", "map"]) -> Response:
        """Return the image of a watched file as a JPEG, or its map as a PNG; made anew from the file."""
        event = await asyncio.to_thread(store.event, number) if 0 < number < 2**62 else None
        folder = shelf.settings.watch
        if event is None or event.origin != WATCH or folder is None:
            raise ServeError("there is no picture of this event", 404)
        path = _inside(folder, event.values["file"])
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except OSError:
            raise ServeError("the file of this event is gone", 404) from None
        options = {"source": event.source, "map": "png", "preview": True}
        [answer] = await shelf.find(None, "anomalies").ask([Job("predict", options, [content])])
        if answer.error is not None:
            raise ServeError(answer.error, answer.status)
        kind = "image/png" if picture == "map" else "image/jpeg"
        return Response(answer.blobs[picture], media_type=kind)

    return router


def _inside(folder: Path, name: str) -> Path:
    """Return a file of a folder.

    Raises:
        ServeError: By now it lies elsewhere, behind a link.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ServeError("the file of this event is gone", 404)
    return path
