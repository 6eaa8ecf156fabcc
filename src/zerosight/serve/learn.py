"""Learning and reporting: what a model's process does with many images of one person at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from zerosight.data.pixels import read_image
from zerosight.errors import ImageReadError, ZerosightError, one_line
from zerosight.identity import scratch_folder
from zerosight.models.references.card import ReferencesCard
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.serve.jobs import UNREADABLE, Answer, Job
from zerosight.types import Failure, Prediction, Region

if TYPE_CHECKING:
    from zerosight.predict.anomalies import Predictor

LEARN, REPORT = "learn", "report"


def learn(predictor: Predictor, model: str, job: Job, max_pixels: int) -> Answer:
    """Write the folder of a model that knows good images, and return what was learnt.

    It compares with them (:mod:`zerosight.predict.references`), and its thresholds let few of them pass for
    anomalous.

    Args:
        predictor: The model to begin with.
        model: Its name or folder.
        job: Images, with the options ``name``, ``out`` (the folder to write) and ``false_alarms``.
        max_pixels: Of one image.
    """
    from zerosight.runtimes.load import is_exported

    if is_exported(model):
        return Answer(error="an exported file cannot learn; serve the model's folder instead", status=400)
    failures: list[dict[str, str]] = []
    out = Path(job.options["out"])
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    images = _images(job, max_pixels, failures, [])
    try:
        if isinstance(predictor.card, Vip2ClipCard | ReferencesCard):
            values = _compare(predictor, images, job.options, part)
        else:
            values = _calibrate(predictor, model, images, job.options, part)
        if out.exists():
            shutil.rmtree(out)
        os.replace(part, out)
    except ZerosightError as error:
        status = UNREADABLE if failures else 400
        return Answer({"failures": failures}, error=one_line(str(error)), status=status)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Answer(values | {"failures": failures})


def _compare(
    predictor: Predictor, images: Iterator[Image.Image], options: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """Write a model that compares with good images (references), and return what was learnt."""
    from zerosight.predict.references import save, with_normals

    learned = with_normals(predictor, images, options["false_alarms"])
    card = save(learned.predictor, folder)
    return {
        "thresholds": card.thresholds.model_dump(),
        "images": len(card.normals),
        "notes": list(learned.warnings),
    }


def _calibrate(
    predictor: Predictor, model: str, images: Iterator[Image.Image], options: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """Write a model with thresholds of its own, where it gives no features to compare; return them."""
    from zerosight.evaluate.anomalies.calibrate import calibrated_card
    from zerosight.models.catalog import copy_model

    found = list(predictor.predict(images, on_error="skip"))
    card = predictor.card.model_copy(update={"name": options["name"]})
    card = calibrated_card(card, found, options["false_alarms"])
    copy_model(model, card, folder)
    note = "this kind of model cannot compare with good images: only its thresholds were set"
    return {"thresholds": card.thresholds.model_dump(), "images": len(found), "notes": [note]}


def report(predictor: Predictor, job: Job, max_pixels: int) -> Answer:
    """Return report.html as ``zerosight predict`` writes it, of images and of results without their images.

    Args:
        predictor: The model.
        job: Images, with the options ``sources``, ``results`` (predictions of further images, as JSON
            values), ``threshold``, ``created`` and ``folder`` (where a temporary folder may be made).
        max_pixels: Of one image.
    """
    from zerosight.report.html import write_report
    from zerosight.report.writer import ResultWriter

    options, card = job.options, predictor.card
    failures: list[dict[str, str]] = []
    with scratch_folder(Path(options["folder"]), "report") as folder:
        with ResultWriter(folder) as writer:
            sources: list[str] = []
            images = _images(job, max_pixels, failures, sources)
            found = predictor.stream(images, threshold=options["threshold"], on_error="skip")
            for i, scored in enumerate(found):
                if isinstance(scored.result, Prediction):
                    writer.add(replace(scored.result, source=sources[i]), scored.image)
            for values in options["results"]:
                writer.add(_without_map(values))
            for failure in failures:
                writer.add(Failure(failure["source"], failure["error"]))
        model = {
            "name": card.name,
            "image threshold": options["threshold"] or card.thresholds.image,
            "pixel threshold": card.thresholds.pixel,
            "thresholds chosen on": card.thresholds.source,
        }
        page = write_report(folder, "Anomaly report", model, options["created"], notice=card.intended_use)
        return Answer({"failures": failures}, {"report": page.read_bytes()})


def _images(
    job: Job, max_pixels: int, failures: list[dict[str, str]], sources: list[str]
) -> Iterator[Image.Image]:
    """Yield the images that can be read, naming them in ``sources``; tell the others in ``failures``."""
    for source, content in zip(job.options["sources"], job.blobs, strict=True):
        try:
            image = read_image(content, max_pixels=max_pixels)
        except ImageReadError as error:
            reason = str(error).removeprefix("image bytes: ")
            failures.append({"source": source, "error": f"{source}: {reason}"})
        else:
            sources.append(source)
            yield image


def _without_map(values: dict[str, Any]) -> Prediction:
    """Return a prediction whose map is not at hand: nothing draws it."""
    regions = tuple(Region(tuple(r["box"]), r["area"], r["peak"]) for r in values["regions"])
    blank = np.broadcast_to(np.float32(0), (values["height"], values["width"]))
    about = (values["source"], values["score"], values["threshold"], values["pixel_threshold"])
    return Prediction(*about, blank, regions, is_familiar=values.get("is_familiar"))
