"""Prepared graphs: made once, equal to the model, made again when it or they change."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from zerosight.errors import ConfigError, ExportError
from zerosight.export import prepared
from zerosight.export.prepared import load_on, prepared_graph
from zerosight.predict.anomalies import load


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "zerosight" / "graphs"


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, model_folder: Path) -> str:
    """Return the name under which the tiny model is shipped for the time of a test."""
    monkeypatch.setattr(prepared, "shipped_models", lambda: {str(model_folder): model_folder})
    monkeypatch.setattr(prepared, "_has_card", lambda: False)
    return str(model_folder)


@pytest.mark.usefixtures("trace_once")
def test_the_first_use_makes_a_graph_and_the_next_ones_take_it(cache, shipped, pixels):
    told: list[str] = []
    first = load_on("auto", shipped, tell=told.append)
    second = load_on("onnx", shipped, tell=told.append)
    assert len(told) == 1
    assert "prepares tiny for ONNX Runtime, once" in told[0]
    assert first.identity() == second.identity()
    exact = load(shipped).scorer.score(pixels)
    for ours, its in zip(second.scorer.score(pixels), exact, strict=True):
        np.testing.assert_allclose(ours, its, atol=1e-4)
    assert [path.name for path in cache.glob("*/*/*")] == ["tiny.onnx"]


@pytest.mark.usefixtures("trace_once")
def test_a_graph_that_is_damaged_or_of_another_model_is_made_again(cache, model_folder, tmp_path):
    folder = shutil.copytree(model_folder, tmp_path / "parts")
    told: list[str] = []
    path = prepared_graph("onnx", folder, told.append)
    path.write_bytes(path.read_bytes()[:1000])
    assert load_on("onnx", folder, tell=told.append).card.name == "tiny"
    assert len(told) == 2
    card = (folder / "card.json").read_text()
    (folder / "card.json").write_text(card.replace('"image": 0.45', '"image": 0.35'))
    assert load_on("onnx", folder, tell=told.append).card.thresholds.image == 0.35
    assert not path.exists()
    assert len(list(cache.glob("parts-onnx/*/parts.onnx"))) == 1


def test_who_named_no_runtime_gets_pytorch_where_no_graph_can_be_had(
    cache, shipped, model_folder, monkeypatch
):
    def refused(*_: object) -> Path:
        raise ExportError("maps differ by 0.5")

    told: list[str] = []
    monkeypatch.setattr(prepared, "prepared_graph", refused)
    found = load_on("auto", shipped, tell=told.append)
    assert found.identity() == load(model_folder).identity()
    assert told == ["computes with PyTorch, as no graph could be made (maps differ by 0.5)"]
    with pytest.raises(ExportError, match=r"maps differ by 0\.5"):
        load_on("onnx", shipped)
    monkeypatch.setattr(prepared, "find_spec", lambda name: None)
    assert load_on("auto", shipped).identity() == load(model_folder).identity()
    assert not cache.exists()


@pytest.mark.parametrize(
    ("runtime", "model", "device", "said"),
    [
        ("onnx", "parts.xml", "auto", "parts.xml is a graph and has its own"),
        ("openvino", "vip2clip-lite", "cuda", "computes on the cpu; leave --device cuda out"),
    ],
)
def test_what_does_not_go_together_is_refused(runtime, model, device, said):
    with pytest.raises(ConfigError, match=said):
        load_on(runtime, model, device)


@pytest.mark.parametrize(("device", "precision"), [("cuda", "exact"), ("cpu", "fast")])
def test_only_what_a_graph_computes_alike_is_left_to_it(shipped, device, precision):
    assert prepared._gains(shipped, "cpu", "exact")
    assert not prepared._gains(shipped, device, precision)
    assert not prepared._gains("some-folder", "cpu", "exact")
