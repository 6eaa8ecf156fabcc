"""Selection: which rows of a data set are evaluated, known before an image is read, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from zerosight.data.choice import check_categories, nothing_chosen
from zerosight.data.hashing import pseudonym
from zerosight.data.manifest import Dataset, Record, Skipped, located, select
from zerosight.data.masks import read_anomaly_mask, read_mask
from zerosight.data.pixels import read_image
from zerosight.errors import DataError, EmptyMaskError, ImageReadError, ZerosightError
from zerosight.evaluate.anomalies.config import EvaluationConfig
from zerosight.evaluate.anomalies.outcome import Problem
from zerosight.identity import holds, seal, stamp
from zerosight.predict.reading import Read
from zerosight.preprocess import Preprocess


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The rows of the wanted splits and categories that say something about their image.

    Attributes:
        dataset: Where they come from.
        config: The settings.
        total: Number of rows.
        categories: Categories found, in the order of the tables.
        masked: Those of them with at least one mask; the others have no pixel metrics.
        unlabelled: Rows left out because they have neither label nor mask.
        skipped: Bad rows left out.
    """

    dataset: Dataset
    config: EvaluationConfig
    total: int
    categories: tuple[str, ...]
    masked: frozenset[str]
    unlabelled: int
    skipped: Skipped

    def rows(self) -> Iterator[tuple[int, Record]]:
        """Yield the rows with their numbers, streamed; groups, which may be patients, are not named."""
        salt = self.dataset.header.name
        for number, record in enumerate(filter(_is_usable, _wanted(self.dataset, self.config, None))):
            group = None if record.group is None else pseudonym(record.group, salt)
            yield number, replace(record, group=group)

    def stamp(self, record: Record) -> str:
        """Return what a row depends on, before its files are read: they, and whether its pixels count."""
        return f"{self._counts(record)}{stamp(*self._files(record))}"

    def seal(self, stamped: str, record: Record) -> str:
        """Return a row's stamp with what its files hold, see :func:`zerosight.identity.seal`."""
        return stamped[:1] + seal(stamped[1:], *self._files(record))

    def holds(self, stamped: str, record: Record) -> bool:
        """Return whether a row's stamp is still true."""
        return stamped[:1] == self._counts(record) and holds(stamped[1:], *self._files(record))

    def _counts(self, record: Record) -> str:
        return "+" if record.category in self.masked else "-"

    def _files(self, record: Record) -> tuple[Path | str | None, ...]:
        try:
            return tuple(
                located(self.dataset, name) if name else None for name in (record.image, record.mask)
            )
        except DataError:
            return ()


@dataclass(frozen=True, slots=True, eq=False)
class ReadRow:
    """One row with its files, read.

    Attributes:
        row: Its number in the selection.
        record: The row.
        read: Its image, at its own size only where the reader keeps that, or why it cannot be read.
        mask: Anomalous pixels, at the size of the comparison; None where they are not known.
        stamp: What its files were as they were read.
        problem: What kept the image or the mask from being used.
    """

    row: int
    record: Record
    read: Read
    mask: Bool[np.ndarray, "height width"] | None
    stamp: str
    problem: Problem | None = None


class RowReader:
    """Reads rows of a selection; threads may share one.

    Args:
        selection: Where the rows come from.
        preprocess: The model's constants.
        whole: Whether to keep images at their own size as well, as tiling needs them.
    """

    def __init__(self, selection: Selection, preprocess: Preprocess, whole: bool = False) -> None:
        self.selection = selection
        self.preprocess = preprocess
        self.whole = whole

    def __call__(self, numbered: tuple[int, Record]) -> ReadRow:
        """Return a row with its files; what is wrong with them is part of it."""
        row, record = numbered
        made_of, source = self.selection.stamp(record), record.image
        try:
            path = located(self.selection.dataset, record.image)
            source = str(path)
            image = read_image(path)
        except ZerosightError as error:
            unread = Read(row, source, None, None, ImageReadError(str(error)))
            return ReadRow(row, record, unread, None, made_of, Problem("unreadable image", str(error)))
        mask, problem = self._mask(record, (image.height, image.width))
        if mask is not None and self.selection.config.resolution == "model":
            mask = self.preprocess.mask(mask)
        read = Read(row, source, image if self.whole else None, self.preprocess.pixels(image), None)
        return ReadRow(row, record, read, mask, self.selection.seal(made_of, record), problem)

    def _mask(
        self, record: Record, shape: tuple[int, int]
    ) -> tuple[Bool[np.ndarray, "height width"] | None, Problem | None]:
        """Return the mask at its image's size, or why there is none."""
        dataset = self.selection.dataset
        if record.category not in self.selection.masked:
            return None, None
        if record.label == 0:
            return np.zeros(shape, bool), None
        if record.mask is None:
            return None, Problem("missing mask", f"{record.image}: label 1, but no mask")
        read = read_anomaly_mask if record.label == 1 else read_mask
        try:
            return read(located(dataset, record.mask), dataset.header.mask_threshold, shape), None
        except EmptyMaskError as error:
            return None, Problem("empty mask", str(error))
        except DataError as error:
            return None, Problem("unusable mask", str(error))


def select_rows(dataset: Dataset, config: EvaluationConfig) -> Selection:
    """Return the selection; the rows are read once, and not held.

    Raises:
        DataError: No row is left, or, if strict, a row is bad.
    """
    skipped = Skipped()
    seen: dict[str, bool] = {}
    total = unlabelled = 0
    for record in _wanted(dataset, config, skipped):
        if not _is_usable(record):
            unlabelled += 1
            continue
        total += 1
        seen[record.category] = seen.get(record.category, False) or record.mask is not None
    if not total:
        if unlabelled:
            raise DataError(
                f"{dataset.header.name}: none of {unlabelled} images has a label or a mask; evaluation needs "
                "them"
            )
        raise DataError(nothing_chosen(dataset, config.splits, config.categories))
    order = [name for name in dataset.header.categories if name in seen]
    categories = tuple(dict.fromkeys(order + list(seen)))
    check_categories(dataset, config.splits, config.categories, categories)
    masked = frozenset(name for name, has_mask in seen.items() if has_mask)
    return Selection(dataset, config, total, categories, masked, unlabelled, skipped)


def _wanted(dataset: Dataset, config: EvaluationConfig, skipped: Skipped | None) -> Iterator[Record]:
    return select(dataset.records(config.strict, skipped), config.splits, config.categories)


def _is_usable(record: Record) -> bool:
    return record.label is not None or record.mask is not None
