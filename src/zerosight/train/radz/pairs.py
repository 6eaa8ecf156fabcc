"""Pairs of image and text: what one step needs of each study."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from zerosight.data.pixels import read_image
from zerosight.data.synthetic.chest.reports import report_sentences
from zerosight.errors import DataError
from zerosight.files import sha256
from zerosight.preprocess import Preprocess
from zerosight.train.radz.config import RadzTrainConfig
from zerosight.train.radz.studies import Labels, Study


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
        if not study.known or study.contradicts_itself:
            return study.report  # empty for held-out images, which are only looked at
        both = self.config.text == "both" and study.report and study.diseases
        if study.report and not (both and rng.random() < 0.5):
            return study.report
        return report_sentences(study.labels, rng)

    def _key(self, index: int) -> str:
        if index not in self._keys:
            path = self.studies[index].image
            try:
                self._keys[index] = sha256(path)
            except OSError as error:
                raise DataError(f"{path}: cannot be read ({error.strerror})") from None
        return self._keys[index]
