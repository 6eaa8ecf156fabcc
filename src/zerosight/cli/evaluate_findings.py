"""The part of ``zerosight evaluate`` that judges models of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zerosight.cli.console import messages, print_json, progress
from zerosight.cli.evaluation_run import Run, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from zerosight.data.manifest import Dataset
    from zerosight.finding_evaluation import FindingEvaluation, ModelEvaluationConfig
    from zerosight.recognise import FindingPredictor
    from zerosight.report.cells import Cell


def evaluate_on(datasets: dict[str, Dataset], values: dict[str, Any], run: Run) -> None:
    """Measure a model of findings on data sets and tell the results.

    One data set's page lies in the folder for results itself, those of several in a folder each.
    """
    import zerosight
    from zerosight.finding_evaluation import ModelEvaluationConfig, write_findings

    config = ModelEvaluationConfig.load(None, **values)
    predictor = zerosight.load_findings(run.model, run.device, config.batch_size)
    evaluations = {}
    for name, dataset in datasets.items():
        evaluations[name] = measure(predictor, dataset, config, run, name)
        if run.out is not None:
            write_findings(evaluations[name], run.out if len(datasets) == 1 else run.out / name)
    _report(evaluations, run)


def measure(
    predictor: FindingPredictor, dataset: Dataset, config: ModelEvaluationConfig, run: Run, name: str
) -> FindingEvaluation:
    """Evaluate one data set under a progress bar."""
    from zerosight.finding_evaluation import evaluate_model

    with progress("images", quiet=run.quiet) as bar:
        task = bar.add_task(dataset.header.name, total=None)
        return evaluate_model(
            predictor,
            dataset,
            config,
            run.store(name),
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def table_of(evaluation: FindingEvaluation) -> Table:
    """Return the results as a table for the terminal."""
    from zerosight.finding_evaluation.tables import columns, rows_of

    facts = evaluation.facts
    title = f"{facts.data}: {evaluation.images} images, {facts.mode}, anchors {facts.provenance}, in %"
    rows = [
        (f"{row.name} ({row.anchor})" if row.anchor else row.name, str(row.positives), row.cells)
        for row in rows_of(evaluation)
    ]
    heads = [head.split(" (")[0] for head in columns(evaluation)]
    return _table(title, ["finding", "present", *heads], rows)


def ways_table(evaluation: FindingEvaluation) -> Table:
    """Return the means of every way as a table for the terminal."""
    from zerosight.finding_evaluation.tables import ways

    heads, rows = ways(evaluation)
    title = "other ways, on the same images: means over findings, in %"
    shown = [(name, "", tuple(cells)) for name, cells in rows]
    return _table(title, ["way", "", *(head.split(" (")[0] for head in heads)], shown)


def _table(title: str, heads: list[str], rows: list[tuple[str, str, tuple[Cell, ...]]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(heads[0], overflow="fold")
    for head in heads[1:]:
        table.add_column(head, justify="right", no_wrap=True)
    for name, count, cells in rows:
        texts = [
            Text.assemble(cell.value, (f"\n{cell.interval}" if cell.interval else "", "dim"))
            for cell in cells
        ]
        table.add_row(Text(name), count, *texts)
    return table


def _report(evaluations: dict[str, FindingEvaluation], run: Run) -> None:
    """Tell the results: as JSON where it was asked for, and as tables."""
    from zerosight.finding_evaluation.tables import notes

    values = {
        "schema": 1,
        "kind": "findings",
        "datasets": [evaluation.to_json() for evaluation in evaluations.values()],
    }
    if run.quiet:
        print_json(values)
        return
    for name, evaluation in evaluations.items():
        messages.print(table_of(evaluation))
        if evaluation.beside:
            messages.print(ways_table(evaluation))
        for one in evaluation.beside:
            messages.print(f"{one.name}: {one.about}", markup=False)
        for note in notes(evaluation):
            messages.print(note, markup=False)
        if run.out is not None:
            page = (run.out if len(evaluations) == 1 else run.out / name) / "evaluation.html"
            messages.print(f"report: {page}", soft_wrap=True, markup=False)
    write_json(values, run.json_file)
    messages.print("research use only: not a medical device, not for diagnosis")
