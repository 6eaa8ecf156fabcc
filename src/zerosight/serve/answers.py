"""Answers: the forms that requests get back; those of predictions are what ``--json`` prints."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from zerosight.serve.jobs import Answer, ServeError

Share = float
Encoding = Literal["png", "npy", "jpeg"]


class Region(BaseModel):
    """A connected anomalous region."""

    box: tuple[int, int, int, int] = Field(description="left, top, right, bottom; the last two exclusive")
    area: int = Field(description="pixels")
    peak: Share = Field(ge=0, le=1, description="largest value of the map inside")


class Picture(BaseModel):
    """An encoded map or image."""

    format: Encoding
    data: str = Field(description="base64; png: 8 bits of grey, 255 is 1; npy: float32")


class Prediction(BaseModel):
    """What the model says of one image."""

    source: str
    score: Share = Field(ge=0, le=1)
    is_anomalous: bool
    threshold: Share = Field(ge=0, le=1)
    pixel_threshold: Share = Field(ge=0, le=1)
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    regions: list[Region]
    is_familiar: bool | None = Field(
        None,
        description="whether the image is like those that the model was made from; null where it cannot tell",
    )
    hash: str | None = Field(None, description="SHA-256 of the file, if it was asked for")
    map: Picture | None = None
    preview: Picture | None = None


class Failure(BaseModel):
    """An image that could not be answered."""

    source: str
    error: str


class Predictions(BaseModel):
    """The answer of ``/v1/predict``; images are in the order in which they were sent."""

    model: str
    predictions: list[Prediction]
    failures: list[Failure]


class Finding(BaseModel):
    """One finding of one image."""

    name: str
    score: float
    probability: Share = Field(ge=0, le=1)
    threshold: Share = Field(ge=0, le=1)
    is_present: bool
    no_map: str = Field("", description="why the map of a finding called present is not shown")


class FindingPrediction(BaseModel):
    """What the model says of the findings of one chest image."""

    source: str
    mode: str
    provenance: str
    findings: list[Finding]
    is_familiar: bool | None = Field(
        None, description="whether the image is like those of training; null where the model cannot tell"
    )
    limitation: str = Field("", description="what the model was made of, and so what not to expect")
    maps: dict[str, Picture] | None = None
    preview: Picture | None = None


class FindingPredictions(BaseModel):
    """The answer of ``/v1/findings``."""

    model: str
    notice: str
    predictions: list[FindingPrediction]
    failures: list[Failure]


class ModelFacts(BaseModel):
    """A model that the server holds."""

    name: str
    kind: Literal["anomalies", "findings"]
    ready: bool
    learnt: bool = Field(description="made by this server from good images")
    card: dict[str, Any]


class Models(BaseModel):
    """The answer of ``/v1/models``."""

    models: list[ModelFacts]


class Problem(BaseModel):
    """What every error looks like."""

    error: str
    failures: list[Failure] | None = None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of a route's errors; those that the guard gives are always among them."""
    always = (400, 401, 403, 408, 413, 415, 421, 500)
    return {status: {"model": Problem} for status in sorted({*always, *statuses})}


def picture(content: bytes, form: Encoding) -> dict[str, str]:
    """Return bytes as a :class:`Picture`."""
    return {"format": form, "data": base64.b64encode(content).decode()}


def prediction_values(answer: Answer, form: Encoding) -> dict[str, Any]:
    """Return an answer's values with its pictures, whichever the kind of prediction.

    Args:
        answer: Without error.
        form: How its maps are encoded.
    """
    values = dict(answer.values)
    maps = {}
    for name, content in answer.blobs.items():
        if name.startswith("map:"):
            maps[name.removeprefix("map:")] = picture(content, form)
        else:
            values[name] = picture(content, form if name == "map" else "jpeg")
    return values | ({"maps": maps} if maps else {})


def split_answers(
    names: Sequence[str], answers: Sequence[Answer], form: Encoding
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the predictions and the failures among answers.

    Raises:
        Failed: Nothing but failures.
    """
    good = [prediction_values(answer, form) for answer in answers if answer.error is None]
    bad = [
        {"source": name, "error": answer.error}
        for name, answer in zip(names, answers, strict=True)
        if answer.error is not None
    ]
    if not good:
        worst = max(answers, key=lambda answer: answer.status)
        raise Failed(worst.error or "no image", worst.status, bad)
    return good, bad


class Failed(ServeError):
    """Not one image of a request could be answered.

    Args:
        message: Of the worst.
        status: Likewise.
        failures: Of each image.
    """

    def __init__(self, message: str, status: int, failures: list[dict[str, str]]) -> None:
        super().__init__(message, status, 5 if status == 503 else None)
        self.failures = failures
