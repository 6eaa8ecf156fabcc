"""``zerosight export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosight.choices import GraphFormat, Precision
from zerosight.cli.console import messages, print_json, refuse


def export(
    out: Annotated[Path, typer.Option("-o", "--out", help="the file to write: .onnx, or .xml for OpenVINO")],
    model: Annotated[str, typer.Option(help="a shipped model or a model folder")] = "vip2clip-lite",
    format: Annotated[GraphFormat, typer.Option("--format", help="for which runtime")] = "onnx",
    precision: Annotated[Precision, typer.Option(help="of the weights; int8 computes in it")] = "fp32",
    size: Annotated[int | None, typer.Option(help="input size in pixels (the model's)")] = None,
    calibration: Annotated[
        list[str] | None, typer.Option(help="int8: images or folders like those to come; repeatable")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Write a model as one graph from pixels to score and map, checked against the model.

    Examples:

      zerosight export --out lite.onnx

      zerosight export --format openvino --precision int8 --calibration photos/ --out lite.xml
    """
    if precision != "int8":
        refuse(f"--precision {precision}; it is for int8", calibration=calibration)
    from zerosight.export import ExportConfig, export_model

    values = {"calibration": tuple(calibration)} if calibration else {}
    settings = {
        "out": out,
        "model": model,
        "format": format,
        "precision": precision,
        "size": size,
    }
    done = export_model(ExportConfig.parse(settings | values, "export"))
    if as_json:
        print_json(done.to_json())
        return
    found = done.agreement
    messages.print(
        f"{done.path}: {done.megabytes:.1f} MB, uint8 (batch, {done.size}, {done.size}, 3) to score and map",
        soft_wrap=True,
    )
    messages.print(
        f"largest difference from the model over {found.images} images: score {found.score:.1e}, "
        f"map {found.map:.1e}; maps correlate by {found.correlation:.5f}",
        soft_wrap=True,
    )
    messages.print(f"next: zerosight predict PHOTOS --model {done.path}", soft_wrap=True)
