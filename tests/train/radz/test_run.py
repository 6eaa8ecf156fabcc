"""Training runs of LLaVA-RadZ on random miniatures: they learn, go on as if never stopped, and repeat."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch

from zerosight.backbones.mllm.adapters import load_adapter
from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.data.manifest import Record
from zerosight.errors import ConfigError, DataError, OutputError, WeightsError
from zerosight.models.llava_radz.calibration import FindingCalibration
from zerosight.models.llava_radz.folder import load_model
from zerosight.train.config import CacheConfig
from zerosight.train.radz.run import train_radz
from zerosight.weights import load_pickled_tensors, load_tensors

pytestmark = pytest.mark.slow

BOTH = ("no finding", "pleural effusion")


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_tensors(run / "model.safetensors") | load_tensors(run / "adapter.safetensors")


def assert_same_weights(left: Path, right: Path, tolerance: float = 0.0) -> None:
    one, two = weights(left), weights(right)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=tolerance, rtol=0, msg=name)


def checkpoint(run: Path, epoch: int) -> dict:
    return load_pickled_tensors(run / "checkpoints" / f"epoch={epoch:04d}.ckpt")


@pytest.fixture(scope="module")
def whole_run(settings, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    train_radz(settings(run))
    return run


@pytest.mark.parametrize(
    ("shape", "method"), [("llava-qwen", "full"), ("smolvlm", "lora"), ("gemma3", "lora")]
)
def test_every_shape_is_trained_saved_and_loaded(settings, tmp_path, shape, method):
    card = train_radz(settings(tmp_path / "run", shape, method=method, epochs=1))
    assert card.trained_on == BOTH
    loaded = load_model(tmp_path / "run")
    assert loaded.card == card
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())


def test_a_run_holds_what_is_needed_to_use_and_repeat_it(whole_run):
    names = {path.name for path in whole_run.iterdir()}
    assert names == {
        *("config.yaml", "checkpoints", "log", "card.json", "README.md"),
        *("model.safetensors", "adapter.safetensors", "data.txt"),
    }
    assert list((whole_run / "log").glob("events*"))
    card = load_model(whole_run).card
    assert (card.training["images"], card.training["held_out"]) == (24, 16)
    assert len(card.training["auroc_on_held_out"]) == 2
    assert card.training["skipped"] == {}
    assert card.calibration.source == "16 held-out images"
    assert set(card.calibration.findings) == set(BOTH)
    assert card.licence == "none (random weights)"


def test_checkpoints_hold_what_is_trained_and_nothing_else(whole_run):
    state = checkpoint(whole_run, 1)["state_dict"]
    model = load_model(whole_run, trainable=True).model
    trained = {f"model.{name}" for name, value in model.named_parameters() if value.requires_grad}
    assert state.keys() == trained
    assert not any("vision_tower" in name or "embed_tokens" in name for name in state)


def test_a_model_learns_to_tell_findings_it_is_told_of_in_reports(settings, tmp_path):
    card = train_radz(settings(tmp_path / "run", epochs=5, lr=3e-3, lr_heads=3e-3, lr_projector=3e-3))
    assert max(card.training["auroc_on_held_out"]) > 0.9


def test_chunks_and_recomputed_layers_and_the_cache_change_no_result(settings, whole_run, tmp_path):
    train_radz(settings(tmp_path / "chunks", micro_batch_size=3, gradient_checkpointing=True))
    assert_same_weights(whole_run, tmp_path / "chunks", 1e-5)
    exact = CacheConfig(folder=tmp_path / "cache", dtype="float32")
    train_radz(settings(tmp_path / "cached", cache=exact))
    assert_same_weights(whole_run, tmp_path / "cached", 1e-5)


def test_the_same_seed_gives_the_same_weights_whoever_reads_the_data(settings, whole_run, tmp_path):
    train_radz(settings(tmp_path / "again", workers=1))
    assert_same_weights(whole_run, tmp_path / "again")


def test_special_tokens_in_a_row_are_trained_saved_and_loaded(settings, tmp_path):
    train_radz(settings(tmp_path / "run", epochs=1, model={"pool": "concat", "dim": 16, "hidden": 24}))
    model = load_model(tmp_path / "run").model
    assert model.image_head.joined.weight.shape == (24, 4 * model.mllm.width)
    start = {f"{head}_head.joined.weight" for head in ("image", "text")}
    assert start <= weights(tmp_path / "run").keys()


@pytest.mark.parametrize("changes", [{}, {"weights": {"category": 0}}])
def test_in_mixed_precision_everything_that_is_trained_moves(settings, tmp_path, changes):
    start = settings(
        tmp_path / "run", epochs=1, dropout=0.1, precision="bf16-mixed", gradient_checkpointing=True
    )
    start = start.model_copy(update={"weights": type(start.weights)(**changes.get("weights", {}))})
    still = start.model_copy(
        update={"out": tmp_path / "still", "lr": 0.0, "lr_projector": 0.0, "lr_heads": 0.0}
    )
    train_radz(start)
    train_radz(still)
    after, before = weights(tmp_path / "run"), weights(tmp_path / "still")
    assert [name for name in after if torch.equal(after[name], before[name])] == []


class Losses(pl.Callback):
    """Keeps the losses of every step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        losses = {name: float(value) for name, value in trainer.logged_metrics.items()}
        self.steps.append({name: value for name, value in losses.items() if name.startswith("train/")})


