"""Choice: which parts and categories of a data set are wanted, and one line that says why there are none."""

from __future__ import annotations

from collections.abc import Collection

from zerosight.data.manifest import Dataset
from zerosight.errors import DataError, did_you_mean

SHOWN = 300


def check_categories(
    dataset: Dataset, splits: Collection[str], wanted: Collection[str] | None, found: Collection[str]
) -> None:
    """Refuse a category that none of the chosen rows has.

    Args:
        dataset: Where the rows come from.
        splits: The parts they were chosen from.
        wanted: The categories asked for; None for all.
        found: The categories of the chosen rows.

    Raises:
        DataError: As above; it names the nearest one there is.
    """
    for name in wanted or ():
        if name not in found:
            known = _categories(dataset)
            hint = did_you_mean(name, known)
            raise DataError(
                f"{dataset.header.name}: no category {name!r} in split {', '.join(splits)}{hint}; "
                f"categories: {', '.join(known)[:SHOWN]}"
            )


def nothing_chosen(
    dataset: Dataset, splits: Collection[str], wanted: Collection[str] | None, option: str = "--split"
) -> str:
    """Return why no row of a data set is in the chosen parts and categories.

    Args:
        dataset: Where the rows come from.
        splits: The parts asked for.
        wanted: The categories asked for; None for all.
        option: What chooses the parts on the command line.
    """
    name = dataset.header.name
    there = dict.fromkeys(record.split for record in dataset.records(strict=False))
    if not there:
        return f"{name}: has no images"
    if not set(there) & set(splits):
        return (
            f"{name}: no images in split {', '.join(splits)}; splits: {', '.join(there)[:SHOWN]}; "
            f"choose with {option}"
        )
    known = _categories(dataset)
    hint = did_you_mean(next(iter(wanted)), known) if wanted else ""
    return f"{name}: no category {', '.join(wanted or ())}{hint}; categories: {', '.join(known)[:SHOWN]}"


def _categories(dataset: Dataset) -> list[str]:
    return list(dict.fromkeys(record.category for record in dataset.records(strict=False)))
