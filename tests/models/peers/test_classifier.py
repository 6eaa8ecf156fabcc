"""Classifiers of torchxrayvision: its own probabilities behind our seam; nothing in its files is run."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from zerosight.data.manifest import ManifestHeader, Record, read_manifest, write_manifest
from zerosight.errors import ConfigError, WeightsError
from zerosight.evaluate.findings import ModelEvaluationConfig, evaluate_model
from zerosight.evaluate.findings.tables import about, short_table, ways
from zerosight.models.catalog import find_model
from zerosight.models.finding_model import FindingModel, LoadedFindings
from zerosight.models.peers import classifier
from zerosight.models.peers.classifier import load_classifier
from zerosight.predict.findings import FindingPredictor, load_findings
from zerosight.types import Maps
from zerosight.weights import save_tensors

pytest.importorskip("torchxrayvision", reason="the extra xray is not installed")

NAME = "xrv:densenet121-res224-all"
SMALL = {"growth_rate": 4, "block_config": (1, 1, 1, 1), "num_init_features": 8, "bn_size": 2}
ASKED = ("Pneumonia", "effusion", "lung opacity")


@pytest.fixture
def package() -> ModuleType:
    return classifier._package()


@pytest.fixture
def place(package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the package keeps the weights, in a home of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(classifier, "SHAPE", SMALL)
    url = package.models.model_urls["densenet121-res224-all"]["weights_url"]
    folder = Path(package.utils.get_cache_dir())
    folder.mkdir(parents=True)
    return folder / url.rpartition("/")[2]


@pytest.fixture
def network(package: ModuleType, place: Path) -> torch.nn.Module:
    """Return random weights of the package's class, saved as it saves them: the whole module."""
    torch.manual_seed(0)
    network = package.models.DenseNet(num_classes=18, **SMALL).eval()
    torch.nn.init.normal_(network.classifier.weight, std=20)
    torch.save(network, place)
    return network


def pictures(count: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (60 + 5 * i, 90), dtype=np.uint8) for i in range(count)]


def test_probabilities_are_the_packages_own(package, network):
    loaded = load_classifier(NAME)
    assert isinstance(loaded, LoadedFindings)
    assert isinstance(loaded.model, FindingModel)
    finder = FindingPredictor(loaded)
    facts = package.models.model_urls["densenet121-res224-all"]
    network.op_threshs = torch.tensor(facts["op_threshs"])
    pixels = np.stack([loaded.model.preprocess.pixels(Image.fromarray(one)) for one in pictures()])
    assert pixels.shape == (2, 224, 224, 3)
    own = torch.from_numpy(np.stack([package.datasets.normalize(one[..., 0], 255) for one in pixels]))
    with torch.no_grad():
        expected = network(own[:, None])
    question = finder.ask(ASKED)
    _, found = finder.score(pixels, question)
    columns = [facts["labels"].index(name) for name in ("Pneumonia", "Effusion", "Lung Opacity")]
    np.testing.assert_allclose(found, expected[:, columns].numpy(), atol=1e-5)
    assert np.ptp(found) > 0.1
    assert question.anchors.provenance == "target-aware"
    assert question.calibration.thresholds(question.anchors.names).tolist() == [0.5] * 3


def test_prediction_crops_and_its_maps_are_the_grid(network):
    finder = load_findings(NAME)
    [found] = finder.predict(pictures(1), ASKED, maps=Maps(below=True))
    assert set(found.maps) == set(ASKED)
    grid = found.maps["effusion"]
    assert grid.shape == (60, 90)
    assert not grid[:, :15].any()
    assert grid[:, 15:75].all()
    with pytest.raises(ConfigError, match="of a classifier there is 'contrast'"):
        finder.predict_one(pictures(1)[0], ASKED, maps=Maps("joint", below=True))


def test_what_it_does_not_know_is_one_line(network):
    finder = load_findings(NAME)
    with pytest.raises(ConfigError, match="knows no covid-19; choose with --labels among: atelectasis, "):
        finder.ask(["Pneumonia", "COVID"])
    with pytest.raises(ConfigError, match="leave --vqa out"):
        finder.answers(np.zeros((1, 224, 224, 3), np.uint8), ["pneumonia"])
    with pytest.raises(ConfigError, match="has no 'densenet121-all'"):
        load_findings("xrv:densenet121-all")
    with pytest.raises(WeightsError, match="has no folder"):
        find_model(NAME)


def test_labels_that_a_model_was_not_taught_are_no_labels(network, package, place):
    url = package.models.model_urls["densenet121-res224-rsna"]["weights_url"]
    torch.save(network, place.parent / url.rpartition("/")[2])
    assert load_classifier("xrv:densenet121-res224-rsna").model.labels == ("pneumonia", "lung opacity")


def test_missing_weights_name_their_address(place):
    with pytest.raises(WeightsError, match=r"no such file; download https://github.com/mlmed/.*-best.pt to"):
        load_findings(NAME)


def test_safetensors_are_read_and_misfits_refused(network, tmp_path):
    file = tmp_path / "weights.safetensors"
    save_tensors(network.state_dict(), file)
    one, other = load_classifier(NAME), load_classifier(f"{NAME}@{file}")
    pixels = torch.from_numpy(pictures(1)[0][None, :, :60, None].repeat(3, 3))
    torch.testing.assert_close(one.model.see(pixels), other.model.see(pixels))
    assert one.key != other.key
    save_tensors({"features.conv0.weight": torch.zeros(1)}, file)
    with pytest.raises(WeightsError, match="does not fit densenet121-res224-all"):
        load_findings(f"{NAME}@{file}")


class Runs:
    """Runs a command when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.file}",)


class Calls:
    """Calls the package's class, which would fetch and unpickle a file of the attacker's."""

    def __init__(self, network: type) -> None:
        self.network = network

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.network, (32, (6, 12, 24, 16), 64, 4, 0, 18, 1, "all", "/nowhere")


def test_nothing_in_a_file_is_run(package, network, place, tmp_path, monkeypatch):
    called: list[object] = []
    monkeypatch.setattr(package.models, "get_weights", lambda *what: called.append(what))
    for hostile in (Runs(tmp_path / "ran"), Calls(package.models.DenseNet), torch.zeros(1), {"a": 1}):
        network.features.extra = hostile if isinstance(hostile, Runs | Calls) else None
        torch.save(network if network.features.extra else hostile, place)
        with pytest.raises(WeightsError, match="make safetensors of it elsewhere"):
            load_findings(NAME)
    assert not (tmp_path / "ran").exists()
    assert not called


def test_tables_call_it_supervised(network, tmp_path):
    rows = []
    for i, picture in enumerate(pictures(4)):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
        labels = {"Pneumonia": i % 2, "Effusion": int(i > 1)}
        rows.append(Record(image=f"{i}.png", labels=labels))
    write_manifest(tmp_path / "ward.jsonl", ManifestHeader(name="ward", root="."), rows)
    config = ModelEvaluationConfig.load(None, threshold="fixed:0.5", resamples=10)
    found = evaluate_model(load_findings(NAME), read_manifest(tmp_path / "ward.jsonl"), config)
    assert "supervised: labels taught the model" in short_table(found).title
    assert ways(found).rows[0][0] == "supervised"
    assert about(found)["kind"] == "supervised"
