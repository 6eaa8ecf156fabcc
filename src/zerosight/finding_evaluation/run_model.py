"""A model of findings over a data set: looked at once, judged zero-shot, and other ways beside.

rows → read on other threads → features, batch by batch → looks on disk → scores → metrics
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Shaped
from scipy.special import expit

from zerosight.data.manifest import Dataset
from zerosight.errors import ConfigError
from zerosight.finding_evaluation.config import ModelEvaluationConfig, RowsConfig
from zerosight.finding_evaluation.facts import EvaluationFacts
from zerosight.finding_evaluation.linear import STRENGTHS, LinearLayer, choose_layer, fit_linear
from zerosight.finding_evaluation.looks import Looks, model_facts
from zerosight.finding_evaluation.parts import Part, Parts, find_parts
from zerosight.finding_evaluation.result import Beside, FindingEvaluation
from zerosight.finding_evaluation.run import FindingSettings, evaluate_findings
from zerosight.journal import Store
from zerosight.metrics import Metric, finding_data, finding_metrics, validation_thresholds
from zerosight.models.llava_radz.scoring import class_vectors
from zerosight.models.llava_radz.vqa import question_about
from zerosight.recognise import FindingPredictor, Question

Values = Shaped[np.ndarray, "images classes"]
Scored = tuple[Values, Values]
"""Scores and probabilities."""


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """A model that has looked at all images of some parts.

    Attributes:
        predictor: The model.
        question: What is asked.
        parts: The images, all of them usable.
        looks: What the model made of them.
        config: The settings.
    """

    predictor: FindingPredictor
    question: Question
    parts: Parts
    looks: Looks
    config: ModelEvaluationConfig

    def features(self, part: Part) -> Float64[np.ndarray, "images dim"]:
        """Return the features of a part."""
        return self.looks.features(part.rows).astype(np.float64)

    def zero_shot(self, part: Part) -> Scored:
        """Return scores and probabilities in the question's mode."""
        return self.predictor.judge(self.looks.features(part.rows), self.question)

    def in_words(self, part: Part) -> Scored:
        """Return log-odds and probabilities of the answers yes."""
        odds = self.looks.answers(part.rows, self.parts.findings).astype(np.float64)
        return odds, expit(odds)

    def thresholds(self, score: Callable[[Part], Scored]) -> tuple[Metric, ...] | None:
        """Return the thresholds that the validation images give a way of scoring; None without images."""
        val = self.parts.val
        if val is None or self.config.policy.kind != "validation":
            return None
        return validation_thresholds(finding_data(*score(val), val.labels))

    def beside(
        self, name: str, about: str, score: Callable[[Part], Scored], facts: dict[str, object]
    ) -> Beside:
        """Return the metrics of another way of scoring, on the same images with the same draws."""
        config, test = self.config, self.parts.test
        missing = Metric.undefined(f"no threshold was chosen for {name}")
        found = finding_metrics(
            finding_data(*score(test), test.labels, test.patients),
            config.policy,
            self.thresholds(score) or (missing,) * len(self.parts.asked),
            bins=config.bins,
            resamples=config.resamples,
            seed=config.seed,
        )
        return Beside(name, about, facts, found.classes, found.macro)


