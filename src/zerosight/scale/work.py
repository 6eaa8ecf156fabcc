"""What runs on the machines of a cluster: images are read in tasks, scored by actors that keep the model.

A *portion* is some images that travel together: a few batches of them, always the same ones, so that what a
model sees at once, and with it every bit of its answer, does not depend on who does the work. It goes through
Ray Data as one row of plain values: names, then names with pixels, then rows of a Parquet table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

import zerosight
from zerosight.choices import Arithmetic, ScoreMode
from zerosight.errors import ImageReadError, ZerosightError
from zerosight.guarded.json import parse_json
from zerosight.identity import seal, stamp
from zerosight.models.llava_radz.descriptions import Description
from zerosight.predict.reading import Read, Scored, read_batches
from zerosight.preprocess import Preprocess
from zerosight.report.parquet import row_of, schema_of
from zerosight.stores import place
from zerosight.types import Failure, FindingPrediction, Maps, Prediction

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that is loaded, and what to ask it.

    Attributes:
        stream: Scores images in order; failures are results.
        preprocess: Of its input; None where it reads the images itself, as tiles need their own size.
        settings: What results depend on beside the images, as JSON values.
        findings: Whether it recognises findings, and not anomalies.
    """

    stream: Any
    preprocess: Preprocess | None
    settings: dict[str, Any]
    findings: bool


@runtime_checkable
class Job(Protocol):
    """What is asked of every image, such that any machine can load it."""

    def open(self) -> Opened:
        """Load the model.

        Raises:
            ZerosightError: It is not to be had, or does not know what is asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class AnomalyJob:
    """Anomalies; attributes as of ``zerosight predict``, None was not given."""

    model: str
    device: str = "cpu"
    batch_size: int = 8
    threshold: float | None = None
    pixel_threshold: float | None = None
    precision: Arithmetic = "exact"
    tile: int | None = None
    overlap: float | None = None

    def open(self) -> Opened:
        """Load the model."""
        predictor = zerosight.load(self.model, self.device, self.batch_size, self.precision)
        if self.tile is not None:
            given = {} if self.overlap is None else {"overlap": self.overlap}
            predictor = predictor.tiled(self.tile or None, **given)
        chosen = predictor.thresholds(self.threshold, self.pixel_threshold)
        settings = predictor.identity() | {"threshold": chosen.image, "pixel_threshold": chosen.pixel}
        preprocess = None if predictor.tiling else predictor.scorer.preprocess

        def stream(images: Iterable[Any]) -> Iterator[Scored[Prediction]]:
            return predictor.stream(
                images, threshold=chosen.image, pixel_threshold=chosen.pixel, on_error="skip"
            )

        return Opened(stream, preprocess, settings | {"precision": self.precision}, False)


@dataclass(frozen=True, slots=True)
class FindingJob:
    """Findings; attributes as of ``zerosight predict``, None was not given."""

    model: str
    labels: tuple[str, ...]
    device: str = "cpu"
    batch_size: int = 8
    threshold: float | None = None
    descriptions: dict[str, Description] | None = None
    mode: ScoreMode | None = None
    maps: Maps | None = None

    def open(self) -> Opened:
        """Load the model."""
        predictor = zerosight.load_findings(self.model, self.device, self.batch_size)
        question = predictor.ask(self.labels, descriptions=self.descriptions, mode=self.mode)
        settings = predictor.identity(question) | {"threshold": self.threshold}
        if self.maps:
            settings["maps"] = predictor.map_identity(self.maps)

        def stream(images: Iterable[Any]) -> Iterator[Scored[FindingPrediction]]:
            return predictor.stream(
                images, question, threshold=self.threshold, maps=self.maps or False, on_error="skip"
            )

        return Opened(stream, predictor.model.preprocess, settings, True)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the driver has to know of a model that it never loads.

    Attributes:
        version: Of zerosight, where the model was loaded.
        stop: Why it could not be; the rest says nothing then.
        preprocess: As of :class:`Opened`.
        settings: As of :class:`Opened`.
        findings: As of :class:`Opened`.
    """

    version: str
    stop: str | None = None
    preprocess: Preprocess | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    findings: bool = False


def facts_of(job: Job) -> Facts:
    """Load a job's model and return what is to be known of it."""
    try:
        opened = job.open()
    except ZerosightError as error:
        return Facts(zerosight.__version__, str(error))
    return _facts(opened)


