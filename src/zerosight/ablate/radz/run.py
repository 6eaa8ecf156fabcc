"""A study of LLaVA-RadZ from its configuration to its tables.

OUT/study.yaml        the study as it was asked for
OUT/outcomes.jsonl    finished runs (see :mod:`zerosight.ablate.run`)
OUT/models/HASH/      every trained model, for :func:`zerosight.load_findings`; a run that was cut off goes on
OUT/ablation.*        the tables, the picture and the page
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from zerosight.ablate.outcome import Measured, Outcome
from zerosight.ablate.radz.config import RadzStudy, RadzVariant
from zerosight.ablate.radz.material import RadzSets
from zerosight.ablate.radz.measure import AUROC, batches, judge, measure
from zerosight.ablate.run import Step, Tell, identity_of
from zerosight.ablate.study import jobs_of, make_study
from zerosight.ablate.tables import StudyTables
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.load import load_mllm
from zerosight.config import read_mapping
from zerosight.files import sha256, write_atomically
from zerosight.models.card import CARD, WEIGHTS
from zerosight.models.catalog import find_model, load_card
from zerosight.models.llava_radz.card import RadzCard
from zerosight.models.llava_radz.folder import ADAPTER, LoadedModel, load_model
from zerosight.train.config import CacheConfig
from zerosight.train.radz.config import RadzTrainConfig
from zerosight.train.radz.features import FeatureSource
from zerosight.train.radz.material import read_material
from zerosight.train.radz.run import train_radz
from zerosight.weights import load_tensors

SCHEMA = 1
"""Of an outcome; a change of what is measured makes a new one."""

COST = "cost.json"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        study: The variants.
        sets: What they are trained and tested on.
        out: Folder for everything that is found.
        cache: Where what the tower saw is kept; without a folder, below ``out``.
        resamples: Of the bootstrap.
        about: What to say of data and command in the results.
    """

    study: RadzStudy
    sets: RadzSets
    out: Path
    cache: CacheConfig = field(default_factory=CacheConfig)
    resamples: int = 1000
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
    towers = _Towers(request)
    jobs = jobs_of(study, lambda name, seed: _Task(request, towers, settled[name], seed), step)
    return make_study(study, jobs, request.out, request.about, AUROC, tell)


class _Towers:
    """Vision towers with the cache of what they saw, each loaded once."""

    def __init__(self, request: Request) -> None:
        folder = request.cache.folder or request.out / "cache"
        self.cache = request.cache.model_copy(update={"folder": folder})
        self._built: dict[MllmConfig, FeatureSource] = {}

    def of(self, variant: RadzVariant) -> FeatureSource:
        """Return the tower that a variant looks through."""
        mllm = variant.mllm or load_card(find_model(str(variant.start)), RadzCard).mllm
        bare = mllm.model_copy(
            update={
                name: MllmConfig.model_fields[name].get_default(call_default_factory=True) for name in READING
            }
        )
        if bare not in self._built:
            self._built[bare] = FeatureSource(load_mllm(bare), self.cache)
        return self._built[bare]


READING = ("cls_tokens", "max_text_tokens", "read_layer", "image_attention", "adapt")
"""How the decoder is read and trained, which the tower does not know of."""


@dataclass(frozen=True)
class _Task:
    """One run of one variant."""

    request: Request
    towers: _Towers
    variant: RadzVariant
    seed: int

    @cached_property
    def trained_by(self) -> str:
        """What the weights depend on, as a hash."""
        variant = self.variant
        return identity_of(
            variant.training,
            {name: one.model_dump() for name, one in variant.taught.descriptions().items()},
            self.seed,
            [sha256(find_model(variant.start) / one) for one in (WEIGHTS, ADAPTER)] if variant.start else [],
            self.request.sets.fingerprint,
            self.towers.of(variant).mllm.fingerprint,
            self.towers.cache.dtype,
        )

    @cached_property
    def identity(self) -> str:
        """What the outcome depends on, as a hash."""
        asked, study = self.variant.asked, self.request.study
        tests = [(test.name, test.fingerprint, test.findings) for test in self.request.sets.tests]
        texts = {
            name: one.model_dump()
            for test in self.request.sets.tests
            for name, one in asked.descriptions(test.findings).items()
        }
        how = asked.model_dump(mode="json", include={"mode", "way", "shuffled"})
        return identity_of(SCHEMA, self.trained_by, tests, how, texts, study.watched, self.request.resamples)

    def work(self, step: Step) -> Outcome:
        """Train the variant, unless a folder holds it, and judge it on every data set."""
        source = self.towers.of(self.variant)
        loaded, cost = self._model(source, step)
        asked, mode = self.variant.asked, self.variant.mode
        measured: dict[str, dict[str, Measured]] = {}
        seconds, images = 0.0, 0
        for test in self.request.sets.tests:
            judged = judge(loaded, asked, mode, test, source)
            watched = self.request.study.watched
            measured[test.name] = measure(judged, test, watched, asked.shuffled, self.request.resamples)
            seconds, images = seconds + judged.seconds, images + len(test.studies)
        cost |= {"decoder ms/image": 1000 * seconds / images}
        return Outcome(self.identity, self.seed, measured, cost)

    def _model(self, source: FeatureSource, step: Step) -> tuple[LoadedModel, dict[str, float]]:
        """Return the model and what it cost, trained if no folder holds it."""
        if not self.variant.epochs:
            return load_model(str(self.variant.start)), {"parameters": 0.0, "training s": 0.0}
        folder = self.request.out / "models" / self.trained_by
        if not (folder / COST).is_file():
            config = self.variant.run(self.request.sets.data, folder, self.towers.cache, self.seed)
            _read_ahead(config, source)
            begin = time.perf_counter()
            if not (folder / CARD).is_file():
                train_radz(config, resume=True, callbacks=(_Steps(step),))
            files = (folder / WEIGHTS, folder / ADAPTER)
            numbers = sum(tensor.numel() for file in files for tensor in load_tensors(file).values())
            cost = {"parameters": numbers, "training s": round(time.perf_counter() - begin, 2)}
            write_atomically(folder / COST, json.dumps(cost).encode())
        return load_model(folder), {name: float(value) for name, value in read_mapping(folder / COST).items()}


def _read_ahead(config: RadzTrainConfig, source: FeatureSource) -> None:
    """Fill the cache, so that the time of training is that of training."""
    material = read_material(config)
    for batch in batches([*material.train, *material.held_out], source):
        if any(pair.seen is None for pair in batch.pairs):
            source.features(batch.pairs)


class _Steps(pl.Callback):
    """Tells how far training is."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Tell of one more step."""
        total = (trainer.max_epochs or 1) * int(trainer.num_training_batches)
        self.step(trainer.global_step, total)
