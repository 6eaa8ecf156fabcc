"""Predictions as other tools' annotations, and corrected annotations back as masks and a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.data.manifest import read_manifest
from zerosight.errors import DataError
from zerosight.integrations.labels import (
    import_coco,
    import_label_studio,
    region_mask,
    write_coco,
    write_fiftyone,
    write_label_studio,
    write_masks,
    write_yolo,
)
from zerosight.integrations.labels.boxes import run_lengths
from zerosight.integrations.labels.studio import pack, unpack
from zerosight.predict.anomalies import find_regions
from zerosight.types import Failure, Prediction

MAP = np.zeros((20, 30), np.float32)
MAP[5:9, 10:20] = 0.9
MAP[12, 2] = MAP[13, 3] = 0.7
WANTED = MAP >= 0.5


@pytest.fixture
def found(tmp_path) -> list[Prediction | Failure]:
    (tmp_path / "images").mkdir()
    for name in ("bad", "good"):
        Image.new("RGB", (30, 20)).save(tmp_path / "images" / f"{name}.png")
    bad = Prediction("bad.png", 0.8, 0.5, 0.5, MAP, find_regions(MAP, 0.5))
    return [bad, Prediction("good.png", 0.1, 0.5, 0.5, 0 * MAP, ()), Failure("gone.png", "gone")]


def masks_of(manifest: Path) -> dict[str, np.ndarray | None]:
    data = read_manifest(manifest)
    read = {}
    for row in data.records():
        mask = None if row.mask is None else np.asarray(Image.open(data.resolve(row.mask))) > 0
        assert data.resolve(row.image).is_file()
        assert (row.label == 1) == (mask is not None)
        read[Path(row.image).name] = mask
    return read


def test_regions_are_their_own_pixels(found, tmp_path):
    first, second = (region_mask(found[0], region) for region in found[0].regions)
    assert np.array_equal(first | second, WANTED)
    assert (first.sum(), second.sum()) == (40, 2)
    [bad, good] = write_masks(found, tmp_path / "masks")
    assert np.array_equal(np.asarray(Image.open(bad)) == 255, WANTED)
    assert not np.asarray(Image.open(good)).any()


def test_coco_there_and_back(found, tmp_path):
    path = write_coco(found, tmp_path / "coco.json")
    content = json.loads(path.read_text())
    assert [one["bbox"] for one in content["annotations"]] == [[10, 5, 10, 4], [2, 12, 2, 2]]
    assert content["annotations"][0]["segmentation"]["counts"] == run_lengths(
        region_mask(found[0], found[0].regions[0])
    )
    read = masks_of(import_coco(path, tmp_path / "images", tmp_path / "out"))
    assert np.array_equal(read["bad.png"], WANTED)
    assert read["good.png"] is None


def test_polygons_and_boxes_of_coco_are_read(found, tmp_path):
    image = {"id": 7, "file_name": "bad.png", "height": 20, "width": 30}
    shapes = [{"image_id": 7, "bbox": [1, 2, 3, 4]}]
    shapes.append({"image_id": 7, "segmentation": [[10, 10, 14, 10, 14, 14, 10, 14]]})
    (tmp_path / "c.json").write_text(json.dumps({"images": [image], "annotations": shapes}))
    mask = masks_of(import_coco(tmp_path / "c.json", tmp_path / "images", tmp_path / "out"))["bad.png"]
    assert mask[2:6, 1:4].all()
    assert mask[10:15, 10:15].all()
    assert mask.sum() == 12 + 25


def test_yolo_has_shares_of_the_image(found, tmp_path):
    bad, good = write_yolo(found, tmp_path / "labels")
    first = [float(value) for value in bad.read_text().splitlines()[0].split()]
    assert first == pytest.approx([0, 0.5, 0.35, 1 / 3, 0.2, 0.9], abs=1e-6)
    assert good.read_text() == ""
    assert (tmp_path / "labels" / "classes.txt").read_text() == "anomaly\n"


def test_label_studio_there_and_back(found, tmp_path):
    path = write_label_studio(found, tmp_path / "tasks.json")
    tasks = json.loads(path.read_text())
    box = tasks[0]["predictions"][0]["result"][0]["value"]
    assert (box["x"], box["width"]) == pytest.approx((100 / 3, 100 / 3))
    corrected = [task | {"annotations": [{"result": task["predictions"][0]["result"][1:]}]} for task in tasks]
    corrected.append({"data": {"image": "skipped.png"}, "annotations": []})
    (tmp_path / "export.json").write_text(json.dumps(corrected))
    read = masks_of(import_label_studio(tmp_path / "export.json", tmp_path / "images", tmp_path / "out"))
    assert read["good.png"] is None
    assert read["bad.png"][5:9, 10:20].all()
    assert set(read) == {"bad.png", "good.png"}


@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (200, 150)])
def test_strokes_are_packed_without_loss(shape):
    mask = np.random.default_rng(0).random(shape) > 0.8
    mask[: shape[0] // 2] = True
    assert np.array_equal(unpack(pack(mask), shape), mask)
    assert not unpack(pack(np.zeros(shape, bool)), shape).any()


@pytest.mark.parametrize("packed", [[], [1, 2, 3], [300], [0, 0, 0, 16, 57, 239, 255]])
def test_a_stroke_that_is_none_is_one_line(packed):
    with pytest.raises(DataError, match="stroke"):
        unpack(packed, (2, 2))


def test_fiftyone_has_boxes_in_shares_and_heatmaps(found, tmp_path):
    samples = json.loads(write_fiftyone(found, tmp_path / "fo").read_text())["samples"]
    assert [one["classification"]["label"] for one in samples] == ["anomaly", "normal"]
    box = samples[0]["detections"]["detections"][0]["bounding_box"]
    assert box == pytest.approx([1 / 3, 0.25, 1 / 3, 0.2])
    with Image.open(samples[0]["heatmap"]["map_path"]) as picture:
        assert (picture.mode, picture.size) == ("L", (30, 20))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read as JSON"),
        ('{"images": 3, "annotations": []}', "not as they should be"),
        (
            '{"images": [{"id": 1, "file_name": "../x.png", "height": 2, "width": 2}], "annotations": []}',
            "no such image",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a", "height": 1e9, "width": 9}], "annotations": []}',
            "cannot be",
        ),
    ],
)
def test_annotations_that_cannot_be_used_are_one_line(content, said, tmp_path):
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(DataError, match=said):
        import_coco(tmp_path / "c.json", tmp_path, tmp_path / "out")
