"""Every command that goes on with kept work, against everything its results depend on.

After each change, going on must be refused in one line, or give what a fresh run gives. A command that learns
``--resume`` and is not listed here fails the first test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
import typer
from PIL import Image

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.mllm.adapters import adapt
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.backbones.tiny import tiny_encoder
from zerosight.cli.main import app
from zerosight.models.card import Thresholds
from zerosight.models.llava_radz.card import RadzCard
from zerosight.models.llava_radz.config import RadzConfig
from zerosight.models.llava_radz.folder import save_model as save_radz
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import save_model
from zerosight.models.vip2clip.model import Vip2Clip


@dataclass
class World:
    """What a run finds: images with labels and masks, a model; and the words of the command."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "data").mkdir()
        self.label, self.threshold = 0, 0
        for i in range(6):
            self.draw(i, i)
            mask = np.full((40, 40), 40, np.uint8)
            mask[10:20, 10:20] = 255
            Image.fromarray(mask).save(self.folder / "data" / f"m{i}.png")
        self.write_manifest()
        self.write_model(0)
        self.words: list[Any] = []

    def draw(self, i: int, seed: int) -> None:
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(self.folder / "data" / f"{i}.png")

    def write_manifest(self) -> None:
        head = {"schema": 1, "name": "d", "root": "data", "mask_threshold": self.threshold}
        rows = []
        for i in range(6):
            label = int(i >= 3) if i else self.label
            row = {"image": f"{i}.png", "label": label, "labels": {"Effusion": label}}
            row |= {"text": "Right pleural effusion." if label else "Clear lungs.", "group": f"p{i}"}
            rows.append(row | {"mask": f"m{i}.png" if label else None, "split": "test"})
        lines = "\n".join(map(json.dumps, [head, *rows]))
        (self.folder / "d.jsonl").write_text(f"{lines}\n")

    def write_model(self, seed: int, threshold: float = 0.5) -> None:
        torch.manual_seed(seed)
        card = Vip2ClipCard(
            name="m", backbone=BackboneConfig(kind="tiny"), thresholds=Thresholds(image=threshold)
        )
        save_model(Vip2Clip(tiny_encoder()), card, self.folder / "model")

    def write_radz(self, seed: int, threshold: float = 0.5) -> None:
        torch.manual_seed(seed)
        mllm = random_mllm("llava", config=MllmConfig(model="random:llava", max_text_tokens=32))
        card = RadzCard(name="m")
        calibration = card.calibration.model_copy(update={"source": f"threshold {threshold}"})
        card = card.model_copy(update={"calibration": calibration})
        save_radz(LlavaRadz(adapt(mllm), RadzConfig(dim=8, hidden=8)), card, self.folder / "model")


def replaced_image(world: World) -> None:
    world.draw(4, 77)


def corrected_label(world: World) -> None:
    world.label = 1
    world.write_manifest()


def corrected_mask(world: World) -> None:
    Image.fromarray(np.full((40, 40), 255, np.uint8)).save(world.folder / "data" / "m4.png")


def mask_threshold(world: World) -> None:
    world.threshold = 127
    world.write_manifest()


def other_weights(world: World) -> None:
    world.write_model(5)


def recalibrated(world: World) -> None:
    world.write_model(0, threshold=0.1)


def other_findings_weights(world: World) -> None:
    world.write_radz(5)


def recalibrated_findings(world: World) -> None:
    world.write_radz(0, threshold=0.1)


def said(*words: object) -> Callable[[World], None]:
    """Return the change of saying something else on the command line."""

    def change(world: World) -> None:
        world.words += words

    change.__name__ = "_".join(map(str, words)).strip("-")
    return change


def nothing(world: World) -> None:
    """The twin of all others: going on with the same is never refused."""


PREDICT = ("predict", "data/0.png", "data/4.png", "--model", "model", "--no-report", "--threshold", 0.5)
RADZ = ("--model", "model", "--labels", "Effusion")
TINY = ("--backbone", "tiny", "--epochs", 1, "--set", "splits=[test]", "--set", "val_splits=[]")
LLAVA = ("--mllm", "random:llava", "--set", "mllm.max_text_tokens=32", "--epochs", 1, "--batch-size", 2)
SPLIT = ("--lora-rank", 2, "--set", "splits=[test]", "--set", "val_splits=[]")

