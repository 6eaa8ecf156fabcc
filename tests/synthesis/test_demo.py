"""The demo's parts: one texture, one camera, light and position that change, the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zerosight.synthesis import demo


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PART_SIZE", 64), ("PART_NORMALS", 2), ("PART_JUDGED", 4)):
        monkeypatch.setattr(demo, name, value)


def test_good_parts_and_parts_to_judge_are_drawn_alike_every_time(tmp_path):
    first, again = (demo.make_part_data(tmp_path / name) for name in ("a", "b"))
    assert len(first.normals) == 2
    assert [mask is not None for mask in first.masks] == [False, True, False, True]
    for left, right in zip([*first.normals, *first.judged], [*again.normals, *again.judged], strict=True):
        assert left.read_bytes() == right.read_bytes()
    pixels = [np.asarray(Image.open(path)) for path in (*first.normals, *first.judged)]
    assert len({one.tobytes() for one in pixels}) == 6
    assert all(np.asarray(Image.open(mask)).any() for mask in first.masks if mask)
