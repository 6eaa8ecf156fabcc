"""A study of ViP²-CLIP from its configuration to its tables.

OUT/study.yaml         the study as it was asked for
OUT/outcomes.jsonl     finished runs (see :mod:`zerosight.ablate.run`)
OUT/models/KIND-HASH/  every trained detector, for :func:`zerosight.load`
OUT/ablation.*         the tables, the picture and the page
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from zerosight import __version__
from zerosight.ablate.outcome import Measured, Outcome
from zerosight.ablate.run import Step, Tell, identity_of
from zerosight.ablate.study import jobs_of, make_study
from zerosight.ablate.tables import StudyTables
from zerosight.ablate.vip2clip.config import Vip2Study, Vip2Variant
from zerosight.ablate.vip2clip.fit import batches, device_of, fit, mean_of_weights
from zerosight.ablate.vip2clip.material import AuxiliarySet, Sets, TestSet
from zerosight.ablate.vip2clip.measure import BATCH, IMAGE, View, best_thresholds, judge, measure
from zerosight.backbones.build import build_encoder
from zerosight.backbones.config import BackboneConfig
from zerosight.files import sha256
from zerosight.models.baselines.card import BaselineCard
from zerosight.models.baselines.detector import Detector
from zerosight.models.baselines.folder import load_baseline, save_baseline
from zerosight.models.card import CARD, WEIGHTS, Thresholds
from zerosight.models.catalog import find_model
from zerosight.train.config import CacheConfig
from zerosight.train.vip2clip.features import FeatureCache, FeatureSource
from zerosight.train.vip2clip.samples import hold_both_kinds
from zerosight.weights import usable_device

SCHEMA = 1
"""Of an outcome; a change of what is measured makes a new one."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        study: The variants.
        sets: What they are trained and tested on.
        out: Folder for everything that is found.
        cache: Where features are kept; without a folder, below ``out``.
        resamples: Of the bootstrap.
        device: Where towers and detectors compute, such as ``cpu`` or ``cuda``.
        about: What to say of data and command in the results.
    """

    study: Vip2Study
    sets: Sets
    out: Path
    cache: CacheConfig = field(default_factory=CacheConfig)
    resamples: int = 1000
    device: str = "cpu"
    about: dict[str, str] = field(default_factory=dict)


def run(
    request: Request, tell: Tell = lambda name, done, total: None, step: Step = lambda done, total: None
) -> StudyTables:
    """Return the tables of a study, after doing what is not done, and write them.

    Args:
        request: What is asked for.
        tell: Told before each run of a variant.
        step: Told after each training step of it.

    Raises:
        ZerosightError: A setting, image or folder cannot be used; what is finished is kept.
    """
    study = request.study
    settled = study.settled()
    sources = _Sources(request)

    def task(name: str, seed: int) -> _Task:
        mean = settled[name].mean
        if mean is None:
            return _Task(request, (_Run(request, sources, settled[name], seed),))
        parts = [(one, seed) for one in study.variants if one.name in mean.of for seed in study.seeds_of(one)]
        runs = tuple(_Run(request, sources, settled[one.name], seed) for one, seed in parts)
        return _Task(request, runs, mean.what)

    jobs = jobs_of(study, task, step)
    return make_study(study, jobs, request.out, request.about, IMAGE, tell)


class _Sources:
    """Encoders with their caches, each built once."""

    def __init__(self, request: Request) -> None:
        self.cache = request.cache
        self.device = usable_device(request.device)
        self.folder = request.cache.folder or request.out / "cache"
        self._built: dict[BackboneConfig, FeatureSource] = {}

    def of(self, backbone: BackboneConfig) -> FeatureSource:
        """Return the source of a backbone's features."""
        if backbone not in self._built:
            encoder = build_encoder(backbone).to(self.device)
            cache = FeatureCache(self.folder, encoder, self.cache.dtype, self.cache.max_bytes)
            self._built[backbone] = FeatureSource(encoder, cache)
        return self._built[backbone]


