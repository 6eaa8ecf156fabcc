"""``zerosight benchmark scale``."""

from __future__ import annotations

from typing import Annotated

import typer

from zerosight.cli.console import messages, print_json


def scale(
    model: Annotated[str, typer.Option(help="a model of anomalies")] = "vip2clip-lite",
    on: Annotated[str, typer.Option(help="ray, or ray://HOST:PORT")] = "ray",
    images: Annotated[int, typer.Option(min=1, help="JPEG files that are made for it")] = 1000,
    workers: Annotated[list[int] | None, typer.Option(min=1, help="models; repeatable (1 and 2)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Time the same files in the plain loop and on a Ray cluster of this machine.

    Example: OMP_NUM_THREADS=1 zerosight benchmark scale
    """
    from zerosight.benchmark.machine import machine
    from zerosight.benchmark.scale import benchmark_scale

    rows = benchmark_scale(
        model, on, images, workers or (1, 2), tell=lambda what: messages.print(f"measuring {what} …")
    )
    if as_json:
        print_json({"machine": machine(), "scale": [row.to_json() for row in rows]})
        return
    local = rows[0].rate
    for row in rows:
        more = 1000 / row.rate - 1000 / local
        messages.print(
            f"{row.way}: first results after {row.first_seconds:.1f} s, then {row.rate:.1f} images/s, "
            f"{row.rate / local:.2f} × the plain loop ({more:+.1f} ms an image)"
        )
    messages.print(str(machine()), soft_wrap=True)