COMMANDS: dict[str, tuple[tuple[object, ...], list[Callable[[World], None]]]] = {
    "predict": (
        PREDICT[:-2],
        [nothing, replaced_image, other_weights, recalibrated, said("--tile", 0), said("--threshold", 0.1)],
    ),
    "predict (findings)": (
        ("predict", "data/0.png", "data/4.png", *RADZ, "--no-report"),
        [nothing, replaced_image, other_findings_weights, recalibrated_findings, said("--mode", "cosine")],
    ),
    "evaluate": (
        ("evaluate", "--data", "d.jsonl", "--model", "model", "--resamples", 0),
        [
            *(nothing, replaced_image, corrected_label, corrected_mask, mask_threshold, other_weights),
            said("--resolution", "native"),
        ],
    ),
    "evaluate (findings)": (
        ("evaluate", "--data", "d.jsonl", *RADZ, "--resamples", 0, "--threshold", "oracle"),
        [nothing, replaced_image, corrected_label, other_findings_weights],
    ),
    "train vip2clip": (
        ("train", "vip2clip", "d.jsonl", *TINY),
        [nothing, replaced_image, corrected_label, corrected_mask, mask_threshold, said("--seed", 5)],
    ),
    "train radz": (
        ("train", "radz", "d.jsonl", *LLAVA, *SPLIT),
        [nothing, replaced_image, corrected_label, said("--seed", 5)],
    ),
}
CASES = [(name, change) for name, (_, changes) in COMMANDS.items() for change in changes]


def commands_that_resume(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the names of all commands with ``--resume``."""
    if any("--resume" in option.opts for option in command.params):
        yield " ".join(path)
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands_that_resume(inner, (*path, name))


def test_every_command_that_resumes_is_here() -> None:
    known = {name.partition(" (")[0] for name in COMMANDS}
    assert set(commands_that_resume(typer.main.get_command(app))) == known


def rounded(value: Any) -> Any:
    """Return JSON values with numbers to five digits: an image alone in its batch differs in the eighth."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 5) if isinstance(value, float) else value


def results(out: Path) -> Any:
    """Return what a folder holds, without what differs between two runs of the same."""
    if (out / "predictions.jsonl").exists():
        last = {}
        for line in (out / "predictions.jsonl").read_text().splitlines():
            values = json.loads(line)
            values.pop("stamp", None)
            last[values["source"]] = rounded(values)
        return last
    if (out / "evaluation.json").exists():
        return rounded(json.loads((out / "evaluation.json").read_text()))
    card = json.loads((out / "card.json").read_text())
    return card["weights_sha256"], card.get("adapter_sha256")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return World(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "change"), CASES, ids=[f"{n}-{c.__name__}" for n, c in CASES])
def test_going_on_gives_what_a_fresh_run_gives_or_is_refused(run, world, command, change) -> None:
    words = COMMANDS[command][0]
    if "(findings)" in command:
        world.write_radz(0)
    status, _, messages = run(*words, "--out", "kept")
    assert status == 0, messages
    change(world)
    status, _, fresh_messages = run(*words, *world.words, "--out", "fresh")
    assert status == 0, fresh_messages
    status, _, messages = run(*words, *world.words, "--out", "kept", "--resume")
    if status == 0:
        assert results(Path("kept")) == results(Path("fresh"))
    else:
        assert change is not nothing, messages
        assert len(messages.strip().splitlines()) == 1
        assert "Traceback" not in messages


def test_images_of_one_relative_name_in_two_folders_are_two(run, world, tmp_path, monkeypatch) -> None:
    for day, seed in (("monday", 1), ("tuesday", 2)):
        (tmp_path / day).mkdir()
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / day / "a.bmp")
    words = ("predict", "a.bmp", "--model", tmp_path / "model", "--no-report", "--out")
    monkeypatch.chdir(tmp_path / "monday")
    assert run(*words, tmp_path / "kept")[0] == 0
    monkeypatch.chdir(tmp_path / "tuesday")
    assert run(*words, tmp_path / "kept", "--resume")[0] == 0
    assert run(*words, tmp_path / "fresh")[0] == 0
    assert results(tmp_path / "kept") == results(tmp_path / "fresh")


def test_a_data_set_of_the_same_names_elsewhere_is_another(run, world, tmp_path) -> None:
    for day, seed in (("monday", 0), ("tuesday", 1)):
        rng = np.random.default_rng(seed)
        for kind in ("good", "bad"):
            (tmp_path / day / "parts" / kind).mkdir(parents=True)
            for i in range(2):
                pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / day / "parts" / kind / f"{i}.png")
    words = ("evaluate", "--model", "model", "--resamples", 0, "--data")
    assert run(*words, "folder:monday/parts", "--out", "kept")[0] == 0
    status, _, _ = run(*words, "folder:tuesday/parts", "--out", "kept", "--resume")
    assert run(*words, "folder:tuesday/parts", "--out", "fresh")[0] == 0
    if status == 0:
        kept, fresh = results(Path("kept")), results(Path("fresh"))
        assert kept["datasets"][0]["mean"] == fresh["datasets"][0]["mean"]
