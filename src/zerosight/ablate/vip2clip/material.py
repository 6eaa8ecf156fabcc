"""What a study reads: auxiliary images with masks to train on, and data sets to test on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zerosight.data.manifest import Dataset, fingerprint, select
from zerosight.data.masks import read_mask
from zerosight.data.rows import Record
from zerosight.errors import ConfigError, DataError
from zerosight.train.vip2clip.samples import Sample, hold_both_kinds

TRAIN, HELD_OUT, TEST = ("train",), ("val",), ("test",)


@dataclass(frozen=True, slots=True)
class TestSet:
    """Images to test on.

    Attributes:
        name: Of the data set.
        samples: The images; an anomalous one may lack a mask, and its pixels then do not count.
        groups: Group of each image, None for an image on its own.
        fingerprint: Changes with a row or a file.
    """

    __test__ = False  # for pytest

    name: str
    samples: tuple[Sample, ...]
    groups: tuple[str | None, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class AuxiliarySet:
    """Images to train on.

    Attributes:
        train: To learn from.
        held_out: To choose thresholds on.
        kinds: Kind of each image in ``train``: its category up to the slash.
        held_out_kinds: The same of ``held_out``.
        fingerprint: Changes with a row or a file.
    """

    train: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    kinds: tuple[str, ...]
    held_out_kinds: tuple[str, ...]
    fingerprint: str

    def chosen(self, images: int | None, without: Sequence[str]) -> AuxiliarySet:
        """Return the set without some kinds, and with the first so many images to learn from.

        Raises:
            ConfigError: A kind is not there, or nothing of one kind of label is left.
        """
        for kind in without:
            if kind not in self.kinds:
                known = ", ".join(sorted({*self.kinds}))
                raise ConfigError(f"without: no training image is a '{kind}'; known: {known}")
        train = [n for n, kind in enumerate(self.kinds) if kind not in without][:images]
        held = [n for n, kind in enumerate(self.held_out_kinds) if kind not in without]
        chosen = AuxiliarySet(
            tuple(self.train[n] for n in train),
            tuple(self.held_out[n] for n in held),
            tuple(self.kinds[n] for n in train),
            tuple(self.held_out_kinds[n] for n in held),
            self.fingerprint,
        )
        if not hold_both_kinds(list(chosen.train)):
            raise ConfigError("images, without: normal and anomalous training images must be left; take more")
        return chosen

    def left_out(self, without: Sequence[str]) -> TestSet:
        """Return the images of some kinds as a data set to test on."""
        kinds = (*self.kinds, *self.held_out_kinds)
        pairs = zip((*self.train, *self.held_out), kinds, strict=True)
        samples = tuple(sample for sample, kind in pairs if kind in without)
        return TestSet("kind left out", samples, (None,) * len(samples), self.fingerprint)


@dataclass(frozen=True, slots=True)
class Sets:
    """Everything that a study reads."""

    auxiliary: AuxiliarySet
    tests: tuple[TestSet, ...]


def read_sets(auxiliary: Dataset, tests: Sequence[Dataset], split: str | None = None) -> Sets:
    """Return the images of a study.

    Args:
        auxiliary: To train on: its split ``train``, with ``val`` for thresholds.
        tests: To test on: split ``test``.
        split: Another split of the auxiliary set to train on, such as ``test`` as in the paper.

    Raises:
        DataError: A set has no labelled images, an anomalous training image has no mask, or an image is both
            to be learnt from and tested on.
        ConfigError: There is nothing to test on, or two sets have one name.
    """
    names = [dataset.header.name for dataset in tests]
    if not names or len({*names}) < len(names):
        raise ConfigError("test: give at least one data set, each with a name of its own")
    train, kinds = _samples(auxiliary, TRAIN if split is None else (split,), need_masks=True)
    held, held_kinds = _samples(auxiliary, HELD_OUT, need_masks=True)
    known = fingerprint(auxiliary, {*TRAIN, *HELD_OUT, *((split,) if split else ())})
    sets = Sets(AuxiliarySet(train, held, kinds, held_kinds, known), tuple(map(_test_set, tests)))
    learnt = {sample.image.resolve() for sample in (*train, *held)}
    for test in sets.tests:
        both = next((one.image for one in test.samples if one.image.resolve() in learnt), None)
        if both is not None:
            raise DataError(f"{both}: is to be learnt from and tested on; take it out of one of them")
    return sets


def _test_set(dataset: Dataset) -> TestSet:
    samples, _ = _samples(dataset, TEST, need_masks=False)
    samples = tuple(map(_with_true_mask, samples))
    groups = tuple(record.group for record in _labelled(dataset, TEST))
    return TestSet(dataset.header.name, samples, groups, fingerprint(dataset, TEST))


def _with_true_mask(sample: Sample) -> Sample:
    """Return a sample without its mask where that marks nothing: its pixels then do not count."""
    if sample.mask is None or read_mask(sample.mask, sample.mask_threshold).any():
        return sample
    return replace(sample, mask=None)


def _labelled(dataset: Dataset, splits: Sequence[str]) -> list[Record]:
    return [record for record in select(dataset.records(), splits) if record.label is not None]


def _samples(
    dataset: Dataset, splits: Sequence[str], need_masks: bool
) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """Return the labelled images of some splits and their kinds."""
    records = _labelled(dataset, splits)
    name = dataset.header.name
    if not records and splits != HELD_OUT:
        raise DataError(f"{name}: no labelled images in split {', '.join(splits)}")
    samples = []
    for record in records:
        if need_masks and record.label == 1 and record.mask is None:
            raise DataError(f"{name}: {record.image} is anomalous but has no mask; training needs one")
        mask = dataset.resolve(record.mask) if record.mask else None
        samples.append(
            Sample(dataset.resolve(record.image), mask, dataset.header.mask_threshold, int(record.label or 0))
        )
    return tuple(samples), tuple(record.category.partition("/")[0] for record in records)
