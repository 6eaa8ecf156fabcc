"""The protocol on miniatures: who is tested by whom, what is skipped, what is said."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from lightning.pytorch import Callback
from PIL import Image

from zerosight.backbones.config import BackboneConfig
from zerosight.data.layouts import read_layout
from zerosight.errors import ConfigError
from zerosight.evaluate.anomalies import EvaluationConfig
from zerosight.protocol import Pair, ProtocolConfig, ProtocolData, run_protocol
from zerosight.protocol.published import IMAGE, INDUSTRIAL, MEDICAL, PIXEL
from zerosight.protocol.tables import make_tables

pytestmark = pytest.mark.slow


def paint(path: Path, seed: int, mask: Path | None = None) -> None:
    """Write a noisy picture, and the mask of a bright patch in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 200, (24, 24, 3)).astype(np.uint8)
    if mask is not None:
        mask.parent.mkdir(parents=True, exist_ok=True)
        pixels[6:14, 6:14] = 250
        drawn = np.zeros((24, 24), np.uint8)
        drawn[6:14, 6:14] = 255
        Image.fromarray(drawn).save(mask)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ProtocolData:
    """Return miniatures of MVTec AD, VisA and BrainMRI as their owners publish them."""
    root = tmp_path_factory.mktemp("sets")
    table = ["object,split,label,image,mask"]
    for number in range(2):
        mvtec, visa, brain = root / "mvtec" / "carpet", root / "visa", root / "brain"
        paint(mvtec / "test" / "good" / f"{number}.png", number)
        paint(
            mvtec / "test" / "hole" / f"{number}.png", number, mvtec / f"ground_truth/hole/{number}_mask.png"
        )
        normal, anomaly = (
            f"candle/Data/Images/Normal/{number}.JPG",
            f"candle/Data/Images/Anomaly/{number}.JPG",
        )
        mask = f"candle/Data/Masks/Anomaly/{number}.png"
        paint(visa / normal, number)
        paint(visa / anomaly, number, visa / mask)
        table += [f"candle,test,normal,{normal},", f"candle,test,anomaly,{anomaly},{mask}"]
        paint(brain / "no" / f"{number}.png", number)
        paint(brain / "yes" / f"{number}.png", number + 9)
    (root / "visa" / "split_csv").mkdir()
    (root / "visa" / "split_csv" / "1cls.csv").write_text("\n".join(table))
    auxiliary = [read_layout("mvtec_ad", root / "mvtec"), read_layout("visa", root / "visa")]
    return ProtocolData.of(auxiliary, [read_layout("brain_mri", root / "brain")])


class Watch:
    """Remembers what was done."""

    def __init__(self) -> None:
        self.trained: list[str] = []
        self.evaluated: set[Pair] = set()

    @contextmanager
    def training(self, name: str):
        self.trained.append(name)
        yield Callback()

    def evaluating(self, pair: Pair, done: int, total: int) -> None:
        self.evaluated.add(pair)


def config(out: Path, **training: object) -> ProtocolConfig:
    """Return the settings of a run with a random miniature."""
    values = {"backbone": BackboneConfig(kind="tiny").model_dump(), "epochs": 1} | training
    evaluation = EvaluationConfig(aupro="published", resamples=20)
    return ProtocolConfig(out=out, training=values, evaluation=evaluation)


def test_each_set_is_tested_by_the_first_model_of_another(data):
    assert data.pairs(every=False) == [("visa", "mvtec_ad"), ("mvtec_ad", "visa"), ("mvtec_ad", "brain_mri")]
    assert len(data.pairs(every=True)) == 4


def test_the_tables_are_made_and_nothing_is_done_twice(data, tmp_path):
    watch = Watch()
    tables = run_protocol(data, config(tmp_path), watch)
    assert watch.trained == ["mvtec_ad", "visa"]
    assert watch.evaluated == set(data.pairs(every=False))
    assert [row.name for row in tables.image] == ["mvtec_ad", "visa", "brain_mri", "industrial mean (2)"]
    assert [row.name for row in tables.pixel] == ["mvtec_ad", "visa", "industrial mean (2)"]
    assert tables.image[0].published == IMAGE["mvtec_ad"]
    assert tables.image[0].differences[0] == pytest.approx(tables.image[0].ours[0] - 91.2)
    saved = json.loads((tmp_path / "protocol.json").read_text())
    assert saved == json.loads(json.dumps(tables.to_json()))
    assert "| visa | mvtec_ad | " in (tmp_path / "protocol.md").read_text()
    evaluation = json.loads((tmp_path / "results" / "visa" / "mvtec_ad" / "evaluation.json").read_text())
    assert evaluation["model"]["model"] == "vip2clip-visa"

    again = Watch()
    assert run_protocol(data, config(tmp_path), again) == tables
    assert not again.trained
    assert not again.evaluated
    (tmp_path / "results" / "visa" / "mvtec_ad" / "evaluation.json").unlink()
    assert run_protocol(data, config(tmp_path), again) == tables
    assert again.evaluated == {("visa", "mvtec_ad")}
    with pytest.raises(ConfigError, match="was trained with another epochs"):
        run_protocol(data, config(tmp_path, epochs=2), again)


def test_too_little_data_is_refused(data):
    [mvtec, visa] = data.auxiliary.values()
    with pytest.raises(ConfigError, match="needs an auxiliary set and another one"):
        ProtocolData.of([mvtec], [])
    with pytest.raises(ConfigError, match="visa: is given twice"):
        ProtocolData.of([mvtec], [visa, visa])


def test_published_means_are_the_papers():
    assert set(IMAGE) | set(PIXEL) == set(INDUSTRIAL + MEDICAL)
    for table, expected in ((IMAGE, (92.4, 93.9, 90.6)), (PIXEL, (96.2, 92.3, 49.6))):
        means = np.mean([table[name] for name in INDUSTRIAL], axis=0)
        assert means == pytest.approx(expected, abs=0.051)


def test_sets_the_paper_does_not_have_are_shown_without_differences():
    blank = {"value": None}
    image = {"auroc": {"value": 0.5}, "ap": {"value": 0.25}, "f1_max": blank}
    pixel = {"auroc": blank, "aupro_published": blank, "f1_max": blank}
    tables = make_tables({("visa", "own"): {"image": image, "pixel": pixel}})
    [row] = tables.image
    assert (row.ours, row.differences) == ((50.0, 25.0, None), (None, None, None))
    assert tables.pixel == ()
    assert "| own | visa | 50.0 | n/a | n/a |" in tables.to_markdown()
