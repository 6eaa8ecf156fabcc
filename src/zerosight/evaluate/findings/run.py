"""Evaluate: a model of findings over a data set in one pass, zero-shot and by baselines.

rows → read on other threads → features, batch by batch → feature store on disk → scores → metrics
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Shaped
from scipy.special import expit

from zerosight.data.manifest import Dataset
from zerosight.errors import ConfigError
from zerosight.evaluate.findings.config import ModelEvaluationConfig, RowsConfig
from zerosight.evaluate.findings.feature_store import FeatureStore, model_facts
from zerosight.evaluate.findings.linear import STRENGTHS, LinearLayer, choose_layer, fit_linear
from zerosight.evaluate.findings.localisation import localise_findings
from zerosight.evaluate.findings.provenance import Provenance
from zerosight.evaluate.findings.result import Baseline, FindingEvaluation
from zerosight.evaluate.findings.splits import Split, Splits, find_splits
from zerosight.evaluate.findings.summary import FindingSettings, evaluate_findings
from zerosight.journal import ResumePolicy
from zerosight.metrics import Metric, finding_data, finding_metrics, validation_thresholds
from zerosight.models.llava_radz.scoring import class_vectors
from zerosight.models.llava_radz.vqa import question_about
from zerosight.predict.findings import FindingPredictor, Question

Values = Shaped[np.ndarray, "images classes"]
Scored = tuple[Values, Values]
"""Scores and probabilities."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluator:
    """A model that has looked at all images of some splits.

    Attributes:
        predictor: The model.
        question: What is asked.
        splits: The images, all of them usable.
        store: What the model made of them.
        config: The settings.
    """

    predictor: FindingPredictor
    question: Question
    splits: Splits
    store: FeatureStore
    config: ModelEvaluationConfig

    def features(self, split: Split) -> Float64[np.ndarray, "images dim"]:
        """Return the features of a split."""
        return self.store.features(split.rows).astype(np.float64)

    def zero_shot(self, split: Split) -> Scored:
        """Return scores and probabilities in the question's mode."""
        return self.predictor.judge(self.store.features(split.rows), self.question)

    def in_words(self, split: Split) -> Scored:
        """Return log-odds and probabilities of the answers yes."""
        odds = self.store.answers(split.rows, self.splits.findings).astype(np.float64)
        return odds, expit(odds)

    def thresholds(self, score: Callable[[Split], Scored]) -> tuple[Metric, ...] | None:
        """Return the thresholds that the validation images give a way of scoring; None without images."""
        val = self.splits.val
        if val is None or self.config.policy.kind != "validation":
            return None
        return validation_thresholds(finding_data(*score(val), val.labels))

    def baseline(
        self, name: str, about: str, score: Callable[[Split], Scored], details: dict[str, object]
    ) -> Baseline:
        """Return the metrics of another way of scoring, on the same images with the same draws."""
        config, test = self.config, self.splits.test
        missing = Metric.undefined(f"no threshold was chosen for {name}")
        found = finding_metrics(
            finding_data(*score(test), test.labels, test.patients),
            config.policy,
            self.thresholds(score) or (missing,) * len(self.splits.asked),
            bins=config.bins,
            resamples=config.resamples,
            seed=config.seed,
        )
        return Baseline(name, about, details, found.classes, found.macro)


