"""Selection: which rows of a data set are evaluated, known before the first image is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zerosight.data.choice import check_categories, nothing_chosen
from zerosight.data.manifest import Dataset, Record, Skipped, select
from zerosight.errors import DataError
from zerosight.evaluate.config import EvaluationConfig


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
        """Yield the rows with their numbers, streamed."""
        yield from enumerate(filter(_is_usable, _wanted(self.dataset, self.config, None)))


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