@pytest.fixture(scope="module")
def retaining_run(settings, tmp_path_factory) -> tuple[Path, Losses]:
    run, losses = tmp_path_factory.mktemp("retaining") / "run", Losses()
    train_radz(settings(run, **RETAINING), callbacks=(losses,))
    return run, losses


RETAINING = {"epochs": 5, "retention": 2.0, "retention_epochs": 3, "lr_heads": 3e-3}


def test_retention_comes_first_alone_and_then_beside_the_pairs(retaining_run):
    _, losses = retaining_run
    alone, beside = losses.steps[:9], losses.steps[9:]
    assert all(step.keys() == {"train/loss", "train/loss/retention"} for step in alone)
    assert all(step["train/loss"] == pytest.approx(2 * step["train/loss/retention"]) for step in alone)
    assert alone[-1]["train/loss/retention"] < 0.6 * alone[0]["train/loss/retention"]
    terms = ("global", "local", "category")
    for step in beside:
        pairs = sum(step[f"train/loss/{name}"] for name in terms)
        assert step["train/loss"] == pytest.approx(pairs + 2 * step["train/loss/retention"])
    assert beside[-1]["train/loss/retention"] < 0.6 * alone[0]["train/loss/retention"]


def test_an_epoch_of_retention_alone_is_not_the_best(retaining_run):
    run, _ = retaining_run
    history = load_model(run).card.training["auroc_on_held_out"]
    best = 3 + int(history[4] > history[3])
    state = checkpoint(run, best)["state_dict"]
    found = load_model(run, trainable=True).model
    for name, value in found.named_parameters():
        if value.requires_grad:
            assert torch.equal(value, state[f"model.{name}"]), name
    assert checkpoint(run, 2)["calibration"] is None


def test_what_reads_is_kept_while_training_only(retaining_run):
    run, _ = retaining_run
    assert "retention.reader.weight" in checkpoint(run, 0)["state_dict"]
    assert not any("reader" in name for name in weights(run))


def test_retention_goes_on_as_if_never_stopped_and_in_chunks_of_any_size(settings, retaining_run, tmp_path):
    whole, _ = retaining_run
    cut = shutil.copytree(whole, tmp_path / "cut")
    for epoch in (2, 3, 4):
        (cut / "checkpoints" / f"epoch={epoch:04d}.ckpt").unlink()
    train_radz(settings(cut, **RETAINING), resume=True)
    assert_same_weights(whole, cut)
    train_radz(settings(tmp_path / "chunks", **RETAINING, micro_batch_size=3))
    assert_same_weights(whole, tmp_path / "chunks", 1e-4)


