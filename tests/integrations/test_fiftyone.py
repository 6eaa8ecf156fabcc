"""What FiftyOne itself makes of our samples. Its database is not needed to read them, and is not started."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

from zerosight.integrations.labels import write_fiftyone
from zerosight.predict.anomalies import find_regions
from zerosight.types import Prediction

MAP = np.zeros((40, 50), np.float32)
MAP[5:9, 10:20] = 0.9


def test_fiftyone_reads_samples_boxes_and_heatmaps(tmp_path, monkeypatch):
    for name in ("FIFTYONE_DISABLE_SERVICES", "FIFTYONE_DO_NOT_TRACK"):
        monkeypatch.setenv(name, "1")
    fiftyone = pytest.importorskip("fiftyone", reason="make test-integrations has it")
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    found = [Prediction(str(tmp_path / "a.png"), 0.8, 0.5, 0.5, MAP, find_regions(MAP, 0.5))]
    written = json.loads(write_fiftyone(found, tmp_path / "out").read_text())["samples"]
    [sample] = [fiftyone.Sample.from_dict(one) for one in written]
    assert sample.filepath == str(tmp_path / "a.png")
    assert (sample.classification.label, sample.classification.confidence) == ("anomaly", 0.8)
    [box] = sample.detections.detections
    assert isinstance(box, fiftyone.Detection)
    assert box.bounding_box == pytest.approx([0.2, 0.125, 0.2, 0.1])
    heat = sample.heatmap.get_map()
    assert heat.shape == MAP.shape
    assert heat[6, 12] > heat[30, 30]
    assert list(sample.heatmap.range) == [0, 255]
