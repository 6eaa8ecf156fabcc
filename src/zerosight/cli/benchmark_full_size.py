"""``zerosight benchmark full-size``."""

from __future__ import annotations

from typing import Annotated

import typer

from zerosight.cli.console import messages, print_json
from zerosight.cli.options import AsJson


def full_size(
    case: Annotated[
        list[str] | None,
        typer.Option(
            "--case",
            help="SmolVLM-256M, SmolVLM-500M, llava-interleave-qwen-0.5b or llava-1.5-7b (2 of its 32 "
            "layers); repeatable (all)",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Time and memory of language models of true size, with random weights: training, scores and maps.

    Writes up to 2.5 GB to the temporary folder for a while, and holds up to 12 GB of memory.

    Example: zerosight benchmark full-size --case SmolVLM-256M
    """
    from zerosight.benchmark.machine import machine
    from zerosight.benchmark.radz.full_size import benchmark_full_size
    from zerosight.benchmark.radz.shapes import SHAPES
    from zerosight.benchmark.radz.tables import full_size_table
    from zerosight.errors import ConfigError, did_you_mean

    for name in case or ():
        if name not in SHAPES:
            raise ConfigError(
                f"--case: '{name}' is not known{did_you_mean(name, SHAPES)}; {', '.join(SHAPES)}"
            )

    def tell(what: str) -> None:
        messages.print(f"{what} …")

    rows = [benchmark_full_size(name, tell) for name in case or SHAPES]
    if as_json:
        print_json({"machine": machine(), "full_size": [row.to_json() for row in rows]})
        return
    messages.print(full_size_table(rows).markdown(), soft_wrap=True, markup=False)
    messages.print(str(machine()), soft_wrap=True, markup=False)
