"""``zerosight benchmark radz``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zerosight.cli.console import messages, print_json

if TYPE_CHECKING:
    from zerosight.benchmark.radz.run import RadzBenchmark


def radz(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="random:llava-like, random:llava, lite, a shipped model or a model folder; repeatable"
        ),
    ] = None,
    layers: Annotated[int, typer.Option(help="decoder layers of random:llava-like")] = 8,
    width: Annotated[int, typer.Option(help="decoder width of random:llava-like")] = 512,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
) -> None:
    """Time LLaVA-RadZ: speed, more findings, stopping early and large batches in little memory.

    Takes minutes. Random weights do: speed and memory do not depend on them.

    Example: zerosight benchmark radz --model random:llava-like --model radz-tiny
    """
    from zerosight.benchmark.machine import machine
    from zerosight.benchmark.radz.run import benchmark_radz
    from zerosight.benchmark.radz.workloads import LLAVA_LIKE, Sizes, Workload

    sizes = Sizes(layers=layers, width=width)
    results = [benchmark_radz(Workload(name, sizes), messages.print) for name in model or [LLAVA_LIKE]]
    if as_json:
        print_json({"machine": machine(), "models": [result.to_json() for result in results]})
    elif markdown:
        facts = ", ".join(f"{key} {_plain(value)}" for key, value in machine().items())
        typer.echo("\n\n".join([f"Measured on: {facts}.", *map(_markdown, results)]))
    else:
        for result in results:
            _show(result)


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _markdown(result: RadzBenchmark) -> str:
    from zerosight.benchmark.radz.tables import radz_tables

    return "\n\n".join(table.markdown("###", escape=False) for table in radz_tables(result))


def _show(result: RadzBenchmark) -> None:
    from zerosight.benchmark.radz.tables import radz_tables

    for table in radz_tables(result):
        messages.print(table.rich())
