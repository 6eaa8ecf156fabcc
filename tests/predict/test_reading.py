"""Images read in batches, and batches with holes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zerosight.errors import ImageReadError
from zerosight.predict.reading import failure, read_batches, score_readable


def pixels(image: Image.Image) -> np.ndarray:
    return np.array(image.convert("RGB").resize((8, 8)))


def picture(value: int) -> np.ndarray:
    return np.full((8, 8, 3), value, np.uint8)


def means(batch: np.ndarray) -> list[int]:
    return [int(one.mean()) for one in batch]


def test_every_image_knows_its_place_and_its_source(tmp_path):
    Image.fromarray(picture(7)).save(tmp_path / "a.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    images = [picture(3), tmp_path / "a.png", str(tmp_path / "bad.png"), picture(9)]
    batches = list(read_batches(images, pixels, batch_size=3))
    assert [len(batch) for batch in batches] == [3, 1]
    reads = [read for batch in batches for read in batch]
    assert [read.index for read in reads] == [0, 1, 2, 3]
    assert [read.source for read in reads] == ["image 0", str(images[1]), images[2], "image 3"]
    assert [read.image is None for read in reads] == [False, False, True, False]
    assert failure(reads[2], "skip").source == images[2]
    with pytest.raises(ImageReadError, match=r"bad\.png"):
        failure(reads[2], "stop")


@pytest.mark.parametrize("holes", [(), (0,), (2,), (0, 1), (1, 3), (0, 1, 2, 3)])
def test_each_result_is_that_of_its_own_image_wherever_the_holes_are(holes):
    batch = [None if place in holes else picture(10 * place) for place in range(4)]
    expected = [None if place in holes else 10 * place for place in range(4)]
    assert score_readable(batch, means) == expected
    assert score_readable(batch, lambda readable: iter(means(readable))) == expected


def test_a_batch_of_holes_does_not_reach_the_model():
    assert score_readable([None, None], lambda readable: pytest.fail("there is nothing to score")) == [
        None,
        None,
    ]
    assert score_readable([], means) == []


def test_a_model_that_loses_a_result_is_noticed():
    with pytest.raises(ValueError, match="zip"):
        score_readable([picture(1), None, picture(2)], lambda readable: means(readable)[1:])