def evaluate_model(
    predictor: FindingPredictor,
    dataset: Dataset,
    config: ModelEvaluationConfig | None = None,
    store: Store | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FindingEvaluation:
    """Return the metrics of a model's findings on a data set.

    Neither the batch size nor the number of threads nor the order of the rows changes a metric by more than
    floating-point rounding in the model does. Memory holds a few batches and, per image, its feature and
    labels, about 3 kB at 512 numbers. Looks that are kept serve any list of findings, mode and policy.

    Args:
        predictor: The model.
        dataset: A layout or a manifest, its rows with ``labels``.
        config: The settings.
        store: Where looks are kept, so that an interrupted evaluation can go on.
        progress: Called with the numbers of images looked at and of all images.

    Raises:
        ConfigError: A label is not in the data, or a threshold is to come from images there are none of.
        DataError: There is nothing to evaluate or, if strict, a row or a file cannot be used.
        OutputError: The store cannot be used; what was written to it before is kept.
    """
    config = config or ModelEvaluationConfig()
    parts = find_parts(dataset, config)
    question = ask(predictor, parts.findings, config)
    own = None if parts.val else own_thresholds(question, config)
    with Looks(predictor, dataset, store or Store()) as looks:
        if config.vqa:
            spoken = [parts.test, *filter(None, [parts.val])]
            looks.take((row for part in spoken for row in part.rows), config, parts.findings, progress)
        looks.take((row for part in parts for row in part.rows), config, (), progress)
    judge = Judge(predictor, question, parts.seen(looks), looks, config)
    evaluation = evaluate_findings(
        *judge.zero_shot(judge.parts.test),
        judge.parts.test.labels,
        judge.parts.test.patients,
        [one.name for one in parts.asked],
        FindingSettings(facts_of(judge, dataset), config, judge.thresholds(judge.zero_shot) or own),
    )
    return replace(evaluation, beside=tuple(_beside(judge)))


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


def facts_of(judge: Judge, dataset: Dataset) -> EvaluationFacts:
    """Return where scores and labels came from."""
    parts, question, header = judge.parts, judge.question, dataset.header
    temperature = float(judge.predictor.model.temperature)
    return EvaluationFacts(
        data=header.name,
        model=model_facts(judge.predictor),
        mode=question.mode,
        provenance=question.anchors.provenance,
        used_in_training=question.anchors.used_in_training,
        temperature=None if question.mode == "cosine" else temperature,
        calibration=_calibration(question),
        thresholds=_source(judge) if judge.config.policy.kind == "validation" else "",
        anchors={one.name: one.finding for one in parts.asked},
        splits=tuple(part.facts() for part in parts),
        left_out=dict(parts.left_out.counts),
        examples=tuple(parts.left_out.examples),
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


def _source(judge: Judge) -> str:
    """Return where the thresholds of the policy ``validation`` came from."""
    val = judge.parts.val
    if val is None:
        return f"the model's own, chosen on {judge.question.calibration.source}"
    return f"chosen on the {len(val.rows)} images of split {val.name}"


def _beside(judge: Judge) -> Iterator[Beside]:
    """Yield the other ways that were asked for."""
    if judge.config.vqa:
        facts = {"questions": [question_about(name) for name in judge.parts.findings]}
        about = f"asked in words, one pass per finding, such as: {facts['questions'][0]}"
        yield judge.beside("vqa", about, judge.in_words, {**facts})
    for share, part in judge.parts.train.items():
        yield _fine_tuned(judge, share, part)


def _fine_tuned(judge: Judge, share: float, part: Part) -> Beside:
    """Return the metrics of a linear layer that was fitted to a share of the training labels."""
    anchors = judge.question.anchors
    start = class_vectors(anchors, "pos-neg").numpy() / float(judge.predictor.model.temperature)
    layer = _layer(judge, part, start.astype(np.float64))

    def score(of: Part) -> Scored:
        logits = layer.logits(judge.features(of))
        return logits, expit(logits)

    facts, val = part.facts(), judge.parts.val
    names = [one.name for one in judge.parts.asked]
    unmoved = [name for name, moved in zip(names, layer.fitted, strict=True) if not moved]
    about = (
        f"a linear layer on frozen features, fitted to {part.name}: {facts.images} images of "
        f"{facts.patients} patients, drawn with seed {judge.config.seed}; strength {layer.strength:g}, "
        + (f"chosen on split {val.name} from {', '.join(f'{s:g}' for s in STRENGTHS)}" if val else "fixed")
        + (f"; left zero-shot for lack of labels of both kinds: {', '.join(unmoved)}" if unmoved else "")
    )
    counts = {
        name: {"present": int((column == 1).sum()), "absent": int((column == 0).sum())}
        for name, column in zip(names, part.labels.T, strict=True)
    }
    said = {"share": share, "seed": judge.config.seed, "split": facts.to_json(), "labels": counts}
    said |= {"strength": layer.strength, "strength_chosen_on": val.name if val else None, "unmoved": unmoved}
    return judge.beside(f"fine-tuned, {100 * share:g} %", about, score, said)


def _layer(judge: Judge, part: Part, start: Float64[np.ndarray, "classes dim"]) -> LinearLayer:
    features, val = judge.features(part), judge.parts.val
    if val is None:
        return fit_linear(features, part.labels, start)
    return choose_layer(features, part.labels, start, judge.features(val), val.labels)
