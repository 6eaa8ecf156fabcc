"""Training runs: they learn, they resume as if never stopped, and refuse what does not fit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

import zerosight
from zerosight.backbones.config import BackboneConfig
from zerosight.data.manifest import ManifestHeader, read_manifest, write_manifest
from zerosight.errors import ConfigError, DataError, OutputError, WeightsError
from zerosight.models.catalog import find_model, load_card
from zerosight.models.familiarity import fit_familiarity
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import load_model
from zerosight.train.config import CacheConfig
from zerosight.train.run_folder import last_checkpoint
from zerosight.train.vip2clip.config import TrainConfig
from zerosight.train.vip2clip.run import train
from zerosight.weights import load_tensors

pytestmark = pytest.mark.slow


def config(manifest: Path, out: Path, **changes: object) -> TrainConfig:
    values = {
        "data": (manifest,),
        "out": out,
        "backbone": BackboneConfig(kind="tiny", image_size=32),
        "epochs": 3,
        "batch_size": 4,
        "lr_fgp": 1e-2,
    }
    return TrainConfig(**(values | changes))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_tensors(run / "model.safetensors")


def assert_same_weights(left: Path, right: Path, tolerance: float = 0.0) -> None:
    one, two = weights(left), weights(right)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=tolerance, rtol=0, msg=name)


@pytest.fixture(scope="module")
def whole_run(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train(config(manifest, folder / "run", cache=CacheConfig(folder=folder / "cache")))
    return folder / "run"


def test_a_run_learns_and_holds_what_is_needed_to_use_and_repeat_it(whole_run):
    loaded = load_model(whole_run)
    model, card = loaded.model, loaded.card
    assert card.training["on_held_out"]["pixel_auroc"] > 0.7
    assert card.thresholds.source.startswith("held-out images of manifest.jsonl")
    assert 0 < card.thresholds.image < 1
    assert card.training["images"] == 10
    assert len(card.training["data"][0]["sha256"]) == 64
    assert not any(p.requires_grad for p in model.parameters())
    names = {path.name for path in whole_run.iterdir()}
    assert {"config.yaml", "card.json", "README.md", "model.safetensors", "checkpoints", "log"} <= names
    assert len(list((whole_run / "checkpoints").iterdir())) == 3
    assert list((whole_run / "log").glob("events*"))


def test_a_run_learns_what_its_images_look_like_if_asked(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr("zerosight.train.familiar.fit_familiarity", lambda *both: fit_familiarity(*both, 0.5))
    monkeypatch.setattr("zerosight.train.vip2clip.run.FEWEST", 2)
    card = train(config(manifest, tmp_path / "run", epochs=1, familiarity=True))
    loaded = load_model(tmp_path / "run")
    assert loaded.card.familiarity == card.familiarity
    assert card.familiarity.images == 10
    assert loaded.familiarity.threshold == card.familiarity.threshold
    predictor = zerosight.load(tmp_path / "run")
    assert predictor.tells_unfamiliar
    assert predictor.identity()["familiarity"] == card.familiarity.sha256
    predictor.scorer.familiarity = replace(loaded.familiarity, threshold=0.0)
    assert predictor.predict_one(np.zeros((32, 32), np.uint8)).is_familiar is False
    told = []
    monkeypatch.setattr("zerosight.train.vip2clip.run.FEWEST", 100)
    train(config(manifest, tmp_path / "few", epochs=1, familiarity=True), say=told.append)
    assert "unfamiliar images will not be marked" in told[-1]
    assert zerosight.load(tmp_path / "few").predict_one(np.zeros((32, 32), np.uint8)).is_familiar is None


def test_same_seed_same_weights_and_another_seed_others(manifest, whole_run, tmp_path):
    train(config(manifest, tmp_path / "again", cache=CacheConfig(folder=tmp_path / "cache")))
    assert_same_weights(whole_run, tmp_path / "again")
    train(config(manifest, tmp_path / "other", seed=1, epochs=1))
    assert not torch.equal(
        weights(whole_run)["ica.conditioned"], weights(tmp_path / "other")["ica.conditioned"]
    )


def test_without_the_cache_the_weights_are_almost_the_same(manifest, whole_run, tmp_path):
    train(config(manifest, tmp_path / "run"))
    assert_same_weights(whole_run, tmp_path / "run", tolerance=5e-3)
    train(config(manifest, tmp_path / "exact", cache=CacheConfig(folder=tmp_path, dtype="float32")))
    assert_same_weights(tmp_path / "run", tmp_path / "exact", tolerance=1e-5)


SLOWLY = """
import time, lightning.pytorch as pl
from pathlib import Path
from zerosight.train.vip2clip.config import TrainConfig
from zerosight.train.vip2clip.run import train

