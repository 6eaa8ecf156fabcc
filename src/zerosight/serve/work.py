"""What a model's process does with a batch: bytes in, answers out, each image on its own feet."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from zerosight.data.pixels import read_image
from zerosight.errors import ZerosightError, one_line
from zerosight.predict.anomalies import Predictor
from zerosight.predict.reading import Scored
from zerosight.predict.regions import find_regions
from zerosight.serve.jobs import FAILED, UNREADABLE, Answer, Job
from zerosight.serve.learn import LEARN, REPORT, learn, report
from zerosight.types import Failure, FindingPrediction, Maps, Prediction

if TYPE_CHECKING:
    from zerosight.predict.findings import FindingPredictor, Question

PORTION = 64_000_000
"""Pixels that are decoded at once; a batch of large images is worked off in portions."""

PREVIEW_SIDE = 1600
_QUESTIONS = 64
ANOMALIES, FINDINGS = "anomalies", "findings"


@runtime_checkable
class Work(Protocol):
    """A model ready to answer batches of jobs of one group."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the server tells of the model, as JSON values."""

    def __call__(self, jobs: Sequence[Job]) -> list[Answer]:
        """Return the answers in the jobs' order."""


class AnomalyWork:
    """Finds anomalies.

    Args:
        predictor: The model.
        max_pixels: Images of more pixels are refused.
        model: Its name, folder or file, to learn from.
    """

    def __init__(self, predictor: Predictor, max_pixels: int, model: str = "vip2clip-lite") -> None:
        self.predictor = predictor
        self.max_pixels = max_pixels
        self.model = model

    @property
    def facts(self) -> dict[str, Any]:
        """Name, input size and thresholds."""
        card = self.predictor.card
        return {
            "kind": ANOMALIES,
            "card": card.name,
            "architecture": card.architecture,
            "size": self.predictor.scorer.preprocess.size,
            "thresholds": card.thresholds.model_dump(),
            "weights": card.weights_sha256,
            "notice": card.intended_use,
        }

    def __call__(self, jobs: Sequence[Job]) -> list[Answer]:
        """Return the answers in the jobs' order."""
        if jobs[0].kind == LEARN:
            return [learn(self.predictor, self.model, job, self.max_pixels) for job in jobs]
        if jobs[0].kind == REPORT:
            return [report(self.predictor, job, self.max_pixels) for job in jobs]
        return in_portions(
            jobs,
            self.max_pixels,
            lambda images: self.predictor.stream(images, on_error="skip"),
            self._answer,
        )

    def _answer(self, job: Job, scored: Scored[Prediction]) -> Answer:
        result, options = scored.result, job.options
        if isinstance(result, Failure):
            return unreadable(job, result.error)
        result = replace(result, source=source_of(job))
        if options.get("threshold") is not None:
            result = replace(result, threshold=options["threshold"])
        if options.get("pixel_threshold") is not None:
            limit = options["pixel_threshold"]
            regions = find_regions(result.anomaly_map, limit)
            result = replace(result, pixel_threshold=limit, regions=regions)
        blobs = {"map": encode_map(result.anomaly_map, options["map"])} if options.get("map") else {}
        if options.get("preview") and scored.image is not None:
            blobs["preview"] = encode_preview(scored.image)
        values = result.to_dict()
        if options.get("hash"):
            values["hash"] = hashlib.sha256(job.blobs[0]).hexdigest()
        return Answer(values, blobs)