class Spoil(pl.Callback):
    """Turns the images' features around before the second epoch's images are judged."""

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            pl_module.model.image_head.second.weight.data.neg_()
            pl_module.model.image_head.second.bias.data.neg_()


def test_the_best_epoch_is_kept_with_its_calibration(settings, tmp_path):
    run = tmp_path / "run"
    card = train_radz(settings(run, lr_heads=3e-3), callbacks=(Spoil(),))
    history = card.training["auroc_on_held_out"]
    assert history[0] > history[1]
    best, last = checkpoint(run, 0), checkpoint(run, 1)
    found = load_model(run, trainable=True)
    for name, value in found.model.named_parameters():
        if value.requires_grad:
            assert torch.equal(value, best["state_dict"][f"model.{name}"]), name
    assert card.calibration == FindingCalibration.parse(best["calibration"])
    assert last["history"] == history
    assert last["calibration"] == best["calibration"]


def test_a_run_goes_on_from_a_saved_model(settings, whole_run, tmp_path, manifest):
    rows = manifest(
        *(Record(f"{i}.png", split="train", text="Edema.", labels={"edema": 1}) for i in range(4))
    )
    rates = {"lr": 0.0, "lr_projector": 0.0, "lr_heads": 0.0}
    said = []
    config = settings(
        tmp_path / "run", data=(rows,), start=str(whole_run), mllm=None, epochs=1, licence="mine", **rates
    )
    card = train_radz(config, say=said.append)
    assert card.trained_on == ("edema", *BOTH)
    assert card.licence == "mine"
    assert card.calibration == FindingCalibration()
    assert card.training["auroc_on_held_out"] == []
    assert_same_weights(whole_run, tmp_path / "run", 1e-7)
    assert said == [
        "4 pairs to train on, 0 held-out images",
        "language model: random:llava; its licence: none (random weights)",
    ]


def test_updates_of_a_saved_model_give_way_to_full_training(settings, whole_run, tmp_path):
    how = {"start": str(whole_run), "mllm": None, "epochs": 1, "full": True}
    rates = {"lr": 0.0, "lr_projector": 0.0, "lr_heads": 0.0}
    train_radz(settings(tmp_path / "still", **how, **rates))
    train_radz(settings(tmp_path / "run", **how))
    before, still, after = (
        load_model(run).model for run in (whole_run, tmp_path / "still", tmp_path / "run")
    )
    pixels = torch.randint(0, 256, (2, before.preprocess.size, before.preprocess.size, 3), dtype=torch.uint8)
    seen = before.see(pixels)
    torch.testing.assert_close(still.embed_images(seen).pooled, before.embed_images(seen).pooled)
    moved = weights(tmp_path / "run")
    kept = weights(tmp_path / "still")
    assert not any("lora" in name for name in moved)
    assert [name for name in moved if torch.equal(moved[name], kept[name])] == []
    assert not torch.equal(after.embed_images(seen).pooled, before.embed_images(seen).pooled)


def test_image_tokens_of_a_saved_model_may_see_each_other(settings, whole_run, tmp_path):
    how = {"start": str(whole_run), "mllm": None, "epochs": 1, "image_attention": "full"}
    rates = {"lr": 0.0, "lr_projector": 0.0, "lr_heads": 0.0}
    card = train_radz(settings(tmp_path / "run", **how, **rates))
    assert card.mllm.image_attention == "full"
    before, after = load_model(whole_run).model, load_model(tmp_path / "run").model
    pixels = torch.randint(0, 256, (2, before.preprocess.size, before.preprocess.size, 3), dtype=torch.uint8)
    told = load_model(whole_run).model
    told.mllm.let_images_see_all()
    seen = before.see(pixels)
    torch.testing.assert_close(after.embed_images(seen).pooled, told.embed_images(seen).pooled)
    assert not torch.allclose(after.embed_images(seen).pooled, before.embed_images(seen).pooled)
    with pytest.raises(WeightsError, match=r"was trained with .*image_attention"):
        load_adapter(random_mllm(), tmp_path / "run" / "adapter.safetensors")


