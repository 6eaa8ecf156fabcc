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

from zerosight.cli.console import messages, print_json, progress, refuse
from zerosight.cli.predict_findings import FindingOptions, Run, predict_findings
from zerosight.types import Failure

if TYPE_CHECKING:
    from zerosight.predict import Predictor, Scored
    from zerosight.report.writer import ResultWriter


class Precision(StrEnum):
    """How to compute."""

    exact = "exact"
    fast = "fast"


class Mode(StrEnum):
    """How findings are scored."""

    cosine = "cosine"
    vs_normal = "vs-normal"
    pos_neg = "pos-neg"


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
    tile: Annotated[
        int | None, typer.Option(min=0, help="side of tiles for large images, pixels; 0: the model's input")
    ] = None,
    overlap: Annotated[
        float, typer.Option(min=0, max=0.9, help="share that neighbouring tiles share")
    ] = 0.25,
    on_error: Annotated[OnError, typer.Option(help="what to do about an unreadable image")] = OnError.skip,
    resume: Annotated[bool, typer.Option("--resume", help="go on with an interrupted run")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the results in --out")] = False,
    report: Annotated[bool, typer.Option(help="write pictures and report.html")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON line per image")] = False,
    labels: Annotated[
        str | None, typer.Option(help="findings in chest X-rays, joined by commas (ChestX-ray14's)")
    ] = None,
    descriptions: Annotated[
        Path | None, typer.Option(help="file that describes further findings (see 'zerosight anchors')")
    ] = None,
    write_descriptions: Annotated[
        bool, typer.Option("--write-descriptions", help="let the language model describe unknown findings")
    ] = False,
    mode: Annotated[Mode | None, typer.Option(help="how findings are scored (the model's)")] = None,
    maps: Annotated[bool, typer.Option(help="make maps of findings")] = True,
) -> None:
    """Score images, outline what is unusual in them, and write a report to look at.

    With a model such as radz-tiny: score findings in chest X-rays (PNG, JPEG, DICOM), for research only.

    Examples:

      zerosight predict photos/ --out results

      zerosight predict part.jpg --json

      zerosight predict wafers/ --tile 640 --out results

      zerosight predict chests/ --model radz-tiny --labels "pneumonia, pleural effusion" --out results

      find . -name '*.png' | zerosight predict - --out results --resume
    """
    import zerosight
    from zerosight.models.catalog import recognises_findings

    if out is None and not as_json:
        out = Path("zerosight-results")
    run = Run(out, resume, overwrite, on_error.value, report, as_json)
    if recognises_findings(model):
        refuse("a model of findings", tile=tile, pixel_threshold=pixel_threshold, compile=compile or None)
        options = FindingOptions(
            labels, descriptions, mode.value if mode else None, write_descriptions, maps, threshold
        )
        images = list(_images(paths, set()))
        predict_findings(zerosight.load_findings(model, device, batch_size), images, options, run)
        return
    refuse("a model of anomalies", labels=labels, descriptions=descriptions, mode=mode)
    predictor = zerosight.load(model, device, batch_size, precision.value, compile)
    settings: dict[str, Any] = {} if precision is Precision.exact else {"precision": precision.value}
    if tile is not None:
        predictor = predictor.tiled(tile or None, overlap)
        settings |= {"tile": tile, "overlap": overlap}
    thresholds = {"threshold": threshold, "pixel_threshold": pixel_threshold}
    _find_anomalies(predictor, paths, thresholds, settings, run)


def _find_anomalies(
    predictor: Predictor,
    paths: list[str],
    thresholds: dict[str, float | None],
    settings: dict[str, Any],
    run: Run,
) -> None:
    """Score images for anomalies and write results."""
    from zerosight.report.writer import ResultWriter

    model = {"model": predictor.card.name, "weights": predictor.card.weights_sha256}
    settings = model | thresholds | settings
    out = run.out
    writer = ResultWriter(out, resume=run.resume, overwrite=run.overwrite, settings=settings) if out else None
    images = list(_images(paths, writer.done if writer else set()))
    with writer or nullcontext(), progress("images", quiet=run.as_json) as bar:
        task = bar.add_task("scoring", total=len(images))
        found = predictor.stream(images, on_error=run.on_error, **thresholds)
        counts = _consume(found, writer, run.report, run.as_json, lambda: bar.advance(task))
    if out and run.report:
        write_page(out, predictor, "Anomaly report")
    if not run.as_json:
        _summarise(counts, len(writer.done) if writer else 0, out, run.report)
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
