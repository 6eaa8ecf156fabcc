"""``zerosight benchmark serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from zerosight.cli.console import messages, print_json


def serve(
    model: Annotated[str, typer.Option(help="a model of anomalies")] = "vip2clip-lite",
    clients: Annotated[int, typer.Option(min=1, max=1000, help="at once")] = 200,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="of load")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Put a server on this machine under load, beside the plain library; every answer is checked.

    Example: zerosight benchmark serve --clients 200 --seconds 60
    """
    from zerosight.benchmark.machine import machine
    from zerosight.benchmark.serve import benchmark_serve

    row = benchmark_serve(model, clients, seconds, tell=lambda what: messages.print(f"measuring {what} …"))
    if as_json:
        print_json({"machine": machine(), "serve": row.to_json()})
        return
    library = " and ".join(f"{rate:.1f}" for rate in row.library_rate)
    for line in (
        f"{row.images} images by {row.clients} clients: {row.wrong} wrong, {row.lost} lost, "
        f"{row.failed} failed, {row.refused} told to come back",
        f"{row.rate:.1f} images/s; the library {library} before and after: {row.share:.2f} of it",
        f"under load p50 {row.p50_ms:.0f} ms, p95 {row.p95_ms:.0f} ms",
        f"one client {row.single_ms:.1f} ms, the library {row.library_single_ms:.1f} ms",
        f"memory {row.memory_mb[0]:.0f} MB a quarter into the load, {row.memory_mb[1]:.0f} MB at its end",
        str(machine()),
    ):
        messages.print(line, soft_wrap=True, markup=False)
