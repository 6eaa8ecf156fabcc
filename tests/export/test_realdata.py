"""The shipped model, exported, on real images: every runtime says what PyTorch says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zerosight
from zerosight.data.find import find_images
from zerosight.export import ExportConfig, export_model


@pytest.mark.realdata
def test_exports_of_the_shipped_model_agree_on_real_images(realdata: Path, tmp_path: Path):
    pytest.importorskip("openvino")
    photos = [
        path
        for name in ("brain_mri", "magnetic_tile")
        for path in list(find_images([str(realdata / name)]))[:6]
    ]
    expected = list(zerosight.load().predict(photos))
    for kind, name in (("onnx", "model.onnx"), ("openvino", "model.xml")):
        done = export_model(ExportConfig.parse({"out": tmp_path / name, "format": kind}))
        assert done.agreement.score < 1e-4
        for one, two in zip(expected, zerosight.load(done.path).predict(photos), strict=True):
            assert one.score == pytest.approx(two.score, abs=1e-4)
            np.testing.assert_allclose(one.anomaly_map, two.anomaly_map, atol=1e-3)
            assert one.is_anomalous == two.is_anomalous
    fast = [
        zerosight.load(precision="fast").predict(photos),
        zerosight.load(tmp_path / "model.xml", precision="fast").predict(photos),
    ]
    for found in fast:
        for one, two in zip(expected, found, strict=True):
            assert one.score == pytest.approx(two.score, abs=0.05)
