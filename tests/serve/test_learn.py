from __future__ import annotations

from pathlib import Path
from typing import Any

import zerosight
from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.tiny import tiny_encoder
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import save_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.serve.jobs import Job
from zerosight.serve.learn import learn
from zerosight.types import Prediction


def test_a_model_of_its_own_compares_with_the_good_images(tmp_path: Path, png: Any) -> None:
    card = Vip2ClipCard(name="tiny", backbone=BackboneConfig(kind="tiny"))
    save_model(Vip2Clip(tiny_encoder()), card, tmp_path / "tiny")
    predictor = zerosight.load(tmp_path / "tiny")
    contents = [png(value) for value in (60, 80, 100, 120)] + [b"no image"]
    options = {
        "name": "parts",
        "out": str(tmp_path / "parts"),
        "false_alarms": 0.05,
        "sources": [f"{i}.png" for i in range(5)],
    }
    answer = learn(predictor, str(tmp_path / "tiny"), Job("learn", options, contents), 100_000)
    assert answer.error is None
    assert answer.values["images"] == 4
    assert [failure["source"] for failure in answer.values["failures"]] == ["4.png"]
    (tmp_path / "a.png").write_bytes(png(90))
    [found] = zerosight.load(tmp_path / "parts").predict([tmp_path / "a.png"])
    assert isinstance(found, Prediction)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_nothing_readable_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    card = Vip2ClipCard(name="tiny", backbone=BackboneConfig(kind="tiny"))
    save_model(Vip2Clip(tiny_encoder()), card, tmp_path / "tiny")
    options = {"name": "p", "out": str(tmp_path / "p"), "false_alarms": 0.05, "sources": ["a"]}
    answer = learn(zerosight.load(tmp_path / "tiny"), "tiny", Job("learn", options, [b"x"]), 100)
    assert answer.status == 422
    assert not (tmp_path / "p").exists()