def evaluate_model(
    predictor: FindingPredictor,
    dataset: Dataset,
    config: ModelEvaluationConfig | None = None,
    resume_policy: ResumePolicy | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FindingEvaluation:
    """Return the metrics of a model's findings on a data set.

    Neither the batch size nor the number of threads nor the order of the rows changes a metric by more than
    floating-point rounding in the model does. Memory holds a few batches and, per image, its feature and
    labels, about 3 kB at 512 numbers. Features that are kept serve any list of findings, mode and policy.

    Args:
        predictor: The model.
        dataset: A layout or a manifest, its rows with ``labels``.
        config: The settings.
        resume_policy: Where features are kept, so that an interrupted evaluation can go on.
        progress: Called with the numbers of images looked at and of all images.

    Raises:
        ConfigError: A label is not in the data, or a threshold is to come from images there are none of.
        DataError: There is nothing to evaluate or, if strict, a row or a file cannot be used.
        OutputError: The folder cannot be used; what was written to it before is kept.
    """
    config = config or ModelEvaluationConfig()
    splits = find_splits(dataset, config)
    question = ask(predictor, splits.findings, config)
    own = None if splits.val else own_thresholds(question, config)
    with FeatureStore(predictor, dataset, resume_policy or ResumePolicy()) as store:
        if config.vqa:
            spoken = [splits.test, *filter(None, [splits.val])]
            store.collect((row for split in spoken for row in split.rows), config, splits.findings, progress)
        store.collect((row for split in splits for row in split.rows), config, (), progress)
    evaluator = Evaluator(predictor, question, splits.seen(store), store, config)
    thresholds = evaluator.thresholds(evaluator.zero_shot)
    evaluation = evaluate_findings(
        *evaluator.zero_shot(evaluator.splits.test),
        evaluator.splits.test.labels,
        evaluator.splits.test.patients,
        [one.name for one in splits.asked],
        FindingSettings(provenance_of(evaluator, dataset), config, thresholds or own),
    )
    return replace(
        evaluation,
        baselines=tuple(_baselines(evaluator)),
        localisation=localise_findings(
            predictor, question, dataset, evaluator.splits.test.rows, splits.asked, config
        ),
    )


def ask(predictor: FindingPredictor, findings: Sequence[str], config: RowsConfig) -> Question:
    """Return the findings ready to be scored, as the settings say."""
    return predictor.ask(findings, descriptions=config.descriptions, mode=config.mode, write=config.write)


def own_thresholds(question: Question, config: ModelEvaluationConfig) -> tuple[Metric, ...] | None:
    """Return the model's own thresholds for the policy ``validation``; None for the other policies.

    Raises:
        ConfigError: The model has none for these findings.
    """
    if config.policy.kind != "validation":
        return None
    scales = [question.calibration.scale(name) for name in question.anchors.names]
    if all(scale.reason for scale in scales):
        raise ConfigError(
            f"threshold is 'validation', but the model is not calibrated for these findings in mode "
            f"{question.mode}; name a part with --val-split, calibrate the model (zerosight calibrate), or "
            "use fixed:0.5 or oracle"
        )
    return tuple(Metric.undefined(one.reason) if one.reason else Metric(one.threshold) for one in scales)


def provenance_of(evaluator: Evaluator, dataset: Dataset) -> Provenance:
    """Return where scores and labels came from."""
    splits, question, header = evaluator.splits, evaluator.question, dataset.header
    temperature = float(evaluator.predictor.model.temperature)
    return Provenance(
        data=header.name,
        model=model_facts(evaluator.predictor),
        mode=question.mode,
        anchor_provenance=question.anchors.provenance,
        used_in_training=question.anchors.used_in_training,
        temperature=None if question.mode == "cosine" else temperature,
        calibration=_calibration(question),
        thresholds=_source(evaluator) if evaluator.config.policy.kind == "validation" else "",
        anchors={one.name: one.finding for one in splits.asked},
        splits=tuple(split.identity() for split in splits),
        left_out=dict(splits.left_out.counts),
        examples=tuple(splits.left_out.examples),
        licence=header.licence,
        citation=header.citation,
    )


def _calibration(question: Question) -> str:
    own = question.calibration
    names = question.anchors.names
    count = sum(own.is_calibrated(name) for name in names)
    if not count:
        return "none: the model's own probabilities"
    return f"{count} of {len(names)} findings, on {own.source}"


def _source(evaluator: Evaluator) -> str:
    """Return where the thresholds of the policy ``validation`` came from."""
    val = evaluator.splits.val
    if val is None:
        return f"the model's own, chosen on {evaluator.question.calibration.source}"
    return f"chosen on the {len(val.rows)} images of split {val.name}"


def _baselines(evaluator: Evaluator) -> Iterator[Baseline]:
    """Yield the other ways that were asked for."""
    if evaluator.config.vqa:
        facts = {"questions": [question_about(name) for name in evaluator.splits.findings]}
        about = f"asked in words, one pass per finding, such as: {facts['questions'][0]}"
        yield evaluator.baseline("vqa", about, evaluator.in_words, {**facts})
    for share, split in evaluator.splits.train.items():
        yield _fine_tuned(evaluator, share, split)


def _fine_tuned(evaluator: Evaluator, share: float, split: Split) -> Baseline:
    """Return the metrics of a linear layer that was fitted to a share of the training labels."""
    anchors = evaluator.question.anchors
    start = class_vectors(anchors, "pos-neg").numpy() / float(evaluator.predictor.model.temperature)
    layer = _layer(evaluator, split, start.astype(np.float64))

    def score(of: Split) -> Scored:
        logits = layer.logits(evaluator.features(of))
        return logits, expit(logits)

    facts, val = split.identity(), evaluator.splits.val
    names = [one.name for one in evaluator.splits.asked]
    unmoved = [name for name, moved in zip(names, layer.fitted, strict=True) if not moved]
    about = (
        f"a linear layer on frozen features, fitted to {split.name}: {facts.images} images of "
        f"{facts.patients} patients, drawn with seed {evaluator.config.seed}; strength {layer.strength:g}, "
        + (f"chosen on split {val.name} from {', '.join(f'{s:g}' for s in STRENGTHS)}" if val else "fixed")
        + (f"; left zero-shot for lack of labels of both kinds: {', '.join(unmoved)}" if unmoved else "")
    )
    counts = {
        name: {"present": int((column == 1).sum()), "absent": int((column == 0).sum())}
        for name, column in zip(names, split.labels.T, strict=True)
    }
    said = {"share": share, "seed": evaluator.config.seed, "split": facts.to_json(), "labels": counts}
    said |= {"strength": layer.strength, "strength_chosen_on": val.name if val else None, "unmoved": unmoved}
    return evaluator.baseline(f"fine-tuned, {100 * share:g} %", about, score, said)


def _layer(evaluator: Evaluator, split: Split, start: Float64[np.ndarray, "classes dim"]) -> LinearLayer:
    features, val = evaluator.features(split), evaluator.splits.val
    if val is None:
        return fit_linear(features, split.labels, start)
    return choose_layer(features, split.labels, start, evaluator.features(val), val.labels)
