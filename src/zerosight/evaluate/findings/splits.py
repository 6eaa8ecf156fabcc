"""Splits: the images that are judged, chosen on and learnt from, with no patient in two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from zerosight.data.manifest import Dataset
from zerosight.errors import DataError
from zerosight.evaluate.findings.config import ModelEvaluationConfig
from zerosight.evaluate.findings.feature_store import FeatureStore
from zerosight.evaluate.findings.provenance import SplitImages, split_images
from zerosight.evaluate.findings.selection import (
    Asked,
    Omissions,
    Row,
    asked_of,
    draw_patients,
    label_matrix,
    others_only,
    rows_of,
    wanted_rows,
)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Rows of one split, all with at least one label that counts.

    Attributes:
        name: What to call it, such as ``test`` or ``1 % of train``.
        rows: Sorted by image.
        labels: Of the findings asked for: 1, 0 or NaN.
    """

    name: str
    rows: list[Row]
    labels: Float64[np.ndarray, "images classes"]

    @property
    def patients(self) -> list[str | None]:
        """Patient of each row."""
        return [row.patient for row in self.rows]

    def identity(self) -> SplitImages:
        """Return which images these are."""
        return split_images(self.name, [row.image for row in self.rows], self.patients)

    def seen(self, store: FeatureStore) -> Split:
        """Return the split without the images that could not be used.

        Raises:
            DataError: None is left.
        """
        keep = [store[row.image].feature is not None for row in self.rows]
        if not any(keep):
            first = store[self.rows[0].image].detail
            raise DataError(
                f"none of the {len(keep)} images of {self.name} could be used; the first: {first}"
            )
        rows = [row for row, fine in zip(self.rows, keep, strict=True) if fine]
        return Split(self.name, rows, self.labels[np.array(keep)])


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """What an evaluation is about.

    Attributes:
        asked: The findings.
        test: Judged.
        val: Chosen on; None without.
        train: Learnt from, by share.
        left_out: What was not taken.
    """

    asked: tuple[Asked, ...]
    test: Split
    val: Split | None
    train: Mapping[float, Split]
    left_out: Omissions

    def __iter__(self) -> Iterator[Split]:
        """Run over all splits, the judged one first."""
        yield self.test
        if self.val is not None:
            yield self.val
        yield from self.train.values()

    @property
    def findings(self) -> list[str]:
        """The findings whose anchors are asked, in order."""
        return [one.finding for one in self.asked]

    def seen(self, store: FeatureStore) -> Splits:
        """Return the splits without the images that could not be used; they are counted once each.

        Raises:
            DataError: A split has none left.
        """
        every = {row.image: row for split in self for row in split.rows}
        for failed in store.failures(every.values()):
            self.left_out.add(failed.problem, 1, [failed.detail])
        return replace(
            self,
            test=self.test.seen(store),
            val=self.val.seen(store) if self.val else None,
            train={share: split.seen(store) for share, split in self.train.items()},
        )


def find_splits(dataset: Dataset, config: ModelEvaluationConfig) -> Splits:
    """Return the splits of a data set that an evaluation needs.

    Raises:
        ConfigError: A label is not in the data or asked for twice.
        DataError: A split has no rows, or there is nothing to judge.
    """
    learn = config.train_splits if config.finetune else ()
    splits = (*config.splits, *config.val_splits, *learn)
    rows, left_out = wanted_rows(dataset, splits, config)
    test_rows = rows_of(dataset, rows, config.splits, config)
    asked = asked_of(test_rows, config, left_out)
    test = labelled(test_rows, asked, left_out)
    val = pool = None
    if config.val_splits:
        chosen = rows_of(dataset, rows, config.val_splits, config, "--val-split")
        val = _apart(chosen, asked, [test], left_out)
    if learn:
        chosen = rows_of(dataset, rows, learn, config, "--train-split")
        pool = _apart(chosen, asked, [test, val] if val else [test], left_out)
    train = {share: _drawn(pool, share, asked, config.seed) for share in config.finetune if pool is not None}
    return Splits(asked, test, val, train, left_out)


def labelled(rows: Sequence[Row], asked: Sequence[Asked], left_out: Omissions) -> Split:
    """Return the split of the rows with at least one known label of the findings.

    Raises:
        DataError: There is none.
    """
    name = _name(rows)
    labels = label_matrix(rows, [one.label for one in asked])
    known = ~np.isnan(labels).all(axis=1)
    if not known.any():
        names = ", ".join(one.name for one in asked)
        raise DataError(
            f"{name}: none of {len(rows)} images has a known label of {names}; choose another split"
        )
    left_out.add(f"image in {name} without a known label", int((~known).sum()))
    return Split(name, [row for row, keep in zip(rows, known, strict=True) if keep], labels[known])


def _apart(rows: list[Row], asked: Sequence[Asked], taken: Sequence[Split], left_out: Omissions) -> Split:
    """Return a split without the patients of others.

    Raises:
        DataError: No row is left.
    """
    name, where = _name(rows), " or ".join(split.name for split in taken)
    own = others_only(rows, (row for split in taken for row in split.rows))
    if not own:
        raise DataError(f"{name}: all {len(rows)} images are of patients in {where}; choose another split")
    left_out.add(f"image in {name} of a patient in {where}", len(rows) - len(own))
    return labelled(own, asked, left_out)


def _drawn(pool: Split, share: float, asked: Sequence[Asked], seed: int) -> Split:
    """Return the split of a share of the patients."""
    rows = draw_patients(pool.rows, share, seed)
    return Split(f"{100 * share:g} % of {pool.name}", rows, label_matrix(rows, [one.label for one in asked]))


def _name(rows: Sequence[Row]) -> str:
    """Return what to call the split of some rows."""
    return " and ".join(sorted({row.split for row in rows}))
