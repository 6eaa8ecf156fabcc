"""``zerosight predict``: what every model is asked; what it finds decides the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated

import typer

from zerosight.choices import (
    Annotations,
    Arithmetic,
    AugmentChoice,
    MapName,
    OnError,
    Pictures,
    RawMaps,
    Runtime,
    ScoreMode,
)
from zerosight.cli.console import refuse
from zerosight.cli.options import DEFAULT_MODEL, MAP_COSTS, Backbone, Device, Model, chosen_model
from zerosight.cli.predict_options import AnomalyOptions, FindingOptions, Parquet, PredictOptions
from zerosight.errors import ConfigError, one_line

if TYPE_CHECKING:
    from zerosight.report.mirror import Mirror


def _seconds(text: str) -> float:
    """Return a time such as ``1s``, ``500ms`` or ``2`` in seconds.

    >>> _seconds("500ms"), _seconds("2")
    (0.5, 2.0)
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+) ?(ms|s|min|)", text.strip())
    value = float(found[1]) * {"ms": 1e-3, "min": 60.0}.get(found[2], 1.0) if found else 0.0
    if value < 0.001:
        raise ConfigError(f"--every: is a time such as 1s, 500ms or 2min, got {one_line(text, 40)!r}")
    return value


def predict(
    paths: Annotated[
        list[str], typer.Argument(help="images, folders, patterns, addresses (s3://…); - reads a list")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            help="folder or s3://… for results and report.html (zerosight-results, or none with --json)",
        ),
    ] = None,
    model: Model = DEFAULT_MODEL,
    backbone: Backbone = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="scores at or above it are anomalous (the model's)")
    ] = None,
    pixel_threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="map values at or above it form regions (the model's)")
    ] = None,
    device: Device = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="images per pass")] = 8,
    precision: Annotated[
        Arithmetic | None,
        typer.Option(help="exact, or fast: image tower in bf16; scores move by hundredths (exact)"),
    ] = None,
    compile: Annotated[
        bool, typer.Option("--compile", help="let torch.compile translate the model first")
    ] = False,
    runtime: Annotated[
        Runtime,
        typer.Option(
            envvar="ZEROSIGHT_RUNTIME",
            help="torch; onnx or openvino: by a graph that is made once and kept; auto: such a graph of a "
            "shipped model where ONNX Runtime or OpenVINO is installed",
        ),
    ] = "auto",
    tile: Annotated[
        int | None, typer.Option(min=0, help="side of tiles for large images, pixels; 0: the model's input")
    ] = None,
    overlap: Annotated[
        float | None, typer.Option(min=0, max=0.9, help="share that neighbouring tiles share (0.25)")
    ] = None,
    normals: Annotated[
        list[str] | None,
        typer.Option(help="good images of the same kind to compare with (see 'zerosight fit')"),
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="with --normals: share of good images that may be called anomalous")
    ] = None,
    normals_folder: Annotated[
        Path | None,
        typer.Option(
            help="where the good images of a fitted model lie now, to show what it should look like"
        ),
    ] = None,
    augment: Annotated[
        AugmentChoice | None,
        typer.Option(help="with --normals: compare with turned copies, too; auto: where that helps (none)"),
    ] = None,
    batch_reference: Annotated[
        bool,
        typer.Option("--batch-reference", help="judge the images by each other, where few are anomalous"),
    ] = False,
    maps: Annotated[
        RawMaps | None, typer.Option(help="also write maps as numbers, float32 in [0, 1], to --out/maps")
    ] = None,
    masks: Annotated[
        bool, typer.Option("--masks", help="also write what is anomalous as masks, to --out/masks")
    ] = False,
    pictures: Annotated[
        Pictures | None,
        typer.Option(
            help="draw heatmap, outline and preview of all, of anomalous images; or previews alone (all)"
        ),
    ] = None,
    colour_bar: Annotated[
        bool, typer.Option("--colour-bar", help="draw the scale of colours beside heatmaps")
    ] = False,
    annotations: Annotated[
        Annotations | None,
        typer.Option(help="also write regions as annotations to correct in another tool, to --out"),
    ] = None,
    on_error: Annotated[OnError, typer.Option(help="what to do about an unreadable image")] = "skip",
    resume: Annotated[bool, typer.Option("--resume", help="go on with an interrupted run")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the results in --out")] = False,
    report: Annotated[bool, typer.Option(help="write pictures (see --pictures) and report.html")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON line per image")] = False,
    parquet: Annotated[
        Parquet | None,
        typer.Option(help="also write predictions.parquet/: rows, or with maps as 16-bit PNG (none)"),
    ] = None,
    every: Annotated[
        str | None, typer.Option(help="time between pictures of videos, also of those in folders: 1s, 500ms")
    ] = None,
    on: Annotated[
        str | None, typer.Option(help="have a Ray cluster do it: ray, or ray://HOST:PORT; writes Parquet")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="with --on: models in the cluster (as many as have room)")
    ] = None,
    gpus: Annotated[
        float | None, typer.Option(min=0, help="with --on: GPUs of each model, such as 0.5 (1 where any)")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="findings in chest X-rays, joined by commas (ChestX-ray14's)")
    ] = None,
    descriptions: Annotated[
        Path | None, typer.Option(help="file that describes further findings (see 'zerosight anchors')")
    ] = None,
    write_descriptions: Annotated[
        bool, typer.Option("--write-descriptions", help="let the language model describe unknown findings")
    ] = False,
    mode: Annotated[ScoreMode | None, typer.Option(help="how findings are scored (the model's)")] = None,
    no_maps: Annotated[bool, typer.Option("--no-maps", help="make no maps of findings")] = False,
    map: Annotated[
        MapName | None, typer.Option(help=f"how maps of findings are made (the model's); {MAP_COSTS}")
    ] = None,
    all_maps: Annotated[
        bool,
        typer.Option(
            "--all-maps",
            help="also of findings below their threshold or hidden by the card, and of any image",
        ),
    ] = False,
    dicom: Annotated[
        str | None, typer.Option(help="findings as DICOM objects: sc (pictures), sr (report), or sc,sr")
    ] = None,
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="with --dicom: nothing of the patient, UIDs replaced")
    ] = False,
) -> None:
    """Score images, outline what is unusual in them, and write a report to look at.

    With a model such as radz-tiny: score findings in chest X-rays (PNG, JPEG, DICOM), for research only.

    Examples:

      zerosight predict photos/ --out results

      zerosight predict part.jpg --json

      zerosight predict photos/ --normals good_parts/ --out results

      zerosight predict photos/ --batch-reference --out results

      zerosight predict wafers/ --tile 640 --masks --maps tiff --out results

      zerosight predict photos/ --annotations label-studio --out results

      zerosight predict chests/ --model radz-tiny --labels "pneumonia, pleural effusion" --out results

      zerosight predict scans/ --model radz-tiny --dicom sc,sr --out results

      zerosight predict clip.mp4 --every 500ms --out results

      find . -name '*.png' | zerosight predict - --out results --resume

      zerosight predict s3://bucket/line-3 --on ray://head:10001 --out s3://bucket/results
    """
    model = chosen_model(model, backbone)
    if parquet and out is None and as_json:
        raise ConfigError("--parquet: is written into the folder of results; name one with --out")
    if on is None:
        refuse("a run without --on", workers=workers, gpus=gpus)
    elif as_json:
        raise ConfigError("--json: means nothing to a run with --on, which writes a Parquet table")
    if out is None and not as_json:
        out = "zerosight-results"
    if out is None:
        refuse("--json without --out", resume=resume or None, overwrite=overwrite or None)
    options = PredictOptions(
        paths,
        model,
        threshold=threshold,
        device=device,
        batch_size=batch_size,
        on_error=on_error,
        resume=resume,
        overwrite=overwrite,
        report=report,
        as_json=as_json,
        every=None if every is None else _seconds(every),
        parquet=parquet,
        on=on,
        workers=workers,
        gpus=gpus,
        anomalies=AnomalyOptions(
            pixel_threshold,
            precision,
            compile,
            runtime,
            tile,
            overlap,
            normals=tuple(normals or ()),
            alpha=alpha,
            normals_folder=normals_folder,
            batch_reference=batch_reference,
            augment=augment,
            pictures=pictures,
            colour_bar=colour_bar,
            masks=masks,
            numbers=maps,
            annotations=annotations,
        ),
        findings=FindingOptions(
            labels, descriptions, write_descriptions, mode, not no_maps, map, all_maps, dicom, deidentify
        ),
    )
    from zerosight.models.catalog import task_of

    with _results(out, resume, overwrite, paths) as (folder, mirror):
        resolve_name(task_of(model).predict)(replace(options, out=folder, mirror=mirror))


@contextmanager
def _results(
    out: str | None, resume: bool, overwrite: bool, paths: list[str]
) -> Iterator[tuple[Path | None, Mirror | None]]:
    """Give the folder to write results to, and what sends them on where they go to a store.

    Raises:
        ConfigError: The store holds the images in the same place, where results would be taken for images.
    """
    from zerosight.stores import is_address, local

    name = None if out is None else local(out)
    if name is None or not is_address(name):
        yield None if name is None else Path(name), None
        return
    for path in paths:
        if is_address(path) and f"{name.rstrip('/')}/".startswith(f"{path.rstrip('/')}/"):
            raise ConfigError(
                f"--out: lies below {one_line(path)}, where images are looked for; name another"
            )
    from zerosight.report.mirror import Mirror

    with Mirror(name, resume, overwrite) as mirror:
        yield mirror.folder, mirror