class Slow(pl.Callback):
    def on_train_batch_end(self, *_):
        time.sleep(0.3)

train(TrainConfig.load(Path("{config}")), callbacks=(Slow(),))
"""


def wait_for_a_checkpoint(run: Path, process: BaseProcess) -> Path:
    """Return the first checkpoint of a run in another process."""
    first = run / "checkpoints" / "epoch=0000.ckpt"
    deadline = time.monotonic() + 300
    while not first.exists() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    return first


def test_a_killed_run_resumes_as_if_never_stopped(manifest, whole_run, tmp_path, run_apart):
    settings = config(manifest, tmp_path / "run", cache=CacheConfig(folder=tmp_path / "cache"))
    settings.save(tmp_path / "config.yaml")
    process = run_apart(SLOWLY.format(config=tmp_path / "config.yaml"))
    first = wait_for_a_checkpoint(tmp_path / "run", process)
    time.sleep(0.4)  # into the second epoch
    process.kill()
    process.join()
    assert first.exists()
    assert not (tmp_path / "run" / "model.safetensors").exists()
    train(settings, resume=True)
    assert_same_weights(whole_run, tmp_path / "run")


def test_a_checkpoint_cut_short_is_passed_over(whole_run, tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for path in (whole_run / "checkpoints").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    newest = folder / "epoch=0002.ckpt"
    newest.write_bytes(newest.read_bytes()[:2000])
    assert last_checkpoint(tmp_path) == folder / "epoch=0001.ckpt"


def test_a_folder_with_a_run_is_not_overwritten(manifest, whole_run):
    with pytest.raises(OutputError, match="holds a run; give --resume"):
        train(config(manifest, whole_run))


def test_resuming_with_other_settings_is_refused(manifest, whole_run):
    with pytest.raises(ConfigError, match="was started with another seed"):
        train(config(manifest, whole_run, seed=5), resume=True)


def test_a_split_without_images_is_named(manifest, tmp_path):
    with pytest.raises(DataError, match=r"no labelled images in split nothing; there are train, val: try"):
        train(config(manifest, tmp_path / "run", splits=("nothing",)))


def one_kind(manifest: Path, tmp_path: Path, kept: int) -> Path:
    """Return a manifest whose images to learn from are of one kind."""
    rows = read_manifest(manifest)
    records = [row for row in rows.records() if row.split == "val" or row.label == kept]
    write_manifest(tmp_path / "one.jsonl", ManifestHeader("one", str(manifest.parent)), records)
    return tmp_path / "one.jsonl"


@pytest.mark.parametrize(("kept", "pixel"), [(0, "not chosen ("), (1, "TRAINING images")])
def test_thresholds_are_never_said_to_be_chosen_on_images_of_one_kind(manifest, tmp_path, kept, pixel):
    said: list[str] = []
    data = one_kind(manifest, tmp_path, kept)
    card = train(config(data, tmp_path / "run", epochs=1, val_splits=("nothing",)), say=said.append)
    assert card.thresholds.image == 0.5
    image, second = card.thresholds.source.split("; ")
    assert image.startswith("image: not chosen (")
    assert second.startswith(f"pixel: {pixel}")
    assert (card.thresholds.pixel == 0.5) == (kept == 0)
    assert said == [
        f"5 images to train on, {5 * kept} anomalous; 0 held-out images; "
        "only one kind of image: what sets the other apart cannot be learnt"
    ]


def test_held_out_images_of_one_kind_choose_no_threshold(manifest, tmp_path):
    records = [row for row in read_manifest(manifest).records() if row.split == "train" or row.label == 0]
    write_manifest(tmp_path / "m.jsonl", ManifestHeader("m", str(manifest.parent)), records)
    card = train(config(tmp_path / "m.jsonl", tmp_path / "run", epochs=1))
    assert card.thresholds.source == "TRAINING images of m.jsonl"


STOPS = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]


COMMAND = """
import signal, sys
from zerosight.cli.main import run

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.stderr = open("{messages}", "w", buffering=1)
sys.argv = ["zerosight", "train", "vip2clip", "--config", "{config}"]
run()
"""


@pytest.mark.parametrize(("number", "status"), STOPS)
def test_a_signal_ends_the_command_with_its_status_and_keeps_what_was_finished(
    manifest, tmp_path, run_apart, number, status
):
    config(manifest, tmp_path / "run", epochs=500).save(tmp_path / "config.yaml")
    process = run_apart(COMMAND.format(messages=tmp_path / "said", config=tmp_path / "config.yaml"))
    wait_for_a_checkpoint(tmp_path / "run", process)
    os.kill(process.pid, number)
    process.join(300)
    message = (tmp_path / "said").read_text()
    assert process.exitcode == status, message
    assert message.endswith("what was finished is kept\n")
    assert last_checkpoint(tmp_path / "run") is not None
    assert not (tmp_path / "run" / "model.safetensors").exists()


LIBRARY = """
import signal
from pathlib import Path

