"""Parts: the images that are judged, chosen on and learnt from, with no patient in two of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float64

from zerosight.data.manifest import Dataset, Skipped
from zerosight.errors import DataError
from zerosight.finding_evaluation.config import ModelEvaluationConfig, RowsConfig
from zerosight.finding_evaluation.facts import SplitFacts, split_facts
from zerosight.finding_evaluation.fraction import draw_patients
from zerosight.finding_evaluation.looks import Looks
from zerosight.finding_evaluation.rows import (
    Asked,
    Row,
    choose_findings,
    label_matrix,
    others_only,
    read_rows,
    rows_of,
)
from zerosight.models.llava_radz.descriptions import load_descriptions

MOST_EXAMPLES = 20


@dataclass(slots=True)
class LeftOut:
    """What could not be judged: how many by reason, and lines about the first ones."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, reason: str, count: int, lines: Iterable[str] = ()) -> None:
        """Count some more."""
        if count:
            self.counts[reason] += count
            self.examples = [*self.examples, *lines][:MOST_EXAMPLES]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows of one part, all with at least one label that counts.

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

    def facts(self) -> SplitFacts:
        """Return which images these are."""
        return split_facts(self.name, [row.image for row in self.rows], self.patients)

    def seen(self, looks: Looks) -> Part:
        """Return the part without the images that could not be used.

        Raises:
            DataError: None is left.
        """
        keep = [looks[row.image].feature is not None for row in self.rows]
        if not any(keep):
            first = looks[self.rows[0].image].detail
            raise DataError(
                f"none of the {len(keep)} images of {self.name} could be used; the first: {first}"
            )
        rows = [row for row, fine in zip(self.rows, keep, strict=True) if fine]
        return Part(self.name, rows, self.labels[np.array(keep)])


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What an evaluation is about.

    Attributes:
        asked: The findings.
        test: Judged.
        val: Chosen on; None without.
        train: Learnt from, by share.
        left_out: What was not taken.
    """

    asked: tuple[Asked, ...]
    test: Part
    val: Part | None
    train: Mapping[float, Part]
    left_out: LeftOut

    def __iter__(self) -> Iterator[Part]:
        """Run over all parts, the judged one first."""
        yield self.test
        if self.val is not None:
            yield self.val
        yield from self.train.values()

    @property
    def findings(self) -> list[str]:
        """The findings whose anchors are asked, in order."""
        return [one.finding for one in self.asked]

    def seen(self, looks: Looks) -> Parts:
        """Return the parts without the images that could not be used; they are counted once each.

        Raises:
            DataError: A part has none left.
        """
        every = {row.image: row for part in self for row in part.rows}
        for look in looks.problems(every.values()):
            self.left_out.add(look.problem, 1, [look.detail])
        return replace(
            self,
            test=self.test.seen(looks),
            val=self.val.seen(looks) if self.val else None,
            train={share: part.seen(looks) for share, part in self.train.items()},
        )


def find_parts(dataset: Dataset, config: ModelEvaluationConfig) -> Parts:
    """Return the parts of a data set that an evaluation needs.

    Raises:
        ConfigError: A label is not in the data or asked for twice.
        DataError: A part has no rows, or there is nothing to judge.
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
    return Parts(asked, test, val, train, left_out)


def wanted_rows(dataset: Dataset, splits: Sequence[str], config: RowsConfig) -> tuple[list[Row], LeftOut]:
    """Return the rows of some splits, and what was left out.

    Raises:
        DataError: ``config.strict`` is set and a row is bad.
    """
    skipped, left_out = Skipped(), LeftOut()
    rows = read_rows(dataset, splits, config, skipped)
    left_out.add("bad row", skipped.count, skipped.reasons)
    return rows, left_out


def asked_of(rows: Sequence[Row], config: RowsConfig, left_out: LeftOut) -> tuple[Asked, ...]:
    """Return the findings that are judged on some rows; those that cannot be are left out.

    Raises:
        ConfigError: A label is not in the data or asked for twice.
        DataError: There is nothing to judge.
    """
    described = None if config.write else load_descriptions(config.descriptions)
    asked, others = choose_findings(rows, config, described)
    for reason in dict.fromkeys(others.values()):
        names = [name for name, why in others.items() if why == reason]
        left_out.add(f"finding {reason}", len(names), [f"finding {reason}: {', '.join(names)}"])
    return asked


def labelled(rows: Sequence[Row], asked: Sequence[Asked], left_out: LeftOut) -> Part:
    """Return the part of the rows with at least one known label of the findings.

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
    return Part(name, [row for row, keep in zip(rows, known, strict=True) if keep], labels[known])


def _apart(rows: list[Row], asked: Sequence[Asked], taken: Sequence[Part], left_out: LeftOut) -> Part:
    """Return a part without the patients of others.

    Raises:
        DataError: No row is left.
    """
    name, where = _name(rows), " or ".join(part.name for part in taken)
    own = others_only(rows, (row for part in taken for row in part.rows))
    if not own:
        raise DataError(f"{name}: all {len(rows)} images are of patients in {where}; choose another split")
    left_out.add(f"image in {name} of a patient in {where}", len(rows) - len(own))
    return labelled(own, asked, left_out)


def _drawn(pool: Part, share: float, asked: Sequence[Asked], seed: int) -> Part:
    """Return the part of a share of the patients."""
    rows = draw_patients(pool.rows, share, seed)
    return Part(f"{100 * share:g} % of {pool.name}", rows, label_matrix(rows, [one.label for one in asked]))


def _name(rows: Sequence[Row]) -> str:
    """Return what to call the part of some rows: their splits."""
    return " and ".join(sorted({row.split for row in rows}))
