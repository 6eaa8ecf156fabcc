"""Regions: rows that carry them, and what they cover on a grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.data.manifest import ManifestHeader, Record, read_manifest, write_manifest
from zerosight.data.regions import lung_grids, region_grid
from zerosight.errors import DataError


def manifest(folder: Path, **regions: object):
    record = Record("a.png", labels={"mass": 1}, regions=regions)
    write_manifest(folder / "rows.jsonl", ManifestHeader("rows", "."), [record])
    return read_manifest(folder / "rows.jsonl")


def test_rows_keep_masks_and_boxes(tmp_path):
    regions = {"mass": ((0.25, 0.5, 0.75, 1.0),), "nodule": "masks/a.png"}
    [record] = manifest(tmp_path, **regions).records()
    assert record.regions == regions
    assert "regions" not in Record("b.png").to_json()


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ([[0.5, 0, 0.4, 1]], "left < right"),
        ([[0, 0, 1, 1.5]], "as shares of the image"),
        ([[0, 0, 1]], "list of boxes"),
        ([[0, 0, 1, True]], "list of boxes"),
        (7, "path of a mask or a list of boxes"),
        ("../a.png", "leaves the root"),
    ],
)
def test_rows_refuse_regions_that_are_none(region, said):
    with pytest.raises(DataError, match=said) as error:
        Record.from_json({"image": "a.png", "regions": {"mass": region}})
    assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="object of findings"):
        Record.from_json({"image": "a.png", "regions": []})


def test_a_box_covers_its_share_of_the_grid(tmp_path):
    data = manifest(tmp_path, mass=((0.25, 0.5, 0.75, 1.0), (0.0, 0.0, 0.125, 0.125)))
    [record] = data.records()
    expected = np.zeros((8, 8), dtype=bool)
    expected[4:, 2:6] = True
    expected[0, 0] = True
    np.testing.assert_array_equal(region_grid(data, record.regions["mass"], 8), expected)


def test_a_mask_of_any_size_covers_its_share_and_a_speck_stays(tmp_path):
    mask = np.zeros((40, 80), dtype=np.uint8)
    mask[:20, 60:] = 255
    Image.fromarray(mask).save(tmp_path / "half.png")
    speck = np.zeros((40, 80), dtype=np.uint8)
    speck[21, 41] = 255
    Image.fromarray(speck).save(tmp_path / "speck.png")
    data = manifest(tmp_path, mass="half.png")
    expected = np.zeros((4, 4), dtype=bool)
    expected[:2, 3] = True
    np.testing.assert_array_equal(region_grid(data, "half.png", 4), expected)
    found = region_grid(data, "speck.png", 4)
    assert found.sum() == 1
    assert found[2, 2]
    with pytest.raises(DataError, match=r"missing\.png"):
        region_grid(data, "missing.png", 4)


def test_lungs_stand_apart_where_no_mask_says_where_they_are(tmp_path):
    data = manifest(tmp_path)
    right, left = lung_grids(data, {}, 100)
    assert not (right & left).any()
    np.testing.assert_array_equal(right, left[:, ::-1])
    assert np.argwhere(right)[:, 1].max() < 50  # the patient's right is at the left of the picture
    own, _ = lung_grids(data, {"right lung": ((0.0, 0.0, 0.5, 1.0),)}, 10)
    assert own[:, :5].all()
    assert not own[:, 5:].any()
