"""Training runs: they learn, they resume as if never stopped, and refuse what does not fit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from zerosight.backbones.config import BackboneConfig
from zerosight.errors import ConfigError, DataError, OutputError
from zerosight.models.folder import load_model
from zerosight.train.config import CacheConfig, TrainConfig
from zerosight.train.run import train
from zerosight.train.run_folder import last_checkpoint
from zerosight.weights import load_tensors


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
    model, card = load_model(whole_run)
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
import sys, time, lightning.pytorch as pl
from pathlib import Path
from zerosight.train.config import TrainConfig
from zerosight.train.run import train

class Slow(pl.Callback):
    def on_train_batch_end(self, *_):
        time.sleep(0.3)

train(TrainConfig.load(Path(sys.argv[1])), callbacks=(Slow(),))
"""


def test_a_killed_run_resumes_as_if_never_stopped(manifest, whole_run, tmp_path):
    settings = config(manifest, tmp_path / "run", cache=CacheConfig(folder=tmp_path / "cache"))
    settings.save(tmp_path / "config.yaml")
    process = subprocess.Popen([sys.executable, "-c", SLOWLY, str(tmp_path / "config.yaml")])
    first = tmp_path / "run" / "checkpoints" / "epoch=0000.ckpt"
    deadline = time.monotonic() + 120
    while not first.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.4)  # into the second epoch
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
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
    with pytest.raises(DataError, match="no labelled images in split nothing"):
        train(config(manifest, tmp_path / "run", splits=("nothing",)))


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
