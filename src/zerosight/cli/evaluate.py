"""``zerosight evaluate``."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosight.cli.console import messages, print_json, progress

if TYPE_CHECKING:
    from rich.table import Table

    from zerosight.data.manifest import Dataset
    from zerosight.evaluate import DatasetResult, Evaluation, EvaluationConfig, Store
    from zerosight.predict import Predictor


class Resolution(StrEnum):
    """The size at which maps are compared with masks."""

    model = "model"
    native = "native"


class Aupro(StrEnum):
    """The two variants of AUPRO."""

    exact = "exact"
    published = "published"


def evaluate(
    data: Annotated[
        list[str], typer.Option(help="LAYOUT:ROOT or a manifest; repeatable; see 'zerosight data list'")
    ],
    model: Annotated[str, typer.Option(help="a shipped model or a model folder")] = "vip2clip-lite",
    out: Annotated[
        Path | None, typer.Option(help="folder for evaluation.html, .md, .json and what resuming needs")
    ] = None,
    categories: Annotated[
        list[str] | None, typer.Option("--categories", help="only these; repeatable or joined by commas")
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="parts of the data; repeatable (test)")] = None,
    resolution: Annotated[
        Resolution, typer.Option(help="compare maps with masks at the model's size or each image's own")
    ] = Resolution.model,
    aupro: Annotated[Aupro, typer.Option(help="variant in the tables; the JSON has both")] = Aupro.exact,
    json_file: Annotated[
        str | None, typer.Option("--json", help="write JSON to this file, or - to print")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="stop at the first file or row that is bad")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="threads that read images (4)")] = None,
    batch_size: Annotated[int | None, typer.Option(help="images per pass (8)")] = None,
    resamples: Annotated[int | None, typer.Option(help="of the bootstrap; 0 for no intervals (1000)")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1")] = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="go on with an interrupted evaluation")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the results in --out")] = False,
) -> None:
    """Measure a model on labelled images: image and pixel metrics per category, with intervals.

    Examples:

      zerosight evaluate --data folder:parts --out results

      zerosight evaluate --data mvtec_ad:/data/mvtec --data visa:/data/visa --out results --resume

      zerosight evaluate --data parts.jsonl --split val --json -
    """
    import zerosight
    from zerosight.evaluate import Evaluation, EvaluationConfig, model_facts
    from zerosight.evaluate.output import write_outputs

    flags = {"resolution": resolution.value, "aupro": aupro.value, "strict": strict}
    config = EvaluationConfig.load(
        None,
        splits=_words(split),
        categories=_words(categories),
        workers=workers,
        batch_size=batch_size,
        resamples=resamples,
        **flags,
    )
    datasets = _open(data)
    predictor = zerosight.load(model, device, config.batch_size)
    quiet = json_file == "-"
    results = [
        run(predictor, dataset, config, _store(out, name, resume, overwrite), quiet)
        for name, dataset in datasets.items()
    ]
    evaluation = Evaluation(model_facts(predictor.card), config.shown(), tuple(results))
    if out is not None:
        write_outputs(out, evaluation, list(datasets.values()), predictor)
    _report(evaluation, out, json_file)


def run(
    predictor: Predictor, dataset: Dataset, config: EvaluationConfig, store: Store, quiet: bool
) -> DatasetResult:
    """Evaluate one data set under a progress bar."""
    from zerosight.evaluate import evaluate

    with progress("images", quiet=quiet) as bar:
        task = bar.add_task(dataset.header.name, total=None)
        return evaluate(
            predictor,
            dataset,
            config,
            store,
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def table_of(result: DatasetResult, aupro: str) -> Table:
    """Return the results of one data set as a table for the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from zerosight.evaluate.tables import IMAGE_COLUMNS, PIXEL_COLUMNS, Cell, rows_of

    def show(cell: Cell) -> Text:
        small = cell.error.strip() or "–".join(f"{float(end):.0f}" for end in cell.interval.split("–") if end)
        return Text.assemble(cell.value, (f"\n{small}" if small else "", "dim"))

    title = f"{result.header.name}: image level, then pixel level, in %"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("category", overflow="fold")
    for name in ("norm", "anom", *IMAGE_COLUMNS):
        table.add_column(name, justify="right", no_wrap=True)
    for name in PIXEL_COLUMNS:
        table.add_column(name, justify="right", no_wrap=True, style="cyan")
    for row in rows_of(result, aupro):
        cells = [show(cell) for cell in (*row.image, *row.pixel)]
        table.add_row(Text(row.name), str(row.normal), str(row.anomalous), *cells)
    return table


def _report(evaluation: Evaluation, out: Path | None, json_file: str | None) -> None:
    """Tell the results: as JSON where it was asked for, and as tables."""
    from zerosight.evaluate.tables import notes
    from zerosight.files import write_atomically

    values: dict[str, Any] = evaluation.to_json()
    if json_file == "-":
        print_json(values)
        return
    aupro = str(evaluation.settings["aupro"])
    for result in evaluation.datasets:
        messages.print(table_of(result, aupro))
        for note in notes(result, aupro):
            messages.print(note, markup=False)
    if json_file is not None:
        write_atomically(Path(json_file), json.dumps(values, indent=1).encode() + b"\n")
        messages.print(f"JSON: {json_file}", soft_wrap=True, markup=False)
    if out is not None:
        messages.print(f"report: {out / 'evaluation.html'}", soft_wrap=True, markup=False)


def _open(texts: list[str]) -> dict[str, Dataset]:
    """Return the data sets by a name of their own, which is also that of their folder."""
    from zerosight.data.layouts import open_dataset
    from zerosight.report.writer import safe_name

    found: dict[str, Dataset] = {}
    for text in texts:
        dataset = open_dataset(text)
        name = stem = safe_name(dataset.header.name)
        number = 1
        while name in found:
            number += 1
            name = f"{stem}-{number}"
        found[name] = dataset
    return found


def _store(out: Path | None, name: str, resume: bool, overwrite: bool) -> Store:
    from zerosight.evaluate import Store

    return Store(None if out is None else out / name, resume, overwrite)


def _words(texts: list[str] | None) -> tuple[str, ...] | None:
    """Return the words of options that may be repeated or joined by commas."""
    return tuple(word for text in texts for word in text.split(",") if word) if texts else None