def _facts(opened: Opened) -> Facts:
    return Facts(zerosight.__version__, None, opened.preprocess, opened.settings, opened.findings)


def portion(block: int, first: int, sources: list[str]) -> Row:
    """Return some images of a block as they enter.

    Args:
        block: Number of the block.
        first: Place of the first image in it; with the block's number it names the portion.
        sources: Paths and addresses.
    """
    return {"block": block, "first": first, "about": json.dumps(sources)}


def read_portion(row: Row, preprocess: Preprocess | None) -> Row:
    """Return a portion with its pixels, and what could not be read.

    Args:
        row: From :func:`portion`.
        preprocess: Of the model's input; None leaves the images to the model.
    """
    sources = parse_json(row["about"])
    places = [place(source) for source in sources]
    stamps = [stamp(one) for one in places]
    if preprocess is None:
        about = [{"source": source, "stamp": one} for source, one in zip(sources, stamps, strict=True)]
        return row | {"about": json.dumps(about), "pixels": b""}
    about, pixels = [], []
    for batch in read_batches(places, preprocess.pixels, len(places), whole=False):
        for read in batch:
            number = len(about)
            values = {"source": sources[number], "stamp": seal(stamps[number], places[number])}
            if read.pixels is not None:
                pixels.append(read.pixels.tobytes())
            about.append(values | {"size": read.size, "error": str(read.error) if read.error else None})
    return row | {"about": json.dumps(about), "pixels": b"".join(pixels)}


class Scorer:
    """Keeps the model, and turns portions into rows of a Parquet table.

    Args:
        job: What to load.
        facts: What was found where it was loaded first; another model is refused.
        maps: Whether rows hold maps.
    """

    def __init__(self, job: Job, facts: Facts, maps: bool) -> None:
        self.facts, self.maps = facts, maps
        self.schema = schema_of(facts.findings)
        self.stop = ""
        try:
            self.opened = job.open()
        except ZerosightError as error:
            self.stop = str(error)
        else:
            if _facts(self.opened) != facts:
                self.stop = "the machines of the cluster have different models of a name"

    def __call__(self, row: Row) -> Row:
        """Return a portion's rows as an Arrow stream; ``stop`` says why the whole run has to end."""
        if self.stop:
            return answer(row, stop=self.stop)
        about: list[Row] = parse_json(row["about"])
        images: Iterable[Any] = self._reads(about, row["pixels"])
        if self.facts.preprocess is None:
            images = [place(values["source"]) for values in about]
        try:
            return answer(row, **self._table(self.opened.stream(images), about))
        except ZerosightError as error:
            return answer(row, stop=str(error))

    def _reads(self, about: list[Row], pixels: bytes) -> Iterator[Read]:
        """Yield the images as they were read."""
        assert self.facts.preprocess is not None
        side = self.facts.preprocess.size
        rest = iter(np.frombuffer(pixels, np.uint8).reshape(-1, side, side, 3))
        for number, values in enumerate(about):
            if values["error"] is None:
                size = (values["size"][0], values["size"][1])
                yield Read(number, values["source"], None, next(rest), None, True, size)
            else:
                yield Read(number, values["source"], None, None, ImageReadError(values["error"]))

    def _table(self, found: Iterable[Scored[Any]], about: list[Row]) -> Row:
        rows, failed, marked = [], 0, 0
        for values, scored in zip(about, found, strict=True):
            result = scored.result
            line = result.to_dict()
            if isinstance(result, Failure):
                failed += 1
            else:
                line["stamp"] = values["stamp"]
                if self.facts.preprocess is None:
                    line["stamp"] = seal(values["stamp"], place(values["source"]))
                marked += isinstance(result, Prediction) and result.is_anomalous
            rows.append(row_of(line, result, self.schema.names, self.maps))
        return {"images": len(rows), "failed": failed, "marked": marked, "table": as_bytes(rows, self.schema)}


def answer(row: Row, **values: Any) -> Row:
    """Return what leaves the cluster about a portion; every one has the same columns."""
    empty = {"stop": "", "images": 0, "failed": 0, "marked": 0, "table": b""}
    return {"block": row["block"], "first": row["first"]} | empty | values


def as_bytes(rows: list[Row], schema: Any) -> bytes:
    """Return rows of a table as an Arrow stream."""
    import pyarrow

    content = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(content, schema) as stream:
        stream.write_table(pyarrow.Table.from_pylist(rows, schema))
    return content.getvalue().to_pybytes()
