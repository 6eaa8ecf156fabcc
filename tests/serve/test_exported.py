"""Exported files served from end to end, without PyTorch in any process; run by ``make test-serve``."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import zerosight
from zerosight.serve.app import create_server
from zerosight.types import Prediction

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, make_model: Callable[[Path], None], trace_once: None
) -> Path:
    """Return a folder with a model, an image and the model as two exported files."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    pytest.importorskip("openvino")
    from zerosight.export import ExportConfig, export_model

    folder = tmp_path_factory.mktemp("exported")
    make_model(folder / "tiny")
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "part.png")
    for file, form in (("tiny.onnx", "onnx"), ("tiny.xml", "openvino")):
        values = {"out": folder / file, "model": str(folder / "tiny"), "format": form}
        export_model(ExportConfig.parse(values, "export"))
    return folder


def libraries(pid: int) -> str:
    maps = Path(f"/proc/{pid}/maps")
    return maps.read_text() if maps.exists() else ""


@pytest.mark.filterwarnings("ignore")
def test_exported_files_answer_as_the_model_does_and_need_no_torch(folder: Path, settings_of: Any) -> None:
    files = [str(folder / name) for name in ("tiny.onnx", "tiny.xml")]
    settings = settings_of(folder / "server", models=(files[0], f"vino={files[1]}"))
    (folder / "server").mkdir()
    content = (folder / "part.png").read_bytes()
    [expected] = zerosight.load(folder / "tiny").predict([folder / "part.png"])
    assert isinstance(expected, Prediction)
    server = create_server(settings)
    with TestClient(server.app) as client:
        for name in ("tiny", "vino"):
            images = {"images": ("part.png", content)}
            reply = client.post(f"/v1/predict?model={name}&map=npy", files=images)
            [found] = reply.json()["predictions"]
            assert found["score"] == pytest.approx(expected.score, abs=1e-3)
            map_ = np.load(io.BytesIO(base64.b64decode(found["map"]["data"])), allow_pickle=False)
            assert np.abs(map_ - expected.anomaly_map).max() < 5e-3
            data = [base64.b64encode(content).decode()]
            tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": data}
            score, *_ = client.post(f"/v2/models/{name}/infer", json={"inputs": [tensor]}).json()["outputs"]
            assert score["data"][0] == pytest.approx(found["score"], abs=1e-5)
            learn = client.post(f"/v1/models/{name}/normals?name=new", files=images)
            assert learn.status_code == 400
            assert "exported file cannot learn" in learn.json()["error"]
            [pid] = server.shelf.pools[name].pids
            assert "libtorch" not in libraries(pid)
