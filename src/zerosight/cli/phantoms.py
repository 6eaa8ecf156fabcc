"""``zerosight data phantoms``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosight.cli.console import messages, print_json, progress


def phantoms(
    out: Annotated[Path, typer.Option(help="folder for images and manifest.jsonl")],
    count: Annotated[int, typer.Option(min=1, help="number of images; about half show no finding")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="same seed, same bytes")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="processes; 0 for all cores")] = 0,
    size: Annotated[int, typer.Option(help="height and width in pixels")] = 320,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Draw chest X-rays by procedure, with findings, labels and reports; for trials, not for diagnosis.

    Example: zerosight data phantoms --out phantoms --count 4000
    """
    from zerosight.data.synthetic.chest import write_phantoms

    with progress("images", quiet=as_json) as bar:
        task = bar.add_task("drawing", total=count)
        manifest = write_phantoms(
            out, count, seed, size, workers, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if as_json:
        print_json({"manifest": str(manifest), "count": count})
    else:
        messages.print(f"{count} images: {manifest}", soft_wrap=True, markup=False)
