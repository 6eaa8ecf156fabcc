"""``zerosight predict``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosight.cli.console import messages, print_json, progress
from zerosight.types import Failure

if TYPE_CHECKING:
    from zerosight.predict import Predictor, Scored
    from zerosight.report.writer import ResultWriter


class Precision(StrEnum):
    """How to compute."""

    exact = "exact"
    fast = "fast"


class OnError(StrEnum):
    """What to do about an image that cannot be read."""

    stop = "stop"
    skip = "skip"


def predict(
    paths: Annotated[list[str], typer.Argument(help="images, folders, patterns; - reads a list from stdin")],
    out: Annotated[Path | None, typer.Option(help="folder for results and report.html")] = None,
    model: Annotated[str, typer.Option(help="a shipped model or a model folder")] = "vip2clip-lite",
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="scores at or above it are anomalous (the model's)")
    ] = None,
    pixel_threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="map values at or above it form regions (the model's)")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1")] = "cpu",
    batch_size: Annotated[int, typer.Option(min=1, help="images per pass")] = 8,
    precision: Annotated[
        Precision, typer.Option(help="fast: image tower in bf16; scores move by hundredths")
    ] = Precision.exact,
    compile: Annotated[
        bool, typer.Option("--compile", help="let torch.compile translate the model first")
    ] = False,
    on_error: Annotated[OnError, typer.Option(help="what to do about an unreadable image")] = OnError.skip,
    resume: Annotated[bool, typer.Option("--resume", help="go on with an interrupted run")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the results in --out")] = False,
    report: Annotated[bool, typer.Option(help="write pictures and report.html")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON line per image")] = False,
) -> None:
    """Score images, outline what is unusual in them, and write a report to look at.

    Examples:

      zerosight predict photos/ --out results

      zerosight predict part.jpg --json

      find . -name '*.png' | zerosight predict - --out results --resume
    """
    import zerosight
    from zerosight.report.writer import ResultWriter

    if out is None and not as_json:
        out = Path("zerosight-results")
    predictor = zerosight.load(model, device, batch_size, precision.value, compile)
    thresholds = {"threshold": threshold, "pixel_threshold": pixel_threshold}
    settings = {"model": predictor.card.name, "weights": predictor.card.weights_sha256} | thresholds
    writer = ResultWriter(out, resume=resume, overwrite=overwrite, settings=settings) if out else None
    images = list(_images(paths, writer.done if writer else set()))
    with writer or nullcontext(), progress("images", quiet=as_json) as bar:
        task = bar.add_task("scoring", total=len(images))
        found = predictor.stream(images, on_error=on_error.value, **thresholds)
        counts = _consume(found, writer, report, as_json, lambda: bar.advance(task))
    if out and report:
        write_page(out, predictor, "Anomaly report")
    if not as_json:
        _summarise(counts, len(writer.done) if writer else 0, out, report)
    if counts["failed"] and not counts["scored"]:
        raise typer.Exit(1)


def _images(paths: Iterable[str], done: set[str]) -> Iterator[Path]:
    from zerosight.data.find import find_images

    for path in paths:
        names = (line.rstrip("\n") for line in sys.stdin) if path == "-" else [path]
        yield from (image for image in find_images([n for n in names if n]) if str(image) not in done)


def _consume(
    found: Iterable[Scored], writer: ResultWriter | None, report: bool, as_json: bool, advance: Any
) -> dict[str, int]:
    counts = {"scored": 0, "anomalous": 0, "failed": 0}
    for scored in found:
        result = scored.result
        if writer:
            writer.add(result, scored.image if report else None)
        if as_json:
            print_json(result.to_json())
        if isinstance(result, Failure):
            counts["failed"] += 1
            if not as_json:
                messages.print(f"skipped: {result.error}", markup=False)
        else:
            counts["scored"] += 1
            counts["anomalous"] += result.is_anomalous
        advance()
    return counts


def write_page(out: Path, predictor: Predictor, title: str) -> Path:
    """Write report.html for a folder of results and return its path."""
    from zerosight.report.html import write_report

    card = predictor.card
    model = {
        "name": card.name,
        "backbone": card.backbone.kind,
        "image threshold": card.thresholds.image,
        "pixel threshold": card.thresholds.pixel,
        "thresholds chosen on": card.thresholds.source,
    }
    created = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return write_report(out, title, model, created, notice=card.intended_use)


def _summarise(counts: dict[str, int], total: int, out: Path | None, report: bool) -> None:
    parts = [f"{counts['scored']} images scored", f"{counts['anomalous']} anomalous"]
    if counts["failed"]:
        parts.append(f"{counts['failed']} could not be read")
    if total > counts["scored"]:
        parts.append(f"{total} in all with what was there")
    messages.print(", ".join(parts))
    if out:
        messages.print(
            f"results: {out / 'report.html' if report else out / 'predictions.csv'}", soft_wrap=True
        )
