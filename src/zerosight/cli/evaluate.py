"""``zerosight evaluate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosight.cli.console import messages, print_json, progress, refuse
from zerosight.cli.evaluate_findings import evaluate_on
from zerosight.cli.evaluation_run import Run, open_datasets, words, write_json
from zerosight.cli.predict import Mode

if TYPE_CHECKING:
    from rich.table import Table

    from zerosight.data.manifest import Dataset
    from zerosight.evaluate import DatasetResult, Evaluation, EvaluationConfig, Store
    from zerosight.predict import Predictor


OPTION_OF = {"val_splits": "val_split", "train_splits": "train_split", "write": "write_descriptions"}
"""Names of settings that are called otherwise on the command line."""


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
        list[str] | None,
        typer.Option("--categories", "--views", help="only these; repeatable or joined by commas"),
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="parts of the data; repeatable (test)")] = None,
    resolution: Annotated[
        Resolution | None,
        typer.Option(help="compare maps with masks at the model's size or each image's own (model)"),
    ] = None,
    aupro: Annotated[
        Aupro | None, typer.Option(help="variant in the tables (exact); the JSON has both")
    ] = None,
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
    labels: Annotated[
        str | None, typer.Option(help="findings to judge, by commas, each LABEL or LABEL=FINDING (all)")
    ] = None,
    mode: Annotated[Mode | None, typer.Option(help="how findings are scored (the model's)")] = None,
    threshold: Annotated[
        str | None, typer.Option(help="of F1 and accuracy: fixed:VALUE (0.5), validation or oracle")
    ] = None,
    val_split: Annotated[list[str] | None, typer.Option(help="part to choose thresholds on")] = None,
    train_split: Annotated[list[str] | None, typer.Option(help="part to fine-tune on (train)")] = None,
    finetune: Annotated[
        list[float] | None, typer.Option(help="share of its labels to fine-tune on, such as 0.01; repeatable")
    ] = None,
    vqa: Annotated[
        bool, typer.Option("--vqa", help="also ask the model in words, finding by finding")
    ] = False,
    descriptions: Annotated[
        Path | None, typer.Option(help="file that describes further findings (see 'zerosight anchors')")
    ] = None,
    write_descriptions: Annotated[
        bool, typer.Option("--write-descriptions", help="let the language model describe unknown findings")
    ] = False,
) -> None:
    """Measure a model on labelled images: per category or per finding, with intervals.

    Models of anomalies are judged by images and pixels. With a model such as radz-tiny: findings in chest
    X-rays, zero-shot, for research only; the last nine options are for these.

    Examples:

      zerosight evaluate --data folder:parts --out results

      zerosight evaluate --data mvtec_ad:/data/mvtec --data visa:/data/visa --out results --resume

      zerosight evaluate --data parts.jsonl --split val --json -

      zerosight evaluate --model radz-tiny --data chestxray14:/data/nih --threshold oracle --out results
    """
    from zerosight.models.catalog import recognises_findings

    run = Run(model, device, out, json_file, resume, overwrite)
    shared: dict[str, Any] = {"splits": words(split), "strict": strict, "workers": workers}
    shared |= {"batch_size": batch_size, "resamples": resamples}
    maps = {"resolution": resolution and resolution.value, "aupro": aupro and aupro.value}
    findings: dict[str, Any] = {
        "labels": None if labels is None else words([labels]),
        "mode": mode and mode.value,
        "threshold": threshold,
        "val_splits": words(val_split),
        "train_splits": words(train_split),
        "finetune": tuple(finetune) if finetune else None,
        "vqa": vqa or None,
        "descriptions": descriptions,
        "write": write_descriptions or None,
    }
    if recognises_findings(model):
        refuse("a model of findings", **maps)
        evaluate_on(open_datasets(data), shared | findings | {"views": words(categories)}, run)
        return
    refuse("a model of anomalies", **{OPTION_OF.get(name, name): value for name, value in findings.items()})
    _find_anomalies(open_datasets(data), shared | maps | {"categories": words(categories)}, run)


def _find_anomalies(datasets: dict[str, Dataset], values: dict[str, Any], run: Run) -> None:
    """Measure a model of anomalies and tell the results."""
    import zerosight
    from zerosight.evaluate import Evaluation, EvaluationConfig, model_facts
    from zerosight.evaluate.output import write_outputs

    config = EvaluationConfig.load(None, **values)
    predictor = zerosight.load(run.model, run.device, config.batch_size)
    results = [
        measure(predictor, dataset, config, run.store(name), run.quiet) for name, dataset in datasets.items()
    ]
    evaluation = Evaluation(model_facts(predictor.card), config.shown(), tuple(results))
    if run.out is not None:
        write_outputs(run.out, evaluation, list(datasets.values()), predictor)
    _report(evaluation, run.out, run.json_file)


def measure(
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

    values: dict[str, Any] = evaluation.to_json()
    if json_file == "-":
        print_json(values)
        return
    aupro = str(evaluation.settings["aupro"])
    for result in evaluation.datasets:
        messages.print(table_of(result, aupro))
        for note in notes(result, aupro):
            messages.print(note, markup=False)
    write_json(values, json_file)
    if out is not None:
        messages.print(f"report: {out / 'evaluation.html'}", soft_wrap=True, markup=False)
