"""``zerosight verify``: hold our numbers to published ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosight.cli.console import messages, print_json
from zerosight.cli.options import AsJson

if TYPE_CHECKING:
    from zerosight.verify.report import Difference

app = typer.Typer(help="Hold our numbers to those of the published implementations.", no_args_is_help=True)


@app.command()
def vip2clip(
    prefix: Annotated[Path, typer.Argument(help="PREFIX of PREFIX.npz and PREFIX.json")],
    as_json: AsJson = False,
) -> None:
    """Features, text, cosines, maps, losses, gradients and one Adam step of ViP²-CLIP."""
    from zerosight.verify.vip2clip import verify_vip2clip

    _print(verify_vip2clip(prefix), as_json)


@app.command()
def preprocess(
    file: Annotated[Path, typer.Argument(help="an .npz file with in_MODE and out_MODE arrays")],
    as_json: AsJson = False,
) -> None:
    """The image and mask transform."""
    from zerosight.verify.preprocess import verify_preprocess

    _print(verify_preprocess(file), as_json)


@app.command()
def metrics(
    prefix: Annotated[Path, typer.Argument(help="PREFIX of PREFIX.npz and PREFIX.json")],
    as_json: AsJson = False,
) -> None:
    """Image and pixel metrics, the published AUPRO among them."""
    from zerosight.verify.metrics import verify_metrics
    from zerosight.verify.report import Difference

    _print([Difference(name, value) for name, value in verify_metrics(prefix).items()], as_json)


@app.command()
def radz(
    prefix: Annotated[Path, typer.Argument(help="PREFIX of PREFIX.npz and PREFIX.json")],
    as_json: AsJson = False,
) -> None:
    """Losses of LLaVA-RadZ: alignment in both directions, global and local, and categories."""
    from zerosight.verify.radz import verify_radz

    _print(verify_radz(prefix), as_json)


def _print(found: Sequence[Difference], as_json: bool) -> None:
    if as_json:
        print_json({"ok": all(d.ok for d in found), "arrays": [d.to_json() for d in found]})
    else:
        from zerosight.report.table import Table

        rows = []
        for d in found:
            kind = " (relative)" if d.relative else ""
            rows.append((d.name, f"{d.largest:.2e}{kind}", f"{d.tolerance:.0e}", "ok" if d.ok else "differs"))
        table = Table(("array", "largest difference", "allowed", ""), tuple(rows), words=(0, 3))
        messages.print(table.rich())
    if not all(d.ok for d in found):
        raise typer.Exit(1)
