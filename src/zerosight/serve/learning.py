"""Learning and reports over HTTP: models made of good images, their folders, and report.html."""

from __future__ import annotations

import asyncio
import io
import shutil
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from zerosight.serve.answers import Failed, Failure, ModelFacts, Prediction, problems
from zerosight.serve.api import Share
from zerosight.serve.jobs import Answer, Job, ServeError
from zerosight.serve.keep import may_keep
from zerosight.serve.learn import LEARN, REPORT
from zerosight.serve.settings import Limits
from zerosight.serve.shelf import LEARNT, NAME, Shelf
from zerosight.serve.upload import Upload, form_schema, read_form, relative_name, unless_gone

PATIENCE = 900.0
_RESULTS = TypeAdapter(list[Prediction])


class Learnt(BaseModel):
    """A model that was just made."""

    model: ModelFacts
    images: int = Field(description="good images it learnt from")
    notes: list[str] = Field(description="what should be known of them")
    failures: list[Failure]


def learning_router(shelf: Shelf) -> APIRouter:
    """Return the routes that work on many images at once."""
    router = APIRouter(prefix="/v1", tags=["models"])
    limits = shelf.settings.limits
    many = limits.model_copy(update={"files": limits.bulk_files, "body": limits.bulk})
    for part in (normals_router(shelf, many), folder_router(shelf)):
        router.include_router(part, dependencies=may_keep(shelf.settings))
    router.include_router(report_router(shelf, many))
    return router


def normals_router(shelf: Shelf, limits: Limits) -> APIRouter:
    """Return the route that makes a model of good images."""
    router = APIRouter()

    @router.post(
        "/models/{model}/normals",
        status_code=201,
        response_model=Learnt,
        responses=problems(404, 409, 422, 429, 503, 504),
        openapi_extra=form_schema(),
    )
    async def normals(
        request: Request,
        model: str,
        name: Annotated[str, Query(pattern=f"^{NAME.pattern}$", description="of the new model")],
        false_alarms: Annotated[float, Query(gt=0, le=0.5, allow_inf_nan=False)] = 0.05,
    ) -> Response:
        """Make a model of good images: multipart, field `images`; it is served under its name at once."""
        pool = shelf.find(model, "anomalies")
        shelf.check_new(name)
        form = await read_form(request, limits)
        out = (shelf.settings.folder / LEARNT / name).resolve()
        out.parent.mkdir(parents=True, exist_ok=True)
        options = {"name": name, "out": str(out), "false_alarms": false_alarms}
        [answer] = await unless_gone(request, pool.ask([_bulk(LEARN, form.images, options)]))
        values = _checked(answer)
        await shelf.add(name, str(out), learnt=True)
        facts = next(facts for facts in shelf.facts() if facts["name"] == name)
        values = {"model": facts, "images": values["images"], "notes": values["notes"]}
        values["failures"] = answer.values["failures"]
        return JSONResponse(values, 201)

    return router


def folder_router(shelf: Shelf) -> APIRouter:
    """Return the routes that give and forget the folders of models that were learnt here."""
    router = APIRouter()

    def folder_of(model: str) -> Path:
        if model not in shelf.learnt:
            raise ServeError(f"no model called '{model[:60]}' was learnt here", 404)
        return shelf.settings.folder / LEARNT / model

    @router.get("/models/{model}/folder", responses=problems(404), response_class=Response)
    async def folder(model: str) -> Response:
        """Download a model that was learnt here, as a zip file of its folder."""
        content = await asyncio.to_thread(_zipped, folder_of(model), model)
        headers = {"content-disposition": f'attachment; filename="{model}.zip"'}
        return Response(content, media_type="application/zip", headers=headers)

    @router.delete("/models/{model}", status_code=204, responses=problems(404))
    async def forget(model: str) -> Response:
        """Forget a model that was learnt here, and its folder."""
        folder = folder_of(model)
        await shelf.remove(model)
        await asyncio.to_thread(shutil.rmtree, folder, True)
        return Response(status_code=204)

    return router


def report_router(shelf: Shelf, limits: Limits) -> APIRouter:
    """Return the route that writes a report."""
    router = APIRouter()

    @router.post(
        "/report",
        responses=problems(404, 422, 429, 503, 504),
        openapi_extra=form_schema("results", required=False),
        response_class=Response,
    )
    async def report(
        request: Request,
        model: Annotated[str | None, Query(max_length=100)] = None,
        threshold: Share = None,
    ) -> Response:
        """Return report.html: of `images`, with pictures, and of `results`, a JSON list of predictions."""
        pool = shelf.find(model, "anomalies")
        form = await read_form(request, limits, "results", required=False)
        options = {
            "results": _results(form.fields.get("results", "[]")),
            "threshold": threshold,
            "created": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
            "folder": str(shelf.settings.folder.resolve()),
        }
        images = [Upload(relative_name(image.name), image.content) for image in form.images]
        [answer] = await unless_gone(request, pool.ask([_bulk(REPORT, images, options)]))
        _checked(answer)
        headers = {
            "content-disposition": 'attachment; filename="report.html"',
            "content-security-policy": "default-src 'none'; sandbox",
        }
        return Response(answer.blobs["report"], media_type="text/html", headers=headers)

    return router


def _bulk(kind: str, images: list[Upload], options: dict[str, Any]) -> Job:
    sources = [image.name for image in images]
    contents = [image.content for image in images]
    return Job(kind, options | {"sources": sources}, contents, group=f"{kind} alone", patience=PATIENCE)


def _checked(answer: Answer) -> dict[str, Any]:
    """Return the values of an answer.

    Raises:
        Failed: It is an error.
    """
    if answer.error is not None:
        raise Failed(answer.error, answer.status, list(answer.values.get("failures", ())))
    return dict(answer.values)


def _results(text: str) -> list[dict[str, Any]]:
    """Return the predictions in a JSON list.

    Raises:
        ServeError: It holds something else.
    """
    try:
        found = _RESULTS.validate_json(text)
    except ValidationError as error:
        raise ServeError(f"results: {error.errors()[0]['msg']}; send what /v1/predict returned") from None
    return [
        one.model_dump(exclude={"map", "preview"}) | {"source": relative_name(one.source)} for one in found
    ]


def _zipped(folder: Path, name: str) -> bytes:
    """Return a model's folder as a zip file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:  # noqa: TID251  # written, not read
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, f"{name}/{path.relative_to(folder).as_posix()}")
    return content.getvalue()