@dataclass(frozen=True)
class _Run:
    """One training of one variant."""

    request: Request
    sources: _Sources
    variant: Vip2Variant
    seed: int

    @property
    def source(self) -> FeatureSource:
        """Where its detector has its features from."""
        return self.sources.of(self.variant.backbone)

    @cached_property
    def trained_by(self) -> str:
        """What the weights depend on, as a hash."""
        return identity_of(
            self.variant.training,
            self.seed,
            sha256(find_model(self.variant.start) / WEIGHTS) if self.variant.start else "",
            self.request.sets.auxiliary.fingerprint,
            self.source.encoder.fingerprint,
            self.sources.cache.dtype,
        )

    @property
    def chosen(self) -> AuxiliarySet:
        """The images to train on, and to choose thresholds on."""
        return self.request.sets.auxiliary.chosen(self.variant.images, self.variant.without)

    def name(self, test: TestSet) -> str | None:
        """Return what the thing is called at a test; None keeps the name of training."""
        wording = self.variant.wording
        if wording is None:
            return None
        return self.request.study.words.get(test.name, {}).get(wording, test.name.replace("_", " "))

    def view(self, detector: Detector, test: TestSet) -> View:
        """Return the detector with the name that the thing has at this test."""
        name = self.name(test)
        return View(detector if name is None else detector.called(name), self.source)

    def made(self, step: Step) -> tuple[Detector, BaselineCard]:
        """Return the trained detector and its card, from its folder where it is there."""
        return self.kept(
            self.trained_by,
            {"seed": self.seed},
            lambda: fit(self.variant, self.source, self.chosen.train, self.seed, step),
        )

    def kept(
        self, trained_by: str, about: Mapping[str, object], make: Callable[[], Detector]
    ) -> tuple[Detector, BaselineCard]:
        """Return a detector of this variant and its card, from its folder where it is there.

        Args:
            trained_by: What the weights depend on, as a hash.
            about: What the card is to say of it beside the settings.
            make: Makes it where no folder holds it.
        """
        kind = self.variant.detector.method.kind
        folder = self.request.out / "models" / f"{kind}-{trained_by}"
        source, chosen = self.source, self.chosen
        if (folder / CARD).is_file():
            loaded = load_baseline(folder, source.encoder)
            return loaded.detector.to(device_of(source)), loaded.card
        if self.variant.epochs:
            _read_ahead(source, chosen)
        begin = time.perf_counter()
        detector = make()
        seconds = time.perf_counter() - begin
        thresholds, measured = _thresholds([View(detector, source)], chosen)
        card = BaselineCard(
            name=f"{kind}-{trained_by[:8]}",
            backbone=self.variant.backbone,
            thresholds=thresholds,
            notes=("made by zerosight ablate vip2clip, to be compared with others rather than to be used",),
            training=self.variant.training
            | {**about, "zerosight": __version__, "on_held_out": measured}
            | {"parameters": _trained(detector, source), "seconds": round(seconds, 2)}
            | {"images": len(chosen.train)},
        )
        return detector, save_baseline(detector, card, folder)


@dataclass(frozen=True)
class _Task:
    """One run of one variant, or the mean of several."""

    request: Request
    runs: tuple[_Run, ...]
    mean: Literal["scores", "weights"] = "scores"

    @cached_property
    def identity(self) -> str:
        """What the outcome depends on, as a hash."""
        tests = [(test.name, test.fingerprint) for test in self.request.sets.tests]
        words = [{test.name: run.name(test) for test in self.request.sets.tests} for run in self.runs]
        trained_by = [run.trained_by for run in self.runs]
        return identity_of(SCHEMA, self.mean, trained_by, tests, words, self.request.resamples)

    def work(self, step: Step) -> Outcome:
        """Train the variant, unless a folder holds it, and judge it on every data set."""
        first, *_ = runs = self.runs
        made = [run.made(step) for run in runs]
        training = sum(float(card.training["seconds"]) for _, card in made)
        if self.mean == "weights":
            trained_by = identity_of(self.mean, [run.trained_by for run in runs])
            about = {"mean_of_seeds": [run.seed for run in runs]}
            detectors = [detector for detector, _ in made]
            runs, made = (first,), [first.kept(trained_by, about, lambda: mean_of_weights(detectors))]

        pairs = [(run, detector) for run, (detector, _) in zip(runs, made, strict=True)]
        if len(pairs) == 1:
            thresholds = made[0][1].thresholds
        else:
            thresholds, _ = _thresholds([View(detector, run.source) for run, detector in pairs], first.chosen)
        tests = list(self.request.sets.tests)
        if first.variant.without:
            tests.append(self.request.sets.auxiliary.left_out(first.variant.without))
        measured: dict[str, dict[str, Measured]] = {}
        seconds, images = 0.0, 0
        for place, test in enumerate(tests):
            judged = judge([run.view(detector, test) for run, detector in pairs], test)
            measured[test.name] = measure(judged, test.groups, thresholds, self.request.resamples, place)
            seconds, images = seconds + judged.seconds, images + len(test.samples)
        cost = {
            "parameters": sum(float(card.training["parameters"]) for _, card in made),
            "training s": training,
            "head ms/image": 1000 * seconds / images,
        }
        return Outcome(self.identity, first.seed, measured, cost)


def _read_ahead(source: FeatureSource, chosen: AuxiliarySet) -> None:
    """Fill the cache, so that the time of training is that of training."""
    for samples in (chosen.train, chosen.held_out):
        loader, _ = batches(samples, source, BATCH)
        for batch in loader:
            if any(item.pixels is not None for item in batch.items):
                source.features(batch, device_of(source))


def _thresholds(views: Sequence[View], chosen: AuxiliarySet) -> tuple[Thresholds, dict[str, float]]:
    """Return the thresholds of held-out images, or of those of training where there are not both kinds."""
    held = hold_both_kinds(list(chosen.held_out))
    samples = chosen.held_out if held else chosen.train
    judged = judge(views, TestSet("held out", samples, (None,) * len(samples), ""))
    thresholds = best_thresholds(judged, "held-out images" if held else "TRAINING images")
    measured = measure(judged, (None,) * len(samples), thresholds, resamples=0)
    return thresholds, {name: found.value for name, found in measured.items()}


def _trained(detector: Detector, source: FeatureSource) -> int:
    """Return how many numbers training has changed or could have."""
    fresh = Detector(source.encoder, detector.config)
    return sum(parameter.numel() for parameter in fresh.parameters() if parameter.requires_grad)
