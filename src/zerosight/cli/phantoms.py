"""``zerosight data phantoms``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosight.cli.console import messages, print_json, progress
from zerosight.errors import OutputError

if TYPE_CHECKING:
    import numpy as np


def phantoms(
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for images and manifest.jsonl")],
    count: Annotated[int, typer.Option(min=1, help="number of images; about half show no finding")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="same seed, same bytes")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="processes; 0 for all cores")] = 0,
    size: Annotated[int, typer.Option(help="height and width in pixels")] = 320,
    masks: Annotated[
        bool, typer.Option("--masks", help="also write where findings and lungs are, for judging maps")
    ] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="also a picture, JPEG or PNG, of one phantom per common finding")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Draw chest X-rays by procedure, with findings, labels and reports; for trials, not for diagnosis.

    Example: zerosight data phantoms --out phantoms --count 4000
    """
    from zerosight.synthesis.chests import contact_sheet, write_phantoms

    form = _format(sheet)
    with progress("images", quiet=as_json) as bar:
        task = bar.add_task("drawing", total=count)
        manifest = write_phantoms(
            out,
            count,
            seed,
            size,
            workers,
            lambda done, total: bar.update(task, completed=done, total=total),
            masks=masks,
        )
    if sheet is not None:
        _save(contact_sheet(seed), sheet, form)
    if as_json:
        print_json({"manifest": str(manifest), "count": count})
    else:
        messages.print(f"{count} images: {manifest}", soft_wrap=True, markup=False)


def _format(path: Path | None) -> str:
    """Return the format that a picture's name says."""
    form = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}.get(path.suffix.lower() if path else ".png")
    if form is None:
        raise OutputError(f"{path}: should end in .jpg or .png")
    return form


def _save(picture: np.ndarray, path: Path, form: str) -> None:
    """Write a picture."""
    import io

    from PIL import Image

    from zerosight.files import write_atomically

    data = io.BytesIO()
    Image.fromarray(picture).save(data, form, quality=85)
    write_atomically(path, data.getvalue())
