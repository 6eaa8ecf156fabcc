"""``zerosight protocol``: a paper's tables from its data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosight.cli.console import messages, print_json, progress
from zerosight.cli.settings import with_settings
from zerosight.cli.train import progress_callback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightning.pytorch import Callback
    from rich.progress import Progress, TaskID

    from zerosight.protocol import Pair, ProtocolRow

app = typer.Typer(help="Reproduce a paper's tables, from data to numbers.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the paper's name as a word of the command."""


@app.command()
def vip2clip(
    aux: Annotated[
        list[str], typer.Option(help="LAYOUT:ROOT or a manifest to train on (its test split); repeatable")
    ],
    out: Annotated[Path, typer.Option(help="folder for models, results and tables; goes on if interrupted")],
    test: Annotated[
        list[str] | None, typer.Option(help="LAYOUT:ROOT or a manifest to evaluate; repeatable")
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="paper, lite, tiny, or an open_clip model such as ViT-B-16@openai")
    ] = "paper",
    image_size: Annotated[int | None, typer.Option(help="input size in pixels")] = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the auxiliary data (10)")] = None,
    cache: Annotated[Path | None, typer.Option(help="folder for the frozen towers' outputs")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="any training setting, such as --set seed=1")
    ] = None,
    every_pair: Annotated[
        bool, typer.Option("--every-pair", help="evaluate every model on every other set")
    ] = False,
    batch_size: Annotated[int | None, typer.Option(help="images per pass of the evaluation (8)")] = None,
    workers: Annotated[int | None, typer.Option(help="threads that read images (4)")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Train ViP²-CLIP on each auxiliary set and evaluate it on the others, beside the published values.

    Each set is tested by the model of the first auxiliary set that is another one: with MVTec AD first and
    VisA second that is the paper's protocol. What is finished is not done again.

    Example: zerosight protocol vip2clip --aux mvtec_ad:/data/mvtec --aux visa:/data/visa --test
    brain_mri:/data/brain --out runs/paper
    """
    from zerosight.backbones.config import parse_backbone
    from zerosight.data.layouts import open_dataset
    from zerosight.evaluate import EvaluationConfig
    from zerosight.protocol import ProtocolConfig, ProtocolData, run_protocol

    data = ProtocolData.of([open_dataset(text) for text in aux], [open_dataset(text) for text in test or ()])
    training: dict[str, Any] = {"backbone": parse_backbone(backbone, image_size).model_dump()}
    if epochs is not None:
        training["epochs"] = epochs
    if cache is not None:
        training["cache"] = {"folder": str(cache)}
    evaluation = EvaluationConfig.load(None, aupro="published", batch_size=batch_size, workers=workers)
    config = ProtocolConfig(
        out=out,
        training=with_settings(training, settings or []),
        evaluation=evaluation,
        device=device,
        every_pair=every_pair,
    )
    with progress("steps", quiet=as_json) as bar:
        tables = run_protocol(data, config, _Bars(bar))
    if as_json:
        print_json(tables.to_json())
        return
    _print("image level", ("AUROC", "AP", "F1-max"), tables.image)
    _print("pixel level, AUPRO by 200 thresholds as published", ("AUROC", "AUPRO", "F1-max"), tables.pixel)
    messages.print(f"tables: {out / 'protocol.md'}", soft_wrap=True, markup=False)


class _Bars:
    """Shows every training and every evaluation as a bar of its own."""

    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self.tasks: dict[Pair, TaskID] = {}

    @contextmanager
    def training(self, name: str) -> Iterator[Callback]:
        """Give the callback of one training run."""
        yield progress_callback(self.bar, f"train {name}")

    def evaluating(self, pair: Pair, done: int, total: int) -> None:
        """Move the bar of one evaluation."""
        if pair not in self.tasks:
            self.tasks[pair] = self.bar.add_task(f"{pair.auxiliary} → {pair.test}", total=total)
        self.bar.update(self.tasks[pair], completed=done, total=total)


def _print(title: str, metrics: Sequence[str], rows: Sequence[ProtocolRow]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from zerosight.protocol.tables import number

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("in %", overflow="fold")
    for metric in metrics:
        for name in (metric, "paper", "±"):
            table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        cells = []
        for ours, theirs, change in zip(row.ours, row.published, row.differences, strict=True):
            cells += [number(ours), number(theirs), number(change, signed=True)]
        origin = f"\nby {row.auxiliary}" if row.auxiliary else ""
        table.add_row(Text.assemble(row.name, (origin, "dim")), *cells)
    messages.print(table)
