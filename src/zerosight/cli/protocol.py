"""``zerosight protocol``: a paper's tables from its data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosight.cli.console import messages, print_json, progress
from zerosight.cli.options import Device
from zerosight.cli.settings import with_settings
from zerosight.cli.train import progress_callback

if TYPE_CHECKING:
    from lightning.pytorch import Callback
    from rich.progress import Progress, TaskID

    from zerosight.protocol import Pair, ProtocolConfig

app = typer.Typer(help="Reproduce a paper's tables, from data to numbers.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the paper's name as a word of the command."""


@app.command()
def vip2clip(
    out: Annotated[
        Path,
        typer.Option("-o", "--out", help="folder for models, results and tables; goes on if interrupted"),
    ],
    aux: Annotated[
        list[str] | None,
        typer.Option(help="LAYOUT:ROOT, a folder or a manifest to train on (its test split); repeatable"),
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="LAYOUT:ROOT, a folder or a manifest to evaluate; repeatable")
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
    device: Device = "auto",
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse",
            help="all of it on miniatures with random weights, and what the real will cost",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Train ViP²-CLIP on each auxiliary set and evaluate it on the others, beside the published values.

    Each set is tested by the model of the first auxiliary set that is another one: with MVTec AD first and
    VisA second that is the paper's protocol. What is finished is not done again.

    Examples:

      zerosight protocol vip2clip --rehearse --out runs/rehearsal

      zerosight protocol vip2clip --aux mvtec_ad:/data/mvtec --aux visa:/data/visa --test isic:/data/isic
      --out runs/paper
    """
    from zerosight.backbones.config import parse_backbone
    from zerosight.evaluate.anomalies import EvaluationConfig
    from zerosight.protocol import ProtocolConfig
    from zerosight.protocol.rehearsal import random_weights

    towers = parse_backbone(backbone, image_size)
    training: dict[str, Any] = {"backbone": (random_weights(towers) if rehearse else towers).model_dump()}
    if epochs is not None:
        training["epochs"] = epochs
    if cache is not None or rehearse:
        training["cache"] = {"folder": str(cache or out / "features")}
    config = ProtocolConfig(
        out=out,
        training=with_settings(training, settings or []),
        evaluation=EvaluationConfig.load(None, aupro="published", batch_size=batch_size, workers=workers),
        device=device,
        every_pair=every_pair,
    )
    if rehearse:
        _rehearse(config, [*(aux or ()), *(test or ())], as_json)
    else:
        _run(config, aux or [], test or [], as_json)


def _run(config: ProtocolConfig, aux: list[str], test: list[str], as_json: bool) -> None:
    """Make the tables of real data and show them."""
    from zerosight.data.layouts import open_dataset
    from zerosight.protocol import ProtocolData, run_protocol
    from zerosight.protocol.tables import short_table

    data = ProtocolData.of([open_dataset(text) for text in aux], [open_dataset(text) for text in test])
    with progress("steps", quiet=as_json) as bar:
        tables = run_protocol(data, config, _Bars(bar))
    if as_json:
        print_json(tables.to_json())
        return
    for title, metrics, rows in (
        ("image level", ("AUROC", "AP", "F1-max"), tables.image),
        ("pixel level, AUPRO by 200 thresholds as published", ("AUROC", "AUPRO", "F1-max"), tables.pixel),
    ):
        messages.print(short_table(title, metrics, rows).rich())
    messages.print(f"tables: {config.out / 'protocol.md'}", soft_wrap=True, markup=False)


def _rehearse(config: ProtocolConfig, data: list[str], as_json: bool) -> None:
    """Rehearse on miniatures and show what the real sets will cost.

    Raises:
        ConfigError: Data are named, which a rehearsal draws itself.
    """
    import json

    from zerosight.errors import ConfigError
    from zerosight.files import write_atomically
    from zerosight.protocol.rehearsal import rehearse

    if data:
        raise ConfigError(f"--rehearse draws its own data; leave out --aux and --test (got {data[0]})")
    with progress("steps", quiet=as_json) as bar:
        found = rehearse(config, _Bars(bar))
    values = found.to_json()
    write_atomically(config.out / "rehearsal.json", json.dumps(values, indent=1).encode() + b"\n")
    if as_json:
        print_json(values)
        return
    messages.print(found.prediction.table().markdown(escape=False), soft_wrap=True, markup=False)
    times = f"{found.seconds:.0f} s, {found.processor_seconds:.0f} s of processor time"
    messages.print(f"rehearsed in {times}; numbers: {config.out / 'rehearsal.json'}", soft_wrap=True)


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
