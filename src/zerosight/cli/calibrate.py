"""``zerosight calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zerosight.cli.calibrate_findings import calibrate_findings
from zerosight.cli.console import messages, print_json, progress, refuse
from zerosight.cli.evaluation_run import words
from zerosight.cli.predict import Mode


def calibrate(
    paths: Annotated[
        list[str],
        typer.Argument(help="your own NORMAL images or folders; for findings, LAYOUT:ROOT or a manifest"),
    ],
    out: Annotated[Path, typer.Option(help="the model folder to write")],
    model: Annotated[str, typer.Option(help="a shipped model or a model folder")] = "vip2clip-lite",
    false_alarms: Annotated[
        float | None,
        typer.Option(min=0, max=0.5, help="share of normal images that may be called anomalous (0.05)"),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1")] = "cpu",
    tile: Annotated[
        int | None, typer.Option(min=0, help="side of tiles for large images, as for predict")
    ] = None,
    overlap: Annotated[
        float, typer.Option(min=0, max=0.9, help="share that neighbouring tiles share")
    ] = 0.25,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    split: Annotated[
        list[str] | None, typer.Option(help="parts of the labelled data (val, validation)")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="findings to calibrate, by commas, each LABEL or LABEL=FINDING (all)")
    ] = None,
    views: Annotated[list[str] | None, typer.Option(help="only these views, such as frontal")] = None,
    mode: Annotated[Mode | None, typer.Option(help="how findings are scored (the model's)")] = None,
) -> None:
    """Set a model's thresholds from normal images of your own; no anomalous image is needed.

    With a model such as radz-tiny: fit probabilities and thresholds of findings to labelled images.

    Examples:

      zerosight calibrate good_parts/ --out my-model

      zerosight calibrate chests.jsonl --model radz-tiny --split val --out my-radz
    """
    import zerosight
    from zerosight.calibrate import calibrated_card
    from zerosight.data.find import find_images
    from zerosight.models.catalog import recognises_findings
    from zerosight.models.folder import copy_model

    if recognises_findings(model):
        refuse("a model of findings", false_alarms=false_alarms, tile=tile)
        rows: dict[str, Any] = {"labels": None if labels is None else words([labels])}
        rows |= {
            "splits": words(split) or ("val", "validation"),
            "views": words(views),
            "mode": mode and mode.value,
        }
        calibrate_findings(paths, rows, (model, device), out, as_json)
        return
    refuse("a model of anomalies", split=split, labels=labels, views=views, mode=mode)
    images = list(find_images(paths))
    predictor = zerosight.load(model, device)
    if tile is not None:
        predictor = predictor.tiled(tile or None, overlap)
    with progress("images", quiet=as_json) as bar:
        task = bar.add_task("scoring", total=len(images))
        found = bar.track(predictor.predict(images), task_id=task, total=len(images))
        card = calibrated_card(
            predictor.card.model_copy(update={"name": out.name}),
            found,
            0.05 if false_alarms is None else false_alarms,
        )
    copy_model(model, card, out)
    if as_json:
        print_json(card.thresholds.model_dump())
        return
    chosen = card.thresholds
    messages.print(f"image threshold {chosen.image:.4f}, pixel threshold {chosen.pixel:.4f}: {chosen.source}")
    messages.print(f"next: zerosight predict PHOTOS --model {out}", soft_wrap=True)
