"""``zerosight calibrate``: what is asked of every model; what it finds decides the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any

import typer

from zerosight.choices import Arithmetic, ScoreMode
from zerosight.cli.evaluate import words
from zerosight.cli.options import Device


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """What the command line says, whatever the model finds; None was not given.

    Attributes:
        paths: Normal images or folders; for findings, one data set.
        model: A shipped model's name or a folder.
        out: The model folder to write.
        device: Where the model runs.
        as_json: Print JSON.
        false_alarms: Share of normal images that may be called anomalous, in [0, 0.5].
        tile: Side of tiles in pixels, as for predict.
        overlap: Share that neighbouring tiles share; None takes 0.25.
        precision: How anomalies are computed, as for predict.
        overwrite: Replace a model folder.
        rows: Settings that choose rows and labels of findings, by name.
        only_maps: Of findings, only say which maps are worth showing.
    """

    paths: list[str]
    model: str
    out: Path
    device: str
    as_json: bool
    false_alarms: float | None
    tile: int | None
    overlap: float | None
    precision: Arithmetic
    overwrite: bool
    rows: dict[str, Any]
    only_maps: bool = False


def calibrate(
    paths: Annotated[
        list[str],
        typer.Argument(help="your own NORMAL images or folders; for findings, LAYOUT:ROOT or a manifest"),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="the model folder, or the exported file, to write")
    ],
    model: Annotated[
        str, typer.Option(help="a shipped model, a model folder or an exported file")
    ] = "vip2clip-lite",
    false_alarms: Annotated[
        float | None,
        typer.Option(min=0, max=0.5, help="share of normal images that may be called anomalous (0.05)"),
    ] = None,
    device: Device = "auto",
    tile: Annotated[
        int | None, typer.Option(min=0, help="side of tiles for large images, as for predict")
    ] = None,
    overlap: Annotated[
        float | None, typer.Option(min=0, max=0.9, help="share that neighbouring tiles share (0.25)")
    ] = None,
    precision: Annotated[
        Arithmetic, typer.Option(help="as for predict: thresholds hold for scores computed alike")
    ] = "exact",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a model folder at --out")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    split: Annotated[
        list[str] | None, typer.Option(help="parts of the labelled data (val, validation)")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="findings to calibrate, by commas, each LABEL or LABEL=FINDING (all)")
    ] = None,
    views: Annotated[list[str] | None, typer.Option(help="only these views, such as frontal")] = None,
    mode: Annotated[ScoreMode | None, typer.Option(help="how findings are scored (the model's)")] = None,
    only_maps: Annotated[
        bool,
        typer.Option("--only-maps", help="of findings, only choose whose maps are shown, by masks or boxes"),
    ] = False,
) -> None:
    """Set a model's thresholds from normal images of your own; no anomalous image is needed.

    With a model such as radz-tiny: fit probabilities and thresholds of findings to labelled images; where
    these say where findings are, also choose of which ones maps are shown.

    Examples:

      zerosight calibrate good_parts/ --out my-model

      zerosight calibrate good_parts/ --model parts.onnx --out calibrated.onnx

      zerosight calibrate chests.jsonl --model radz-tiny --split val --out my-radz

      zerosight calibrate boxes.jsonl --model my-radz --split train --only-maps --out my-radz-maps
    """
    from zerosight.models.catalog import task_of

    options = CalibrateOptions(
        paths=paths,
        model=model,
        out=out,
        device=device,
        as_json=as_json,
        false_alarms=false_alarms,
        tile=tile,
        overlap=overlap,
        precision=precision,
        overwrite=overwrite,
        rows={
            "splits": words(split),
            "labels": None if labels is None else words([labels]),
            "views": words(views),
            "mode": mode,
        },
        only_maps=only_maps,
    )
    resolve_name(task_of(model).calibrate)(options)
