"""The API under ``/v1``: images in, predictions out; and what the server tells of itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from zerosight.serve.answers import FindingPredictions, Models, Predictions, problems, split_answers
from zerosight.serve.jobs import Answer, Job
from zerosight.serve.keep import keep_images
from zerosight.serve.metrics import Metrics
from zerosight.serve.shelf import Shelf
from zerosight.serve.store import Store
from zerosight.serve.upload import Upload, form_schema, read_form, read_labels, unless_gone

MapForm = Literal["none", "png", "npy"]
Share = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)]
ModelName = Annotated[str | None, Query(max_length=100, description="a served model; the first of its kind")]


def api_router(shelf: Shelf, store: Store, metrics: Metrics) -> APIRouter:
    """Return the routes that machines use."""
    router = APIRouter()
    for part in (predict_router(shelf, store), findings_router(shelf), facts_router(shelf, metrics)):
        router.include_router(part)
    return router


def predict_router(shelf: Shelf, store: Store) -> APIRouter:
    """Return the route that finds anomalies, and keeps the images where that was asked for."""
    router = APIRouter(tags=["predict"])
    settings = shelf.settings

    @router.post(
        "/v1/predict",
        response_model=Predictions,
        responses=problems(404, 422, 429, 503, 504),
        openapi_extra=form_schema(),
    )
    async def predict(
        request: Request,
        model: ModelName = None,
        threshold: Share = None,
        pixel_threshold: Share = None,
        map: MapForm = "none",
        preview: bool = False,
        hash: bool = False,
    ) -> Response:
        """Find anomalies in images: multipart, field `images`, one or many.

        A single image that cannot be read is 422. Of many, those that cannot be read are in `failures`.
        """
        pool = shelf.find(model, "anomalies")
        pool.check_room()
        form = await read_form(request, settings.limits)
        options = {"threshold": threshold, "pixel_threshold": pixel_threshold, "preview": preview}
        jobs = image_jobs(form.images, options | {"hash": hash, "map": None if map == "none" else map})
        answers = await unless_gone(request, pool.ask(jobs))
        if settings.keep:
            await asyncio.to_thread(keep_images, settings.folder, store, form.images)
        return JSONResponse({"model": pool.name} | told(form.images, answers, map))

    return router


def findings_router(shelf: Shelf) -> APIRouter:
    """Return the route that recognises findings; it keeps nothing."""
    router = APIRouter(tags=["predict"])

    @router.post(
        "/v1/findings",
        response_model=FindingPredictions,
        responses=problems(404, 422, 429, 503, 504),
        openapi_extra=form_schema("labels"),
    )
    async def findings(
        request: Request,
        model: ModelName = None,
        threshold: Share = None,
        map: MapForm = "none",
        preview: bool = False,
        below: bool = False,
    ) -> Response:
        """Recognise findings in chest images (PNG, JPEG, DICOM), for research only.

        Multipart, field `images`, one or many, and optionally `labels`, names joined by commas. Maps are of
        findings at or above their threshold; `below` asks for all.
        """
        pool = shelf.find(model, "findings")
        pool.check_room()
        form = await read_form(request, shelf.settings.limits, "labels")
        labels = read_labels(form.fields.get("labels", ""))
        options: dict[str, Any] = {"labels": labels, "threshold": threshold, "below": below}
        options["map"] = None if map == "none" else map
        group = json.dumps(options)
        jobs = image_jobs(form.images, options | {"preview": preview}, group)
        answers = await unless_gone(request, pool.ask(jobs))
        values = {"model": pool.name, "notice": pool.facts["notice"]}
        return JSONResponse(values | told(form.images, answers, map))

    return router


def facts_router(shelf: Shelf, metrics: Metrics) -> APIRouter:
    """Return the routes that tell of the models and of the server."""
    router = APIRouter()

    @router.get("/v1/models", response_model=Models, responses=problems(), tags=["models"])
    async def models() -> Response:
        """List the models that are served."""
        return JSONResponse({"models": shelf.facts()})

    @router.get("/metrics", responses=problems(), tags=["server"], response_class=Response)
    async def counters() -> Response:
        """What the server counts about itself, as Prometheus reads it."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router


def told(images: Sequence[Upload], answers: Sequence[Answer], map: MapForm) -> dict[str, Any]:
    """Return what a client is told of its images: predictions, and failures apart.

    Raises:
        Failed: Nothing but failures.
    """
    good, bad = split_answers([image.name for image in images], answers, "png" if map == "none" else map)
    return {"predictions": good, "failures": bad}


def image_jobs(images: Sequence[Upload], options: dict[str, Any], group: str = "") -> list[Job]:
    """Return a job per image."""
    return [Job("predict", options | {"source": image.name}, [image.content], group) for image in images]
