"""Ahead of training: what the cache lacks, in the company in which a first epoch would see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from zerosight.errors import DataError, ImageReadError
from zerosight.train.ahead import Look, Together, Wanted, fill, first_epoch
from zerosight.train.array_cache import ArrayCache, ImageKeys


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{i}.png" for i in range(6)]
    for i, path in enumerate(found):
        path.write_bytes(b"same" if i in (1, 4) else bytes([i]))
    return found


@pytest.fixture
def arrays(tmp_path: Path) -> ArrayCache:
    return ArrayCache(tmp_path / "cache", "tower", 2)


class Nobody:
    def open(self, device: str) -> Look:
        raise AssertionError("nobody loads it here")


WANTED = Wanted(Nobody(), "tower", torch.float16, "32-true")


def test_an_epoch_is_that_of_training(images):
    assert list(first_epoch(images, 4, None)) == [images[:4], images[4:]]
    assert list(first_epoch(images, 4, None, 3)) == [images[:3], images[3:4], images[4:]]
    shuffled = [image for batch in first_epoch(images, 4, 111) for image in batch]
    assert sorted(shuffled) == images != shuffled


def test_what_is_there_is_not_computed_again_and_equal_files_once(arrays, images):
    seen: list[list[str]] = []

    def elsewhere(wanted: Wanted, portions: Iterator[Together]) -> Iterator[tuple[Together, torch.Tensor]]:
        for together in portions:
            seen.append([path.name for _, path in together])
            yield together, torch.ones(len(together), 2)

    arrays.put(ImageKeys()[images[0]], torch.zeros(2))
    assert fill(arrays, WANTED, first_epoch(images, 2, None), elsewhere) == 4
    assert seen == [["1.png"], ["2.png", "3.png"], ["5.png"]]
    assert arrays.get(ImageKeys()[images[4]]).tolist() == [1, 1]
    assert arrays.get(ImageKeys()[images[0]]).tolist() == [0, 0]
    assert fill(arrays, WANTED, first_epoch(images, 2, None), elsewhere) == 0
    assert len(seen) == 3  # nobody was asked


def test_what_came_before_an_error_stays(arrays, images):
    def elsewhere(wanted: Wanted, portions: Iterator[Together]) -> Iterator[tuple[Together, torch.Tensor]]:
        yield next(portions), torch.ones(2, 2)
        raise ImageReadError(f"{images[2]}: is no image")

    with pytest.raises(ImageReadError, match=r"2\.png: is no image"):
        fill(arrays, WANTED, first_epoch(images, 2, None), elsewhere)
    assert [arrays.get(ImageKeys()[image]) is not None for image in images] == [
        True,
        True,
        False,
        False,
        True,  # as the second
        False,
    ]
    images[0].unlink()
    with pytest.raises(DataError, match=r"0\.png: cannot be read"):
        fill(arrays, WANTED, first_epoch(images, 2, None), elsewhere)
