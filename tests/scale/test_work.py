"""What workers do, in this process: portions in, rows out, as a local run has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.tiny import tiny_encoder
from zerosight.errors import WeightsError
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import save_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.report.writer import ResultWriter
from zerosight.scale.work import AnomalyJob, Facts, FindingJob, Scorer, facts_of, portion, read_portion

pyarrow = pytest.importorskip("pyarrow")
import pyarrow.parquet as parquet  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(
        Vip2Clip(tiny_encoder()), Vip2ClipCard(name="tiny", backbone=BackboneConfig(kind="tiny")), folder
    )
    return str(folder)


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    for i in range(5):
        Image.fromarray(rng.integers(0, 256, (70, 90), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "3.png").write_bytes(b"no image")
    return [str(tmp_path / f"{i}.png") for i in range(6)]


@pytest.mark.parametrize("tile", [None, 32], ids=["whole", "tiles"])
def test_rows_are_those_of_a_local_run(model, images, tmp_path, tile):
    import zerosight

    job = AnomalyJob(model, batch_size=2, pixel_threshold=0.4, tile=tile)
    facts = facts_of(job)
    answer = Scorer(job, facts, maps=True)(read_portion(portion(7, 0, images), facts.preprocess))
    assert [answer[key] for key in ("block", "first", "stop", "images", "failed")] == [7, 0, "", 6, 2]
    predictor = zerosight.load(model, batch_size=2)
    if tile:
        predictor = predictor.tiled(tile)
    with ResultWriter(tmp_path / "out", parquet="maps") as writer:
        for result in predictor.predict(images, pixel_threshold=0.4, on_error="skip"):
            writer.add(result)
    expected = parquet.read_table(tmp_path / "out" / "predictions.parquet")
    assert pyarrow.ipc.open_stream(answer["table"]).read_all().equals(expected)


@pytest.mark.scale  # loads a language model, which takes a while
def test_findings_are_a_list(images):
    job = FindingJob("radz-tiny", ("pneumonia", "pleural effusion"))
    facts = facts_of(job)
    assert facts.findings
    assert facts.settings["labels"] == ["pneumonia", "pleural effusion"]
    answer = Scorer(job, facts, maps=False)(read_portion(portion(0, 0, images[:1]), facts.preprocess))
    [row] = pyarrow.ipc.open_stream(answer["table"]).read_all().to_pylist()
    assert [one["name"] for one in row["findings"]] in (
        ["pneumonia", "pleural effusion"],
        ["pleural effusion", "pneumonia"],
    )


def test_a_model_that_is_another_or_unsound_stops_the_run(model, images, monkeypatch):
    assert "called 'no-such-model'" in str(facts_of(AnomalyJob("no-such-model")).stop)
    job = AnomalyJob(model)
    facts = facts_of(job)
    read = read_portion(portion(0, 0, images), facts.preprocess)
    other = Facts(facts.version, None, facts.preprocess, facts.settings | {"weights_sha256": "0"})
    assert "different models" in Scorer(job, other, False)(read)["stop"]
    assert "called 'no-such-model'" in Scorer(AnomalyJob("no-such-model"), facts, False)(read)["stop"]
    scorer = Scorer(job, facts, False)

    def unsound(*arguments: object) -> None:
        raise WeightsError("the model gives NaN")

    monkeypatch.setattr("zerosight.predict.anomalies.check_scores", unsound)
    assert scorer(read)["stop"] == "the model gives NaN"
