"""``zerosight benchmark photographs``."""

from __future__ import annotations

from typing import Annotated

import typer

from zerosight.cli.console import messages, print_json


def photographs(
    model: Annotated[str, typer.Option(help="a model of anomalies")] = "vip2clip-lite",
    megapixels: Annotated[
        list[float] | None, typer.Option(help="of each photograph; repeatable (6, 24, 50 and 100)")
    ] = None,
    images: Annotated[int, typer.Option(min=1, max=1000, help="photographs of each size")] = 6,
    runtime: Annotated[str, typer.Option(help="as of zerosight predict")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Measure the memory of `zerosight predict` for photographs of several sizes, each in a fresh process.

    Example: zerosight benchmark photographs --megapixels 24
    """
    from zerosight.benchmark.machine import machine
    from zerosight.benchmark.photographs import MEGAPIXELS, benchmark_photographs
    from zerosight.report.table import Table

    def tell(what: str) -> None:
        messages.print(f"measuring {what} …")

    options = ("--runtime", runtime)
    rows = list(benchmark_photographs(model, megapixels or MEGAPIXELS, images, options, tell))
    if as_json:
        print_json({"machine": machine(), "photographs": [row.to_json() for row in rows]})
        return
    lines = tuple(
        (
            f"{row.width} × {row.height} ({row.width * row.height / 1e6:.1f} MP)",
            f"{row.images}",
            f"{row.peak_mb:,.0f}",
            f"{row.above_mb:+,.0f}",
            f"{row.seconds:.0f}",
        )
        for row in rows
    )
    columns = ("JPEG photographs", "images", "peak, MB", "above the small ones, MB", "seconds")
    messages.print(Table(columns, lines).markdown(), soft_wrap=True, markup=False)
    messages.print(str(machine()), soft_wrap=True, markup=False)
