from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import zerosight
from zerosight.errors import ConfigError, ExportError, OutputError, WeightsError
from zerosight.export import ExportConfig, check, export_model, run
from zerosight.runtimes.load import load_graph

pytestmark = pytest.mark.slow

FILES = {"onnx": "model.onnx", "openvino": "model.xml"}
BOTH = pytest.mark.parametrize("kind", ["onnx", "openvino"])


@pytest.fixture
def export(model_folder, trace_once, tmp_path):
    """Return a function that exports the tiny model and gives what export_model does."""

    def call(kind: str, **settings: object):
        pytest.importorskip("openvino" if kind == "openvino" else "onnxruntime")
        values = {"model": str(model_folder), "format": kind, "out": tmp_path / FILES[kind]}
        return export_model(ExportConfig.parse(values | settings))

    return call


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    for i in range(5):
        coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(coarse).resize((60, 50)).save(tmp_path / "photos" / f"{i}.png")
    return tmp_path / "photos"


@BOTH
def test_the_graph_is_the_model_for_any_batch(export, scorer, pixels, kind):
    done = export(kind)
    assert done.agreement.score < 1e-5
    assert done.agreement.map < 1e-5
    graph = load_graph(done.path)
    for batch in (pixels[:1], pixels):
        for expected, found in zip(scorer.score(batch), graph.score(batch), strict=True):
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, expected, atol=1e-5)


@BOTH
def test_an_exported_graph_is_a_predictor_with_the_models_card(export, model_folder, photos, kind):
    done = export(kind)
    model, graph = zerosight.load(model_folder), zerosight.load(done.path)
    assert graph.card == model.card
    for expected, found in zip(
        model.predict([*photos.iterdir()]), graph.predict([*photos.iterdir()]), strict=True
    ):
        assert found.score == pytest.approx(expected.score, abs=1e-5)
        assert found.threshold == 0.45
        np.testing.assert_allclose(found.anomaly_map, expected.anomaly_map, atol=1e-5)


@BOTH
def test_an_exported_predictor_can_be_sent_to_another_process(export, pixels, kind):
    graph = zerosight.load(export(kind).path)
    copy = pickle.loads(pickle.dumps(graph))
    for expected, found in zip(graph.scorer.score(pixels), copy.scorer.score(pixels), strict=True):
        assert np.array_equal(found, expected)


@BOTH
def test_half_precision_halves_the_file(export, kind):
    whole, half = export(kind).megabytes, export(kind, precision="fp16")
    assert half.megabytes < 0.7 * whole
    assert 0 < half.agreement.score < 1e-2


def test_int8_is_smaller_still_and_agrees_roughly(export, photos):
    pytest.importorskip("nncf")
    whole = export("openvino").megabytes
    done = export("openvino", precision="int8", calibration=(str(photos),))
    assert done.megabytes < whole
    assert done.agreement.score < 0.1
    assert done.agreement.images == 5
    assert load_graph(done.path).facts.precision == "int8"


def test_int8_without_calibration_and_a_wrong_suffix_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="int8 needs --calibration"):
        ExportConfig.parse({"out": tmp_path / "a.onnx", "precision": "int8"})
    with pytest.raises(ConfigError, match=r"should end in \.xml"):
        ExportConfig.parse({"out": tmp_path / "a.onnx", "format": "openvino"})


def test_a_graph_that_does_not_agree_is_not_kept(export, tmp_path, monkeypatch):
    monkeypatch.setitem(check.LARGEST_DIFFERENCE, "fp32", -1.0)
    (tmp_path / "model.onnx").write_text("old")
    with pytest.raises(ExportError, match=r"the fp32 graph does not agree with the model \(scores differ by"):
        export("onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_text() == "old"


def test_too_large_and_unwritable_are_one_line(export, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        export("onnx", out=tmp_path / "file" / "model.onnx")
    monkeypatch.setattr(run, "LARGEST", 1000)
    with pytest.raises(ExportError, match="at most 2 GB"):
        export("onnx")


def test_the_file_names_no_source_and_holds_the_thresholds(export):
    graph = onnx.load(export("onnx").path)
    assert b"site-packages" not in graph.SerializeToString()
    facts = {entry.key: entry.value for entry in graph.metadata_props}
    assert float(facts["zerosight.image_threshold"]) == 0.45
    assert json.loads(facts["zerosight.card"])["name"] == "tiny"
    assert graph.producer_name == "zerosight"


def test_another_size_gives_another_graph(model_folder, scorer):
    from zerosight.models.vip2clip.folder import load_model

    loaded = load_model(model_folder)
    model, card = loaded.model, loaded.card
    same, same_card = run.resized(model, card, 48)
    assert same is model
    assert same_card is card
    other, other_card = run.resized(model, card, 64)
    assert other.encoder.preprocess.size == other_card.backbone.image_size == 64
    assert "made at 48 px" in other_card.notes[-1]
    for name, tensor in other.state_dict().items():
        assert tensor.equal(model.state_dict()[name])
    with pytest.raises(ConfigError, match="multiple of the patch size"):
        run.resized(model, card, 61)


def test_no_such_model(tmp_path):
    with pytest.raises(WeightsError, match="no model or model folder"):
        export_model(ExportConfig.parse({"out": tmp_path / "a.onnx", "model": "none"}))


@BOTH
def test_the_documented_programs_run_without_pytorch(export, photos, tmp_path, kind):
    """Every Python block of the page that names this format, as one program of its own."""
    export(kind)
    (photos / "0.png").rename(tmp_path / "photo.png")
    page = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in page.split("```python\n")[1:]]
    shared = [b for b in blocks if 'zerosight.load("model.onnx")' in b]
    own = [b for b in blocks if f'"{FILES[kind]}"' in b and b not in shared]
    chosen = [b.replace("model.onnx", FILES[kind]) for b in shared] + own
    assert len(chosen) == (2 if kind == "onnx" else 3)
    for block in chosen:
        program = f"{block}\nimport sys\nassert 'torch' not in sys.modules, 'torch'\n"
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@BOTH
def test_an_answer_as_json_takes_neither_pytorch_nor_scipy_nor_what_writes_results(export, photos, kind):
    graph = export(kind).path
    words = ["zerosight", "predict", str(photos / "0.png"), "--model", str(graph), "--json"]
    heavy = ("torch", "scipy", "pandas", "pyarrow", "jinja2", "yaml", "filelock", "zerosight.report.writer")
    program = (
        f"import sys\nsys.argv = {[*words, '--pixel-threshold', '0']!r}\n"
        "from zerosight.cli.main import run\n"
        "try:\n    run()\n"
        f"finally:\n    print([name for name in {heavy!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    answer, loaded = done.stdout.splitlines()
    assert (len(json.loads(answer)["regions"]), loaded) == (1, "[]"), done.stderr
