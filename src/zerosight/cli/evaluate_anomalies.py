"""The part of ``zerosight evaluate`` that judges models of anomalies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosight.cli.console import messages, print_json, progress, refuse
from zerosight.errors import DataError, printable

if TYPE_CHECKING:
    from zerosight.cli.evaluate import EvaluateOptions
    from zerosight.data.manifest import Dataset
    from zerosight.evaluate.anomalies import DatasetResult, Evaluation, EvaluationConfig, ResumePolicy
    from zerosight.evaluate.anomalies.run import Judged
    from zerosight.predict.anomalies import Predictor

OPTION_OF = {"val_splits": "val_split", "train_splits": "train_split", "write": "write_descriptions"}
"""Names of settings that are called otherwise on the command line."""


def evaluate_anomalies(options: EvaluateOptions) -> None:
    """Measure a model of anomalies on data sets and tell the results.

    Raises:
        ConfigError: An option means nothing to such a model.
    """
    from zerosight.backbones.config import is_tower
    from zerosight.models.references.card import refuse_zero_shot

    foreign = {OPTION_OF.get(name, name): value for name, value in options.findings.items()}
    refuse("a model of anomalies", **foreign)
    if options.anomalies["batch_reference"] is not None or options.anomalies["normals"] is not None:
        refuse("an evaluation with --normals or --batch-reference", on=options.on)
    if options.anomalies["batch_reference"] is not None:
        from zerosight.cli.evaluate_batch import evaluate_batch

        evaluate_batch(options)
        return
    if options.anomalies["normals"] is not None:
        from zerosight.cli.evaluate_few_shot import evaluate_few_shot

        evaluate_few_shot(options)
        return
    if is_tower(options.model):
        refuse_zero_shot(options.model)
    foreign = {name: options.anomalies[name] for name in ("draws", "augment")}
    refuse("a single evaluation, without --normals or --batch-reference", **foreign)
    datasets = options.datasets()
    import zerosight
    from zerosight.evaluate.anomalies import Evaluation, EvaluationConfig, model_facts
    from zerosight.evaluate.anomalies.output import write_outputs

    given = {key: options.anomalies[key] for key in ("resolution", "aupro")}
    values = options.shared | given | {"categories": options.categories}
    config = EvaluationConfig.load(None, **values)
    predictor = zerosight.load(options.model, options.device, config.batch_size)
    if predictor.card.architecture == "references":
        _tell_overlap(predictor, list(datasets.values()), config)
    with _judges(options, predictor) as judges:
        results = [
            measure(predictor, dataset, config, options.resume_policy(name), options.as_json, judges)
            for name, dataset in datasets.items()
        ]
    evaluation = Evaluation(model_facts(predictor.card), config.shown(), tuple(results))
    if options.out is not None:
        write_outputs(options.out, evaluation, list(datasets.values()), predictor)
    _report(evaluation, options)


@contextmanager
def _judges(options: EvaluateOptions, predictor: Predictor) -> Iterator[Judged | None]:
    """Give what does the work in a cluster; None where it is done here."""
    if options.on is None:
        yield None
        return
    from zerosight.scale.cluster import connected
    from zerosight.scale.judge import Judges

    with connected(options.on) as ray:
        yield Judges(ray, options.model, options.device, predictor)


def _tell_overlap(predictor: Predictor, datasets: list[Dataset], config: EvaluationConfig) -> None:
    """Say which images of the data are among the model's normal ones."""
    from zerosight.predict.references import among_normals

    for dataset in datasets:
        line = among_normals(predictor.card, _files(dataset, config))
        if line:
            messages.print(f"note: {dataset.header.name}: {line}", soft_wrap=True)


def _files(dataset: Dataset, config: EvaluationConfig) -> Iterator[Path]:
    """Yield the images to be judged, but for those that the data names badly."""
    from zerosight.data.manifest import select

    for record in select(dataset.records(False), config.splits, config.categories):
        with suppress(DataError):
            yield dataset.resolve(record.image)


def measure(
    predictor: Predictor,
    dataset: Dataset,
    config: EvaluationConfig,
    resume_policy: ResumePolicy,
    quiet: bool,
    judged: Judged | None = None,
) -> DatasetResult:
    """Evaluate one data set under a progress bar."""
    from zerosight.evaluate.anomalies import evaluate

    with progress("images", quiet=quiet) as bar:
        task = bar.add_task(printable(dataset.header.name), total=None)
        return evaluate(
            predictor,
            dataset,
            config,
            resume_policy,
            lambda done, total: bar.update(task, completed=done, total=total),
            judged,
        )


def _report(evaluation: Evaluation, options: EvaluateOptions) -> None:
    """Tell the results: as JSON where it was asked for, and as tables."""
    from zerosight.evaluate.anomalies.tables import remarks, short_table

    values: dict[str, Any] = evaluation.to_json()
    if options.as_json:
        print_json(values)
        return
    aupro = str(evaluation.settings["aupro"])
    for result in evaluation.datasets:
        messages.print(short_table(result, aupro).rich())
        for remark in remarks(result, aupro):
            messages.print(remark, markup=False)
    if options.out is not None:
        messages.print(f"report: {options.out / 'evaluation.html'}", soft_wrap=True, markup=False)
