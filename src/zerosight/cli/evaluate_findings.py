"""The part of ``zerosight evaluate`` that judges models of findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zerosight.cli.console import messages, print_json, progress, refuse

if TYPE_CHECKING:
    from zerosight.cli.evaluate import EvaluateOptions
    from zerosight.data.manifest import Dataset
    from zerosight.evaluate.findings import FindingEvaluation, ModelEvaluationConfig
    from zerosight.predict.findings import FindingPredictor


def evaluate_findings(options: EvaluateOptions) -> None:
    """Measure a model of findings on data sets and tell the results.

    One data set's page lies in the folder for results itself, those of several in a folder each.

    Raises:
        ConfigError: An option means nothing to such a model.
    """
    refuse("a model of findings", on=options.on, **options.anomalies)
    datasets = options.datasets()
    import zerosight
    from zerosight.evaluate.findings import ModelEvaluationConfig, write_findings

    values = options.shared | options.findings | {"views": options.categories}
    config = ModelEvaluationConfig.load(None, **values)
    predictor = zerosight.load_findings(options.model, options.device, config.batch_size)
    evaluations = {}
    for name, dataset in datasets.items():
        evaluations[name] = measure(predictor, dataset, config, options, name)
        if options.out is not None:
            write_findings(evaluations[name], options.out if len(datasets) == 1 else options.out / name)
    _report(evaluations, options)


def measure(
    predictor: FindingPredictor,
    dataset: Dataset,
    config: ModelEvaluationConfig,
    options: EvaluateOptions,
    name: str,
) -> FindingEvaluation:
    """Evaluate one data set under a progress bar."""
    from zerosight.evaluate.findings import evaluate_model

    with progress("images", quiet=options.as_json) as bar:
        task = bar.add_task(dataset.header.name, total=None)
        return evaluate_model(
            predictor,
            dataset,
            config,
            options.resume_policy(name),
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def _report(evaluations: dict[str, FindingEvaluation], options: EvaluateOptions) -> None:
    """Tell the results: as JSON where it was asked for, and as tables."""
    from zerosight.evaluate.findings.tables import (
        localisation_notes,
        notes,
        short_localisation_table,
        short_table,
        ways,
        without_policy,
    )

    values = {
        "schema": 1,
        "kind": "findings",
        "datasets": [evaluation.to_json() for evaluation in evaluations.values()],
    }
    if options.as_json:
        print_json(values)
        return
    for name, evaluation in evaluations.items():
        messages.print(short_table(evaluation).rich())
        if evaluation.baselines:
            title = "other ways, on the same images: means over findings, in %"
            messages.print(replace(without_policy(ways(evaluation)), title=title).rich())
        for one in evaluation.baselines:
            messages.print(f"{one.name}: {one.about}", markup=False)
        if evaluation.localisation is not None:
            messages.print(short_localisation_table(evaluation.localisation).rich())
            for note in localisation_notes(evaluation.localisation):
                messages.print(note, markup=False)
        for note in notes(evaluation):
            messages.print(note, markup=False)
        if options.out is not None:
            page = (options.out if len(evaluations) == 1 else options.out / name) / "evaluation.html"
            messages.print(f"report: {page}", soft_wrap=True, markup=False)
    messages.print("research use only: not a medical device, not for diagnosis")
