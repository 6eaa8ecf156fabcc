"""``zerosight benchmark scale``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zerosight.cli.console import messages, print_json

if TYPE_CHECKING:
    from zerosight.benchmark.scale import ScaleRow
    from zerosight.report.table import Table


def scale(
    model: Annotated[
        str, typer.Option(help="a model of anomalies; random:tiny: one that takes hardly any time")
    ] = "vip2clip-lite",
    on: Annotated[str, typer.Option(help="ray, or ray://HOST:PORT")] = "ray",
    images: Annotated[
        list[int] | None, typer.Option(min=1, help="JPEG files that are made for it; repeatable (1000)")
    ] = None,
    size: Annotated[tuple[int, int], typer.Option(help="their width and height")] = (640, 480),
    workers: Annotated[list[int] | None, typer.Option(min=1, help="models; repeatable (1 and 2)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Time the same files in the plain loop and on a Ray cluster of this machine.

    Examples:

      OMP_NUM_THREADS=1 zerosight benchmark scale

      zerosight benchmark scale --model random:tiny --size 64 64 --images 1000 --images 10000
    """
    from zerosight.benchmark.machine import machine
    from zerosight.benchmark.scale import benchmark_scale

    def tell(what: str) -> None:
        messages.print(f"measuring {what} …")

    rows = benchmark_scale(model, on, images or (1000,), workers or (1, 2), size, tell)
    if as_json:
        print_json({"machine": machine(), "scale": [row.to_json() for row in rows]})
        return
    messages.print(_table(rows).markdown(), soft_wrap=True, markup=False)
    messages.print(str(machine()), soft_wrap=True, markup=False)


def _table(rows: list[ScaleRow]) -> Table:
    """Return what was measured, each way of Ray beside the plain loop over as many images."""
    from zerosight.report.table import Table

    local = {row.images: row.rate for row in rows if row.way == "local"}

    def number(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    lines = tuple(
        (
            row.way,
            f"{row.images:,}",
            f"{row.first_seconds:.1f}",
            f"{row.rate:.1f}",
            f"{row.rate / local[row.images]:.2f}",
            number(row.loaded_mb, ",.0f"),
            number(row.model_mb, ",.0f"),
            number(row.driver_mb, ",.0f"),
            number(row.table_mb, ".2f"),
            number(row.resume_seconds, ".1f"),
        )
        for row in rows
    )
    columns = (
        "way",
        "images",
        "first results after, s",
        "images/s from then on",
        "to the plain loop",
        "model loaded, MB",
        "model's peak, MB",
        "driver's peak, MB",
        "table, MB",
        "--resume, s",
    )
    return Table(columns, lines)
