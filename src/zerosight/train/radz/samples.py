"""Studies to train on: what data sets say of each image, which are of no use and why, and a step's pairs."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from zerosight.data.chest.extract import extract_labels
from zerosight.data.chest.names import NO_DISEASE, NO_FINDING, canonical
from zerosight.data.chest.reports import MAX_CHARACTERS, clean_report
from zerosight.data.chest.wording import report_sentences
from zerosight.data.manifest import Dataset as Images
from zerosight.data.manifest import select
from zerosight.data.pixels import read_image
from zerosight.data.rows import Record
from zerosight.errors import DataError
from zerosight.preprocess import Preprocess
from zerosight.train.array_cache import ImageKeys
from zerosight.train.radz.config import LabelSource, TextSource

Labels = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Study:
    """One image with what is known of it.

    Attributes:
        image: Its file.
        patient: Who must not be on both sides of a split: data set and group, or the image without a group.
        report: Cleaned report; empty if there is none, or none to be used.
        labels: Canonical findings: 1 present, 0 absent, None not known.
    """

    image: Path
    patient: str
    report: str
    labels: Labels

    @property
    def diseases(self) -> frozenset[str]:
        """The categories the study belongs to; a study without any is "no finding" only if that is said."""
        return frozenset(name for name, value in self.labels.items() if value == 1)

    @property
    def known(self) -> frozenset[str]:
        """The findings known to be there or not, which a sentence could say."""
        return frozenset(name for name, value in self.labels.items() if value is not None)

    @property
    def contradicts_itself(self) -> bool:
        """Whether it is without a finding and has one."""
        return NO_FINDING in self.diseases and not self.diseases <= frozenset(NO_DISEASE)


def read_studies(
    datasets: Sequence[Images],
    splits: tuple[str, ...],
    text: TextSource = "report",
    labels: LabelSource = "both",
    skipped: Counter[str] | None = None,
    kept_out: Sequence[str] = (),
) -> list[Study]:
    """Return the studies of some splits.

    Args:
        datasets: Where they are.
        splits: Names of splits.
        text: What an image is paired with.
        labels: Where diseases come from.
        skipped: Told why studies are left out that no text can be paired with, which are then left out
            (our default); None keeps every image, as held-out ones need no text.
        kept_out: Findings, in any spelling, that nothing is to be learnt of: images that show one are left
            out, and the labels of all others, with "no finding", which speaks of all, count as not known.

    Raises:
        DataError: A manifest is bad, or images are missing.
    """
    studies = []
    for dataset in datasets:
        for record in select(dataset.records(), splits):
            image = dataset.resolve(record.image)
            patient = f"{dataset.header.name}/{record.group}" if record.group else str(image.resolve())
            study, problem = _study(record, Study(image, patient, "", {}), text, labels)
            if kept_out:
                study, problem = _without(study, {*map(canonical, kept_out)}, problem)
            if skipped is not None and problem:
                skipped[problem] += 1
            else:
                studies.append(study)
    missing = [study.image for study in studies if not study.image.is_file()]
    if missing:
        raise DataError(f"{missing[0]}: is missing ({len(missing)} of {len(studies)} images are)")
    return studies


def draw(studies: list[Study], limit: int | None, seed: int) -> list[Study]:
    """Return at most so many of the studies, drawn by seed."""
    if limit is None or limit >= len(studies):
        return studies
    return random.Random(seed).sample(studies, limit)


def categories(studies: list[Study]) -> tuple[str, ...]:
    """Return the findings that some study has, by name."""
    return tuple(sorted({name for study in studies for name in study.diseases}))


def check_patients(train: list[Study], held_out: list[Study]) -> None:
    """Refuse patients on both sides; how many are named, not who.

    Raises:
        DataError: There are any.
    """
    shared = {study.patient for study in train} & {study.patient for study in held_out}
    if shared:
        raise DataError(
            f"{len(shared)} of the held-out patients {'is' if len(shared) == 1 else 'are'} in the training "
            "data too; divide by patient: zerosight data split MANIFEST train=0.8 val=0.2 -o NEW"
        )


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


class StudyData(Dataset[Pair]):
    """Pairs by (epoch, index); where there is a choice of texts, the epoch's is drawn by seed.

    Args:
        studies: From :func:`~.studies.read_studies`.
        preprocess: The language model's constants.
        lookup: Returns what the tower saw by key, or None.
        text: What an image is paired with.
        seed: Of the texts drawn.
    """

    def __init__(
        self,
        studies: list[Study],
        preprocess: Preprocess,
        lookup: Callable[[str], Tensor | None],
        text: TextSource,
        seed: int,
    ) -> None:
        self.studies = studies
        self.preprocess = preprocess
        self.lookup = lookup
        self.text, self.seed = text, seed
        self._keys = ImageKeys()

    def __len__(self) -> int:
        return len(self.studies)

    def __getitem__(self, at: tuple[int, int]) -> Pair:
        epoch, index = at
        study = self.studies[index]
        key = self._keys[study.image]
        seen = self.lookup(key)
        pixels = self.preprocess.pixels(read_image(study.image)) if seen is None else None
        rng = np.random.default_rng([self.seed, epoch, index])
        return Pair(key, seen, pixels, self._text(study, rng), study.labels)

    def _text(self, study: Study, rng: np.random.Generator) -> str:
        if not study.known or study.contradicts_itself:
            return study.report  # empty for held-out images, which are only looked at
        both = self.text == "both" and study.report and study.diseases
        if study.report and not (both and rng.random() < 0.5):
            return study.report
        return report_sentences(study.labels, rng)


def _study(record: Record, bare: Study, text: TextSource, source: LabelSource) -> tuple[Study, str]:
    """Return the study, and why no text can be paired with it; that is empty if one can."""
    report, problem = _report(record.text)
    labels: dict[str, int | None] = {}
    if source != "report":
        labels = {canonical(name): value for name, value in record.labels.items()}
    if source == "report" or (source == "both" and not labels):
        labels = extract_labels(report)
    study = replace(bare, report="" if text == "labels" else report, labels=labels)
    if study.contradicts_itself:
        return study, f"'{NO_FINDING}' beside a finding"
    if study.report or (study.known and text != "report"):
        return study, ""
    return study, problem if text != "labels" else "no label"


def _without(study: Study, kept_out: Collection[str], problem: str) -> tuple[Study, str]:
    """Return a study that says nothing of some findings, and why it is of no use."""
    if study.diseases & {*kept_out}:
        return replace(study, labels={}), "a finding that is kept out"
    left = {name: value for name, value in study.labels.items() if name not in {*kept_out, NO_FINDING}}
    quiet = replace(study, labels=left)
    return quiet, problem or ("" if quiet.known else "no label")


def _report(text: str | None) -> tuple[str, str]:
    """Return the cleaned report, or an empty one and what is wrong with it."""
    if text is None:
        return "", "no report"
    report = clean_report(text)
    if report.cut:
        return "", f"report of more than {MAX_CHARACTERS} characters"
    if not report.text:
        return "", "empty report"
    return (report.text, "") if report.english else ("", "report not in English")
