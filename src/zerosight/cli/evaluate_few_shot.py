"""The part of ``zerosight evaluate`` that measures how much normal images help."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from zerosight.cli.console import messages, print_json, progress, refuse

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from zerosight.cli.evaluate import EvaluateOptions
    from zerosight.data.manifest import Dataset
    from zerosight.evaluate.anomalies import EvaluationConfig
    from zerosight.evaluate.anomalies.few_shot import FewShotResult
    from zerosight.predict.anomalies import Predictor
    from zerosight.report.cells import Cell
    from zerosight.report.table import Table


class Result(Protocol):
    """What a study says of one data set."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""


C = TypeVar("C", bound="EvaluationConfig")
R = TypeVar("R", bound=Result)

COLUMNS = {
    "image_auroc": "AUROC",
    "image_ap": "AP",
    "image_f1": "F1",
    "pixel_auroc": "px AUROC",
    "pixel_aupro": "AUPRO",
    "pixel_f1": "px F1",
    "references_auroc": "alone",
    "false_alarms": "alarms",
    "misses": "misses",
}


def evaluate_few_shot(options: EvaluateOptions) -> None:
    """Measure a model with some numbers of normal images, zero-shot beside.

    Raises:
        ConfigError: An option means nothing here, or a number is larger than what can be drawn.
    """
    from zerosight.evaluate.anomalies.few_shot import FewShotConfig, few_shot

    refuse(
        "a few-shot evaluation",
        out=options.out,
        resume=options.resume or None,
        overwrite=options.overwrite or None,
        resolution=options.anomalies["resolution"],
    )
    given = {key: options.anomalies[key] for key in ("aupro", "normals", "draws", "augment")}
    values = options.shared | given | {"categories": options.categories}
    measure(options, FewShotConfig.load(None, **values), few_shot, table_of)


def measure(
    options: EvaluateOptions,
    config: C,
    study: Callable[[Predictor, Dataset, C, Callable[[int, int], None]], R],
    table: Callable[[R, str], Table],
) -> None:
    """Measure a model on every data set under a progress bar, and print a table of each, or JSON.

    Args:
        options: What was asked.
        config: Settings of the study.
        study: What measures on one data set.
        table: What makes its table, given the model's name.
    """
    import zerosight

    predictor = zerosight.load(options.model, options.device, config.batch_size)
    results = []
    for dataset in options.datasets().values():
        with progress("images", quiet=options.as_json) as bar:
            task = bar.add_task(dataset.header.name, total=None)
            found = study(predictor, dataset, config, partial(_advance, bar, task))
        results.append(found)
        if not options.as_json:
            messages.print(table(found, predictor.card.name).rich())
    if options.as_json:
        each = [found.to_json() for found in results]
        print_json({"model": predictor.identity(), "settings": config.shown(), "datasets": each})


def _advance(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)


def table_of(result: FewShotResult, model: str) -> Table:
    """Return the results of one data set as a table."""
    from zerosight.report.table import Table

    rows = tuple(
        (
            str(row.normals) if row.normals else "zero-shot",
            *(cell_of(row.mean[key], row.deviation[key]) for key in COLUMNS),
        )
        for row in result.rows()
    )
    title = f"{result.name}: {model}, mean ± deviation over draws, in %"
    note = (
        "F1: the largest; alone: AUROC of images by the references without words; alarms, misses: false "
        "alarms and misses at the model's own threshold"
    )
    return Table(("normals", *COLUMNS.values()), rows, title, note)


def cell_of(mean: float, deviation: float) -> Cell | str:
    """Return a mean with its deviation, in %."""
    from zerosight.report.cells import NOT_AVAILABLE, Cell, percent

    if mean != mean:
        return NOT_AVAILABLE
    return Cell(percent(mean), error="" if deviation != deviation else f" ± {percent(deviation)}")
