"""Marks: what people say of images, over HTTP; and as a manifest that ``zerosight evaluate`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from zerosight.data.rows import ManifestHeader, Record
from zerosight.serve.answers import problems
from zerosight.serve.jobs import ServeError
from zerosight.serve.store import Mark, Store, Verdict
from zerosight.serve.upload import clean_name, relative_name

Hash = Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$", description="SHA-256 of the image's file")]


class NewMark(BaseModel):
    """What a person says of an image."""

    name: str = Field(max_length=300)
    verdict: Verdict
    model: str = Field(max_length=100)
    score: float = Field(ge=0, le=1, allow_inf_nan=False)
    threshold: float = Field(ge=0, le=1, allow_inf_nan=False)


class Marks(BaseModel):
    """All marks."""

    marks: list[dict[str, str | float]]


def marks_router(store: Store) -> APIRouter:
    """Return the routes under ``/v1/marks``."""
    router = APIRouter(prefix="/v1/marks", tags=["marks"])

    @router.get("", response_model=Marks, responses=problems())
    def marks() -> Response:
        """List all marks, oldest first."""
        return JSONResponse({"marks": [asdict(mark) for mark in store.marks()]})

    @router.put("/{digest}", status_code=204, responses=problems())
    def mark(digest: Hash, said: NewMark) -> Response:
        """Mark an image as fine or as a defect; the image itself is not sent."""
        name = clean_name(said.name)
        store.mark(Mark(digest, name, said.verdict, said.model, said.score, said.threshold))
        return Response(status_code=204)

    @router.delete("/{digest}", status_code=204, responses=problems(404))
    def unmark(digest: Hash) -> Response:
        """Take a mark back."""
        if not store.unmark(digest):
            raise ServeError("this image is not marked", 404)
        return Response(status_code=204)

    @router.get("/manifest", responses=problems(), response_class=Response)
    def manifest() -> Response:
        """Return the marks as a manifest; put it into the folder that the images came from."""
        text = manifest_text(store.marks(), store.kept())
        headers = {"content-disposition": 'attachment; filename="marks.jsonl"'}
        return Response(text, media_type="application/jsonl", headers=headers)

    return router


def manifest_text(marks: Iterable[Mark], kept: Mapping[str, str]) -> str:
    """Return marks as JSON lines.

    Args:
        marks: What was said.
        kept: Files within the server's folder, by hash; an image that is not there is called by its own name.
    """
    header = ManifestHeader(name="marks", root=".", source="marked by hand in zerosight serve")
    lines = [header.to_json()]
    for mark in marks:
        image = kept.get(mark.hash) or relative_name(mark.name)
        label: Literal[0, 1] = 1 if mark.verdict == "defect" else 0
        lines.append(Record(image=image, label=label, category="marked", hash=mark.hash).to_json())
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
