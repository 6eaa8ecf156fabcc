"""The part of ``zerosight predict`` that recognises findings in chest X-rays."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zerosight.cli.console import messages, print_json, progress
from zerosight.types import Failure, FindingPrediction

if TYPE_CHECKING:
    from zerosight.models.llava_radz.scoring import ScoreMode
    from zerosight.reading import OnError
    from zerosight.recognise import FindingPredictor, Question


@dataclass(frozen=True, slots=True)
class FindingOptions:
    """What the command line says about findings.

    Attributes:
        labels: Names joined by commas; None asks for ChestX-ray14's.
        descriptions: File of descriptions for further findings.
        mode: How to score; None takes the model's.
        write: Whether the language model may describe findings that have no description.
        maps: Whether to make maps.
        threshold: Probabilities at or above it count as present; None takes the model's.
    """

    labels: str | None = None
    descriptions: Path | None = None
    mode: ScoreMode | None = None
    write: bool = False
    maps: bool = True
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Where results go and how a run goes on.

    Attributes:
        out: Folder for results; None prints only.
        resume: Go on with an interrupted run.
        overwrite: Replace results.
        on_error: What to do about an unreadable image.
        report: Whether to write pictures and a page.
        as_json: Print JSON lines.
    """

    out: Path | None
    resume: bool
    overwrite: bool
    on_error: OnError
    report: bool
    as_json: bool


def predict_findings(
    predictor: FindingPredictor, images: list[Path], options: FindingOptions, run: Run
) -> None:
    """Score findings in images and write results.

    Raises:
        ConfigError: The list of findings is empty or names one twice.
        DescriptionError: A finding has no description.
    """
    from zerosight.report.findings import FindingForm
    from zerosight.report.writer import ResultWriter

    question = _ask(predictor, options)
    settings: dict[str, Any] = {
        "model": predictor.card.name,
        "weights": predictor.key,
        "labels": list(question.names),
    }
    settings |= {"anchors": question.anchors.key, "mode": question.mode, "threshold": options.threshold}
    form = FindingForm(question.names)
    writer = (
        ResultWriter(run.out, resume=run.resume, overwrite=run.overwrite, settings=settings, form=form)
        if run.out
        else None
    )
    todo = [image for image in images if not writer or str(image) not in writer.done]
    counts = {"scored": 0, "failed": 0}
    maps = options.maps and run.report and run.out is not None
    with writer or nullcontext(), progress("images", quiet=run.as_json) as bar:
        task = bar.add_task("scoring", total=len(todo))
        for scored in predictor.stream(
            todo, question, threshold=options.threshold, maps=maps, on_error=run.on_error
        ):
            if writer:
                writer.add(scored.result, scored.image if run.report else None)
            _tell(scored.result, run.as_json)
            counts["failed" if isinstance(scored.result, Failure) else "scored"] += 1
            bar.advance(task)
    if run.out and run.report:
        write_finding_page(run.out, predictor, "Chest findings", question)
    if not run.as_json:
        failed = f", {counts['failed']} could not be read" if counts["failed"] else ""
        messages.print(f"{counts['scored']} images scored{failed}; anchors {question.anchors.provenance}")
        messages.print(f"results: {run.out}", soft_wrap=True, markup=False)
        messages.print("research use only: not a medical device, not for diagnosis")
    if counts["failed"] and not counts["scored"]:
        raise typer.Exit(1)


def write_finding_page(
    out: Path, predictor: FindingPredictor, title: str, question: Question | None = None
) -> Path:
    """Write report.html for a folder of findings and return its path."""
    from zerosight.report.findings_html import write_finding_report

    card = predictor.card
    model = {
        "name": card.name,
        "language model": card.mllm.model,
        "probabilities calibrated on": card.calibration.source,
    }
    if question is not None:
        model |= {"scoring": question.mode, "anchors": question.anchors.provenance}
    created = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return write_finding_report(out, title, model, created)


def _ask(predictor: FindingPredictor, options: FindingOptions) -> Question:
    from zerosight.recognise import DEFAULT_LABELS

    labels = DEFAULT_LABELS if options.labels is None else options.labels.split(",")
    return predictor.ask(labels, descriptions=options.descriptions, mode=options.mode, write=options.write)


def _tell(result: FindingPrediction | Failure, as_json: bool) -> None:
    if as_json:
        print_json(result.to_json())
    elif isinstance(result, Failure):
        messages.print(f"skipped: {result.error}", markup=False)