class FindingWork:
    """Recognises findings in chest images.

    Args:
        predictor: The model.
        max_pixels: Images of more pixels are refused.
    """

    def __init__(self, predictor: FindingPredictor, max_pixels: int) -> None:
        from zerosight.predict.findings import DEFAULT_LABELS

        self.predictor = predictor
        self.max_pixels = max_pixels
        self.default = DEFAULT_LABELS
        self._asked: dict[tuple[str, ...], Question] = {}

    @property
    def facts(self) -> dict[str, Any]:
        """Name, input size and the findings asked for by default."""
        card = self.predictor.card
        return {
            "kind": FINDINGS,
            "card": card.name,
            "architecture": card.architecture,
            "size": self.predictor.model.preprocess.size,
            "labels": list(self.default),
            "weights": self.predictor.key,
            "notice": card.intended_use,
        }

    def __call__(self, jobs: Sequence[Job]) -> list[Answer]:
        """Return the answers in the jobs' order; all ask for the same findings."""
        options = jobs[0].options
        try:
            question = self._question(tuple(options.get("labels") or self.default))
        except ZerosightError as error:
            return [Answer(error=one_line(str(error)), status=400) for _ in jobs]
        maps = Maps(below=bool(options.get("below"))) if options.get("map") else False
        wanted: dict[str, Any] = {"maps": maps, "threshold": options.get("threshold")}
        return in_portions(
            jobs,
            self.max_pixels,
            lambda images: self.predictor.stream(images, question, on_error="skip", **wanted),
            self._answer,
        )

    def _question(self, labels: tuple[str, ...]) -> Question:
        """Return the question, which is costly to ask and cheap to ask again."""
        if labels not in self._asked:
            if len(self._asked) >= _QUESTIONS:
                self._asked.clear()
            self._asked[labels] = self.predictor.ask(labels)
        return self._asked[labels]

    def _answer(self, job: Job, scored: Scored[FindingPrediction]) -> Answer:
        result = scored.result
        if isinstance(result, Failure):
            return unreadable(job, result.error)
        blobs = {}
        if job.options.get("map"):
            blobs = {f"map:{name}": encode_map(m, job.options["map"]) for name, m in result.maps.items()}
        if job.options.get("preview") and scored.image is not None:
            blobs["preview"] = encode_preview(scored.image)
        return Answer(replace(result, source=source_of(job)).to_dict(), blobs)


def in_portions(
    jobs: Sequence[Job],
    max_pixels: int,
    stream: Callable[[list[Image.Image]], Iterable[Scored[Any]]],
    answer: Callable[[Job, Scored[Any]], Answer],
) -> list[Answer]:
    """Return an answer per job: images are decoded, looked at a portion at a time, and answered.

    Args:
        jobs: One image each.
        max_pixels: Of one image.
        stream: The model: images in, one result each out, in order.
        answer: Makes the answer of a job from its result.
    """
    answers: list[Answer | None] = [None] * len(jobs)
    for portion in _portions(jobs, max_pixels, answers):
        images = [image for _, image in portion]
        for (place, _), scored in zip(portion, stream(images), strict=True):
            answers[place] = answer(jobs[place], scored)
    return [found or Answer(error="no answer; try again", status=FAILED) for found in answers]


def _portions(
    jobs: Sequence[Job], max_pixels: int, answers: list[Answer | None]
) -> Iterator[list[tuple[int, Image.Image]]]:
    """Yield places with their decoded images; images that cannot be decoded are answered on the way."""
    portion: list[tuple[int, Image.Image]] = []
    held = 0
    for place, job in enumerate(jobs):
        try:
            image = open_image(job, max_pixels)
        except ZerosightError as error:
            answers[place] = unreadable(job, str(error))
            continue
        size = image.width * image.height
        if portion and held + size > PORTION:
            yield portion
            portion, held = [], 0
        portion.append((place, image))
        held += size
    if portion:
        yield portion


def open_image(job: Job, max_pixels: int) -> Image.Image:
    """Return the image of a job: the bytes of a file, or of an array whose shape the options name.

    Raises:
        ImageReadError: It cannot be read.
    """
    shape = job.options.get("shape")
    if shape is None:
        return read_image(job.blobs[0], max_pixels=max_pixels)
    return read_image(np.frombuffer(job.blobs[0], np.uint8).reshape(shape), max_pixels=max_pixels)


def source_of(job: Job) -> str:
    """Return what the client calls the image."""
    return str(job.options.get("source", "image"))


def unreadable(job: Job, reason: str) -> Answer:
    """Return the answer for an image that cannot be read, in the reader's words."""
    for word in ("image bytes: ", "PIL image: ", "array: "):
        reason = reason.removeprefix(word)
    return Answer({"source": source_of(job)}, error=f"{source_of(job)}: {reason}", status=UNREADABLE)


def encode_map(anomaly_map: np.ndarray, form: str) -> bytes:
    """Return a map as bytes.

    Args:
        anomaly_map: (height, width), in [0, 1].
        form: ``png``, 8 bits of grey where 255 is 1; ``npy``, float32; ``raw``, its bytes alone.
    """
    if form == "raw":
        return np.ascontiguousarray(anomaly_map, "<f4").tobytes()
    content = io.BytesIO()
    if form == "npy":
        np.save(content, np.asarray(anomaly_map, np.float32), allow_pickle=False)
    else:
        grey = np.rint(np.nan_to_num(anomaly_map).clip(0, 1) * 255).astype(np.uint8)
        Image.fromarray(grey).save(content, "PNG", compress_level=1)
    return content.getvalue()


def encode_preview(image: Image.Image) -> bytes:
    """Return an image as a JPEG that any browser can show."""
    picture = image.convert("RGB")
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=88)
    return content.getvalue()