import lightning.pytorch as pl

from zerosight.train.vip2clip.config import TrainConfig
from zerosight.train.vip2clip.run import train

class Stop(pl.Callback):
    def on_train_batch_end(self, *_):
        signal.raise_signal({number})

signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    train(TrainConfig.load(Path("{config}")), callbacks=(Stop(),))
except BaseException as stop:
    Path("{ended}").write_text(f"{{type(stop).__name__}} {{stop}}")
"""


@pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGTERM, "SystemExit 143"), (signal.SIGINT, "KeyboardInterrupt ")]
)
def test_without_the_command_line_a_signal_ends_a_run_as_well(manifest, tmp_path, run_apart, number, ends):
    config(manifest, tmp_path / "run").save(tmp_path / "config.yaml")
    process = run_apart(
        LIBRARY.format(number=int(number), config=tmp_path / "config.yaml", ended=tmp_path / "ended")
    )
    process.join(300)
    assert (process.exitcode, (tmp_path / "ended").read_text()) == (0, ends)


def test_an_average_goes_on_where_it_stopped(manifest, tmp_path):
    class Stop(pl.Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, *_: object) -> None:
            if trainer.current_epoch == 2:
                raise KeyboardInterrupt

    changes = {"average": 0.7, "schedule": "cosine"}
    train(config(manifest, tmp_path / "whole", **changes))
    with pytest.raises(KeyboardInterrupt):
        train(config(manifest, tmp_path / "run", **changes), callbacks=(Stop(),))
    train(config(manifest, tmp_path / "run", **changes), resume=True)
    assert_same_weights(tmp_path / "whole", tmp_path / "run")


def test_schedule_average_augmentation_and_mixed_precision_run(manifest, tmp_path):
    card = train(
        config(
            manifest,
            tmp_path / "run",
            epochs=1,
            schedule="cosine",
            average=0.9,
            augment=True,
            precision="bf16-mixed",
            val_splits=("nothing",),
        )
    )
    assert card.thresholds.source.startswith("TRAINING images")
    load_model(tmp_path / "run")


@pytest.mark.long
def test_two_processes_do_what_one_does_with_twice_the_batch(manifest, tmp_path):
    settings = config(manifest, tmp_path / "run", epochs=1, devices=2)
    settings.save(tmp_path / "config.yaml")
    code = "from zerosight.cli.main import run; run()"
    words = ["train", "vip2clip", "--config", str(tmp_path / "config.yaml"), "--json"]
    script = tmp_path / "main.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, str(script), *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    train(config(manifest, tmp_path / "alone", epochs=1, batch_size=8))
    assert_same_weights(tmp_path / "run", tmp_path / "alone", tolerance=1e-4)


def test_a_run_goes_on_from_a_model_and_keeps_its_shape(whole_run, manifest, tmp_path):
    brought = {
        "backbone": {"kind": "tiny", "image_size": 32},
        "start": str(whole_run),
        "out": tmp_path / "run",
    }
    begun = config(manifest, **brought, lr_ica=0.0, lr_fgp=0.0, epochs=1)
    assert begun.model == load_model(whole_run).card.model
    train(begun)
    assert_same_weights(tmp_path / "run", whole_run)
    with pytest.raises(ConfigError, match="'backbone' is what 'start' has; leave it out"):
        TrainConfig.parse(
            {"data": [manifest], "out": tmp_path, "start": str(whole_run), "backbone": {"kind": "lite"}}
        )
    with pytest.raises(WeightsError, match="no model or model folder is called 'nowhere'"):
        TrainConfig.parse({"data": [manifest], "out": tmp_path, "start": "nowhere"})


def test_lite_has_the_settings_of_the_shipped_weights_and_others_the_papers():
    given = {"data": ["a.jsonl"], "out": "run"}
    shipped = load_card(find_model("vip2clip-lite"), Vip2ClipCard)
    lite, paper = TrainConfig.parse(given), TrainConfig.parse(given | {"backbone": {"kind": "tiny"}})
    made = shipped.training
    for name in ("epochs", "batch_size", "lr_ica", "lr_fgp", "schedule", "average", "seed"):
        assert getattr(lite, name) == made[name], name
    assert lite.model == shipped.model
    assert (paper.epochs, paper.lr_fgp, paper.schedule, paper.model.top_k) == (10, 1e-5, "constant", 50)
    changed = TrainConfig.parse(given | {"epochs": 2, "model": {"blur_sigma": 4.0}})
    assert (changed.epochs, changed.model.top_k, changed.model.blur_sigma) == (2, 12, 4.0)
    assert TrainConfig.parse(paper.model_dump()) == paper
