"""Pairs of image and text for training: what one step needs of each study."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from zerosight.data.chest.extract import extract_labels
from zerosight.data.chest.findings import canonical
from zerosight.data.chest.reports import clean_report
from zerosight.data.manifest import read_manifest, select
from zerosight.data.pixels import read_image
from zerosight.data.rows import Record
from zerosight.data.synthetic.chest.reports import report_sentences
from zerosight.errors import DataError
from zerosight.files import sha256
from zerosight.preprocess import Preprocess
from zerosight.train.radz.config import RadzTrainConfig

Labels = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Study:
    """One image with what is known of it.

    Attributes:
        image: Its file.
        report: Cleaned report; empty if there is none.
        labels: Canonical findings: 1 present, 0 absent, None not known.
    """

    image: Path
    report: str
    labels: Labels

    @property
    def diseases(self) -> frozenset[str]:
        """The categories the study belongs to; a study without any is "no finding" only if that is said."""
        return frozenset(name for name, value in self.labels.items() if value == 1)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One study as a step sees it: what the tower saw, or the pixels to look at."""

    key: str
    seen: Float[Tensor, "token vision"] | None
    pixels: UInt8[np.ndarray, "size size 3"] | None
    text: str
    labels: Labels


@dataclass(frozen=True, slots=True, eq=False)
class PairBatch:
    """Pairs of one step."""

    pairs: list[Pair]

    @property
    def text_ids(self) -> Int[Tensor, "batch"]:
        """Equal numbers where texts are equal, in every process alike."""
        return torch.tensor([hash_of(pair.text) for pair in self.pairs])

    def multi_hot(self, names: tuple[str, ...]) -> Bool[Tensor, "batch classes"]:
        """Return which of the categories each pair has."""
        rows = [[pair.labels.get(name) == 1 for name in names] for pair in self.pairs]
        return torch.tensor(rows, dtype=torch.bool).view(len(rows), len(names))


def hash_of(text: str) -> int:
    """Return a number of 63 bits that two different texts practically never share."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def read_studies(config: RadzTrainConfig, splits: tuple[str, ...], paired: bool = True) -> list[Study]:
    """Return the studies of some splits, by default those with the text that the configuration asks for.

    Raises:
        DataError: A manifest is bad.
    """
    studies = []
    for path in config.data:
        manifest = read_manifest(path)
        for record in select(manifest.records(), splits):
            study = _study(record, manifest.resolve(record.image), config)
            if not paired or study.report or (config.text != "report" and study.diseases):
                studies.append(study)
    if paired and config.limit is not None and len(studies) > config.limit:
        studies = random.Random(config.seed).sample(studies, config.limit)
    return studies


def categories(studies: list[Study]) -> tuple[str, ...]:
    """Return the findings that some study has, by name."""
    return tuple(sorted({name for study in studies for name in study.diseases}))


def _study(record: Record, image: Path, config: RadzTrainConfig) -> Study:
    report = clean_report(record.text).text if record.text and config.text != "labels" else ""
    labels: dict[str, int | None] = {}
    if config.labels != "report":
        labels = {canonical(name): value for name, value in record.labels.items()}
    if record.text and (config.labels == "report" or (config.labels == "both" and not labels)):
        labels = extract_labels(record.text)
    return Study(image, report, labels)


class StudyData(Dataset[Pair]):
    """Pairs by (epoch, index); where there is a choice of texts, the epoch's is drawn by seed.

    Args:
        studies: From :func:`read_studies`.
        preprocess: The language model's constants.
        lookup: Returns what the tower saw by key, or None.
        config: Which texts, and the seed.
    """

    def __init__(
        self,
        studies: list[Study],
        preprocess: Preprocess,
        lookup: Callable[[str], Tensor | None],
        config: RadzTrainConfig,
    ) -> None:
        self.studies = studies
        self.preprocess = preprocess
        self.lookup = lookup
        self.config = config
        self._keys: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.studies)

    def __getitem__(self, at: tuple[int, int]) -> Pair:
        epoch, index = at
        study = self.studies[index]
        key = self._key(index)
        seen = self.lookup(key)
        pixels = self.preprocess.pixels(read_image(study.image)) if seen is None else None
        rng = np.random.default_rng([self.config.seed, epoch, index])
        return Pair(key, seen, pixels, self._text(study, rng), study.labels)

    def _text(self, study: Study, rng: np.random.Generator) -> str:
        if not study.report and not study.diseases:
            return ""  # held out, and only looked at
        from_labels = self.config.text == "labels" or not study.report
        if self.config.text == "both" and study.report and study.diseases:
            from_labels = rng.random() < 0.5
        return report_sentences(study.labels, rng) if from_labels else study.report

    def _key(self, index: int) -> str:
        if index not in self._keys:
            path = self.studies[index].image
            try:
                self._keys[index] = sha256(path)
            except OSError as error:
                raise DataError(f"{path}: cannot be read ({error.strerror})") from None
        return self._keys[index]
