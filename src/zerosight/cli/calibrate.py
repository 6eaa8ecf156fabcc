"""``zerosight calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosight.cli.console import messages, print_json, progress


def calibrate(
    paths: Annotated[list[str], typer.Argument(help="images or folders of your own NORMAL images")],
    out: Annotated[Path, typer.Option(help="the model folder to write")],
    model: Annotated[str, typer.Option(help="a shipped model or a model folder")] = "vip2clip-lite",
    false_alarms: Annotated[
        float, typer.Option(min=0, max=0.5, help="share of normal images that may be called anomalous")
    ] = 0.05,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1")] = "cpu",
    tile: Annotated[
        int | None, typer.Option(min=0, help="side of tiles for large images, as for predict")
    ] = None,
    overlap: Annotated[
        float, typer.Option(min=0, max=0.9, help="share that neighbouring tiles share")
    ] = 0.25,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Set a model's thresholds from normal images of your own; no anomalous image is needed.

    Example: zerosight calibrate good_parts/ --out my-model
    """
    import zerosight
    from zerosight.calibrate import calibrated_card
    from zerosight.data.find import find_images
    from zerosight.models.folder import copy_model

    images = list(find_images(paths))
    predictor = zerosight.load(model, device)
    if tile is not None:
        predictor = predictor.tiled(tile or None, overlap)
    with progress("images", quiet=as_json) as bar:
        task = bar.add_task("scoring", total=len(images))
        found = bar.track(predictor.predict(images), task_id=task, total=len(images))
        card = calibrated_card(predictor.card.model_copy(update={"name": out.name}), found, false_alarms)
    copy_model(model, card, out)
    if as_json:
        print_json(card.thresholds.model_dump())
        return
    chosen = card.thresholds
    messages.print(f"image threshold {chosen.image:.4f}, pixel threshold {chosen.pixel:.4f}: {chosen.source}")
    messages.print(f"next: zerosight predict PHOTOS --model {out}", soft_wrap=True)
