"""ViP²-CLIP in anomalib: the real Engine on a miniature of MVTec AD says what zerosight says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("anomalib", reason="anomalib is not here; make test-integrations has it")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of anomalib's own imports

from anomalib import LearningType
from anomalib.cli import AnomalibCLI
from anomalib.data import MVTecAD
from anomalib.engine import Engine
from anomalib.metrics import AUPRO
from anomalib.metrics.evaluator import Evaluator

import zerosight
from zerosight.backbones.config import BackboneConfig
from zerosight.errors import ConfigError
from zerosight.integrations.anomalib import ExactPreProcessor, ViP2Clip
from zerosight.metrics.pixel import PixelMetrics
from zerosight.models.card import Thresholds
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import save_model
from zerosight.models.vip2clip.scorer import tiny_scorer


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("mvtec")
    rng = np.random.default_rng(0)
    for name in ("train/good", "test/good", "test/scratch", "ground_truth/scratch"):
        (root / "carpet" / name).mkdir(parents=True)
    for i in range(4):
        for name in ("train/good", "test/good", "test/scratch"):
            pixels = rng.integers(60, 160, (50, 70, 3), dtype=np.uint8)
            mask = np.zeros((50, 70), np.uint8)
            if name == "test/scratch":
                mask[5 + 3 * i : 15 + 3 * i, 8:40] = mask[40:46, 50:60] = 255
                Image.fromarray(mask).save(root / f"carpet/ground_truth/scratch/{i:03}_mask.png")
            pixels[mask > 0] = 250
            Image.fromarray(pixels).save(root / f"carpet/{name}/{i:03}.png")
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    card = Vip2ClipCard(
        name="tiny",
        backbone=BackboneConfig(kind="tiny"),
        thresholds=Thresholds(image=0.4, pixel=0.45),
    )
    out = tmp_path_factory.mktemp("models") / "tiny"
    save_model(tiny_scorer().model, card, out)
    return str(out)


@pytest.fixture
def data(root) -> MVTecAD:
    return MVTecAD(root=root, category="carpet", num_workers=0, eval_batch_size=3, train_batch_size=2)


@pytest.fixture
def engine(tmp_path) -> Engine:
    return Engine(default_root_dir=tmp_path, accelerator="cpu", logger=False, enable_progress_bar=False)


def test_the_engine_measures_what_zerosight_measures(data, engine, root, folder, tmp_path):
    model = ViP2Clip(folder)
    assert model.learning_type is LearningType.ZERO_SHOT
    [found] = engine.test(model=model, datamodule=data, verbose=False)
    expected = zerosight.evaluate(f"mvtec_ad:{root}", folder, categories=["carpet"], resamples=0)
    image, pixel = expected.datasets[0].mean.image, expected.datasets[0].mean.pixel
    assert found["image_AUROC"] == pytest.approx(image.auroc.value, abs=1e-6)
    error = pixel.auroc.error or 0
    assert found["pixel_AUROC"] == pytest.approx(pixel.auroc.value, abs=error + 1e-6)
    assert list(tmp_path.rglob("*.png"))  # what the visualizer drew


def test_scores_maps_and_labels_are_those_of_predict(data, engine, folder):
    batches = engine.predict(model=ViP2Clip(folder, visualizer=False), datamodule=data)
    predictor = zerosight.load(folder)
    paths = [path for batch in batches for path in batch.image_path]
    scores = np.concatenate([batch.pred_score.numpy() for batch in batches])
    maps = np.concatenate([batch.anomaly_map.squeeze(1).numpy() for batch in batches])
    labels = np.concatenate([batch.pred_label.numpy() for batch in batches])
    masks = np.concatenate([batch.pred_mask.squeeze(1).numpy() for batch in batches])
    pixels = np.stack([predictor.scorer.preprocess.pixels(Image.open(path)) for path in paths])
    own_scores, own_maps = predictor.scorer.score(pixels)
    np.testing.assert_allclose(scores, own_scores, atol=1e-6)
    np.testing.assert_allclose(maps, own_maps, atol=1e-6)
    assert labels.tolist() == [result.is_anomalous for result in predictor.predict(paths)]
    np.testing.assert_array_equal(masks, maps > np.float32(0.45))


def test_aupro_differs_by_rounding_alone(data, engine, root, folder):
    """Both join diagonal neighbours, walk every threshold and stop at 0.3; theirs adds up in fp32."""
    evaluator = Evaluator(test_metrics=[AUPRO(fields=["anomaly_map", "gt_mask"])])
    model = ViP2Clip(folder, evaluator=evaluator, visualizer=False)
    [found] = engine.test(model=model, datamodule=data, verbose=False)
    metrics = PixelMetrics("exact")
    scorer = zerosight.load(folder).scorer
    for path in sorted((root / "carpet/test").rglob("*.png")):
        picture = Image.open(path)
        _, [anomaly_map] = scorer.score(scorer.preprocess.pixels(picture)[None])
        mask = np.zeros((picture.height, picture.width), bool)
        if path.parent.name == "scratch":
            truth = root / f"carpet/ground_truth/scratch/{path.stem}_mask.png"
            mask = np.asarray(Image.open(truth)) > 0
        metrics.update(anomaly_map, scorer.preprocess.mask(mask))
    assert found["AUPRO"] == pytest.approx(metrics.compute().aupro_exact.value, abs=1e-4)


def test_normal_images_make_it_few_shot(data, engine, root, folder):
    normals = sorted((root / "carpet/train/good").iterdir())[:2]
    few = ViP2Clip(folder, k_shot=2, visualizer=False)
    assert few.learning_type is LearningType.FEW_SHOT
    batches = engine.predict(model=few, datamodule=data)
    predictor = zerosight.load(folder).with_normals(normals)
    paths = [path for batch in batches for path in batch.image_path]
    scores = np.concatenate([batch.pred_score.numpy() for batch in batches])
    expected = [result.score for result in predictor.predict(paths)]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    named = ViP2Clip(folder, normals=str(root / "carpet/train/good"))
    assert named.learning_type is LearningType.FEW_SHOT
    with pytest.raises(ConfigError, match="not both"):
        ViP2Clip(folder, normals="good", k_shot=1)
    with pytest.raises(ConfigError, match="the data to train on have 4"):
        engine.predict(model=ViP2Clip(folder, k_shot=5, visualizer=False), datamodule=data)


def test_the_command_line_takes_the_class_path(root, folder, tmp_path, monkeypatch):
    words = ["test", "--model", "zerosight.integrations.anomalib.ViP2Clip", "--model.weights", folder]
    words += ["--data", "MVTecAD", "--data.root", str(root), "--data.category", "carpet"]
    words += ["--data.num_workers", "0", "--default_root_dir", str(tmp_path), "--trainer.accelerator", "cpu"]
    monkeypatch.setattr(sys, "argv", ["anomalib", *words])
    cli = AnomalibCLI(words)
    assert isinstance(cli.model, ViP2Clip)
    assert cli.engine.trainer.callback_metrics["image_AUROC"] >= 0


def test_an_exported_graph_is_close(data, engine, root, folder, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    model = ViP2Clip(folder, visualizer=False)
    path = engine.export(model=model, export_type="onnx", export_root=tmp_path, input_size=(50, 70))
    session = runtime.InferenceSession(str(path))
    picture = Image.open(root / "carpet/test/scratch/000.png")
    pixels = np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 255
    names = [one.name for one in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"input": pixels}), strict=True))
    expected = zerosight.load(folder).predict_one(picture)
    assert float(found["pred_score"][0]) == pytest.approx(expected.score, abs=0.1)


def test_another_size_or_an_exported_model_is_one_line(folder):
    with pytest.raises(ConfigError, match="the weights want"):
        ViP2Clip(folder).configure_pre_processor((999, 999))
    model = ViP2Clip(folder)
    assert isinstance(model.pre_processor, ExactPreProcessor)
    size = zerosight.load(folder).scorer.preprocess.size
    assert tuple(model.input_size) == (size, size)
