"""What a study reads: chest images with reports or labels to train on, and data sets to test on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zerosight.data.layouts import open_dataset
from zerosight.data.manifest import Dataset, fingerprint, select
from zerosight.errors import ConfigError, DataError
from zerosight.train.radz.samples import Study, read_studies
from zerosight.train.radz.validation import judged

LEARNT = ("train", "val")


@dataclass(frozen=True, slots=True)
class TestSet:
    """Images to test on.

    Attributes:
        name: Of the data set.
        studies: The images with their labels.
        findings: Those that the labels can judge.
        fingerprint: Changes with a row or a file.
    """

    __test__ = False  # for pytest

    name: str
    studies: tuple[Study, ...]
    findings: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RadzSets:
    """Everything that a study reads.

    Attributes:
        data: The data sets to train on, as they were named.
        fingerprint: Changes with a row or a file of them.
        tests: Those to test on.
    """

    data: tuple[str, ...]
    fingerprint: str
    tests: tuple[TestSet, ...]


def read_sets(
    data: Sequence[str], tests: Sequence[str], splits: Sequence[str] = ("test",), findings: Sequence[str] = ()
) -> RadzSets:
    """Return the images of a study.

    Args:
        data: Data sets to train on: splits ``train`` and ``val``.
        tests: Data sets to test on.
        splits: Their splits.
        findings: Canonical names of those to judge, where labels can; none takes all.

    Raises:
        ConfigError: There is nothing to test on, or two sets have one name.
        DataError: A set cannot be read or judges nothing, or a patient is to be learnt from and tested on.
    """
    opened = [open_dataset(text) for text in tests]
    names = [dataset.header.name for dataset in opened]
    if not names or len({*names}) < len(names):
        raise ConfigError("test: give at least one data set, each with a name of its own")
    learnt = [open_dataset(text) for text in data]
    _check_patients(learnt, opened, splits)
    known = " ".join(fingerprint(dataset, LEARNT) for dataset in learnt)
    return RadzSets(tuple(data), known, tuple(_test_set(one, tuple(splits), findings) for one in opened))


def _test_set(dataset: Dataset, splits: tuple[str, ...], findings: Sequence[str]) -> TestSet:
    studies = read_studies([dataset], splits)
    can_judge = tuple(name for name in judged(studies) if not findings or name in findings)
    if not can_judge:
        raise DataError(
            f"{dataset.header.name}: split {', '.join(splits)} judges no finding, which takes five images "
            "with it and five without; name other splits or findings"
        )
    return TestSet(dataset.header.name, tuple(studies), can_judge, fingerprint(dataset, splits))


def _check_patients(learnt: Sequence[Dataset], tests: Sequence[Dataset], splits: Sequence[str]) -> None:
    both = _patients(learnt, LEARNT) & _patients(tests, splits)
    if both:
        raise DataError(
            f"{len(both)} patients are to be learnt from and tested on; divide by patient: "
            "zerosight data split MANIFEST train=0.5 test=0.5 -o NEW"
        )


def _patients(datasets: Iterable[Dataset], splits: Sequence[str]) -> set[tuple[str, ...]]:
    """Return who is in some splits: by group within one source, or the file itself."""
    found: set[tuple[str, ...]] = set()
    for dataset in datasets:
        header = dataset.header
        for record in select(dataset.records(), splits):
            alone = str(dataset.resolve(record.image).resolve())
            found.add((header.name, header.source, record.group) if record.group else (alone,))
    return found
