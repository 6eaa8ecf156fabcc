"""What other tools make of our annotations: Label Studio's own converter, and supervision."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow

from zerosight.integrations.labels import to_supervision
from zerosight.integrations.labels.studio import pack, unpack
from zerosight.predict.anomalies import find_regions
from zerosight.types import Prediction

MAP = np.zeros((40, 50), np.float32)
MAP[5:9, 10:20] = 0.9
MAP[30:33, 2:9] = 0.7


def test_label_studio_reads_what_we_pack_and_we_read_what_it_packs():
    brush = pytest.importorskip("label_studio_sdk.converter.brush", reason="make test-integrations has it")
    mask = MAP > 0.5
    decoded = np.asarray(brush.decode_rle(pack(mask))).reshape(40, 50, 4)[:, :, 3]
    assert np.array_equal(decoded == 255, mask)
    theirs = brush.encode_rle(np.repeat(mask.ravel().astype(np.uint8) * 255, 4))
    assert np.array_equal(unpack(theirs, mask.shape), mask)


def test_supervision_has_boxes_masks_and_peaks():
    supervision = pytest.importorskip("supervision", reason="make test-integrations has it")
    regions = find_regions(MAP, 0.5)
    found = to_supervision(Prediction("a.png", 0.8, 0.5, 0.5, MAP, regions))
    assert found.xyxy.tolist() == [[10, 5, 20, 9], [2, 30, 9, 33]]
    assert found.confidence.tolist() == pytest.approx([0.9, 0.7])
    assert np.array_equal(found.mask.any(axis=0), MAP > 0.5)
    picture = supervision.MaskAnnotator().annotate(np.zeros((40, 50, 3), np.uint8), found)
    assert picture[6, 12].any()
    assert len(to_supervision(Prediction("a.png", 0.1, 0.5, 0.5, 0 * MAP, ()))) == 0
