"""The split keeps groups whole, follows the shares and depends on nothing but the seed and the names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.data.manifest import ManifestHeader, Record, Skipped
from zerosight.data.split import split_records
from zerosight.errors import DataError

HEADER = ManifestHeader("listed", ".")


@dataclass(frozen=True)
class Listed:
    """A data set in memory."""

    rows: tuple[Record, ...]
    header: ManifestHeader = HEADER

    def records(self, strict: bool = True, skipped: Skipped | None = None) -> Iterator[Record]:
        yield from self.rows

    def resolve(self, name: str) -> Path:
        return Path(name)


SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


def test_shares_hold_in_every_category_and_for_both_labels() -> None:
    rows = tuple(
        Record(f"{category}/{label}/{number}.png", label=label, category=category)
        for category in ("screw", "nut")
        for label in (0, 1)
        for number in range(50)
    )
    counts = Counter((r.category, r.label, r.split) for r in split_records(Listed(rows), SHARES, 3))
    for category in ("screw", "nut"):
        for label in (0, 1):
            assert {split: counts[category, label, split] for split in SHARES} == {
                "train": 35,
                "validation": 5,
                "test": 10,
            }


@settings(max_examples=50, deadline=None)
@given(
    groups=st.lists(st.none() | st.integers(0, 9).map(str), max_size=60),
    seed=st.integers(0, 5),
    share=st.floats(0.05, 0.95),
)
def test_groups_stay_whole_and_order_does_not_matter(
    groups: list[str | None], seed: int, share: float
) -> None:
    rows = tuple(
        Record(f"{i}.png", label=i % 2, category=f"{i % 3}", group=group) for i, group in enumerate(groups)
    )  # type: ignore[arg-type]
    shares = {"a": share, "b": 1 - share}
    split = {r.image: r for r in split_records(Listed(rows), shares, seed)}
    assert list(split) == [row.image for row in rows]
    for group in set(groups) - {None}:
        assert len({r.split for r in split.values() if r.group == group}) == 1
    backwards = {r.image: r.split for r in split_records(Listed(rows[::-1]), shares, seed)}
    assert backwards == {name: record.split for name, record in split.items()}


def test_the_seed_decides() -> None:
    rows = tuple(Record(f"{i}.png") for i in range(100))
    splits = [[r.split for r in split_records(Listed(rows), SHARES, seed)] for seed in (0, 0, 1)]
    assert splits[0] == splits[1]
    assert splits[0] != splits[2]


def test_copies_of_one_file_stay_together() -> None:
    rows = tuple(Record(f"{i}.png", hash=f"{i // 4:064x}") for i in range(80))
    splits: dict[str | None, set[str]] = {}
    for record in split_records(Listed(rows), {"a": 0.5, "b": 0.5}, 0):
        splits.setdefault(record.hash, set()).add(record.split)
    assert all(len(parts) == 1 for parts in splits.values())


@pytest.mark.parametrize(
    "shares", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": float("nan"), "b": 1.0}, {"": 1.0}]
)
def test_shares_that_are_none_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(DataError, match=r"shares|no parts"):
        list(split_records(Listed((Record("a.png"),)), shares, 0))