def test_reports_without_labels_align_and_labels_without_reports_do(settings, tmp_path, manifest):
    plain = manifest(
        *(Record(f"{i}.png", split="train", text=f"Scoliosis, grade {i}.") for i in range(4)), name="plain"
    )
    card = train_radz(settings(tmp_path / "plain", data=(plain,), labels="manifest", epochs=1))
    assert card.trained_on == ()
    labelled = manifest(
        *(Record(f"{i}.png", split="train", labels={"pleural effusion": i % 2}) for i in range(4)),
        name="labelled",
    )
    card = train_radz(settings(tmp_path / "labelled", data=(labelled,), text="labels", epochs=1))
    assert card.trained_on == ("pleural effusion",)


def test_training_that_comes_apart_says_so(settings, tmp_path):
    with pytest.raises(ConfigError, match="training came apart in epoch 1: the gradient is not a number"):
        train_radz(settings(tmp_path / "run", weights={"pooled": 1e39}))


def test_a_run_is_not_overwritten_nor_resumed_as_another(settings, whole_run):
    with pytest.raises(OutputError, match="holds a run; give --resume"):
        train_radz(settings(whole_run))
    with pytest.raises(ConfigError, match="was started with another micro_batch_size"):
        train_radz(settings(whole_run, micro_batch_size=3), resume=True)


def test_data_that_are_refused_leave_no_run_behind(settings, tmp_path):
    with pytest.raises(DataError, match="nothing to pair"):
        train_radz(settings(tmp_path / "run", splits=("nothing",)))
    assert not (tmp_path / "run").exists()


SLOWLY = """
import time, lightning.pytorch as pl
from pathlib import Path
from zerosight.train.radz.config import RadzTrainConfig
from zerosight.train.radz.run import train_radz

class Slow(pl.Callback):
    def on_train_batch_end(self, *_):
        time.sleep(0.3)

train_radz(RadzTrainConfig.load(Path("{config}")), callbacks=(Slow(),))
"""


def test_a_killed_run_resumes_as_if_never_stopped(settings, tmp_path, run_apart):
    changes = {"dropout": 0.2, "epochs": 3, "cache": CacheConfig(folder=tmp_path / "cache")}
    train_radz(settings(tmp_path / "whole", **changes))
    config = settings(tmp_path / "run", **changes)
    config.save(tmp_path / "config.yaml")
    process = run_apart(SLOWLY.format(config=tmp_path / "config.yaml"))
    first = tmp_path / "run" / "checkpoints" / "epoch=0000.ckpt"
    deadline = time.monotonic() + 300
    while not first.exists() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.4)  # into the second epoch
    process.kill()
    process.join()
    assert first.exists()
    assert not (tmp_path / "run" / "model.safetensors").exists()
    card = train_radz(config, resume=True)
    assert_same_weights(tmp_path / "whole", tmp_path / "run")
    whole = load_model(tmp_path / "whole").card
    assert card.calibration == whole.calibration
    assert card.training["auroc_on_held_out"] == whole.training["auroc_on_held_out"]


ALONE = """
import sys
from pathlib import Path
from zerosight.train.radz.config import RadzTrainConfig
from zerosight.train.radz.run import train_radz

train_radz(RadzTrainConfig.load(Path(sys.argv[1])), say=print)
"""


@pytest.mark.long
def test_two_processes_do_what_one_does_with_twice_the_batch(settings, tmp_path):
    settings(tmp_path / "two", epochs=1, batch_size=4, devices=2).save(tmp_path / "config.yaml")
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "config.yaml")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("24 pairs to train on") == 1
    train_radz(settings(tmp_path / "one", epochs=1))
    assert_same_weights(tmp_path / "two", tmp_path / "one", 1e-5)
    assert load_model(tmp_path / "two").card.calibration.source == "16 held-out images"
