"""The run folder: begun, gone on with, and safe from full disks and links."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zerosight.errors import ConfigError, OutputError
from zerosight.train.config import CONFIG
from zerosight.train.run_folder import make_trainer, prepare_folder, run_folder
from zerosight.train.vip2clip.config import TrainConfig


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    backbone = {"kind": "tiny", "image_size": 48}
    return TrainConfig.parse({"data": ["m.jsonl"], "out": str(tmp_path / "run"), "backbone": backbone})


@pytest.fixture
def begun(config: TrainConfig) -> Path:
    prepare_folder(config, resume=False)
    (config.out / "checkpoints").mkdir()
    (config.out / "checkpoints" / "epoch=0000.ckpt").write_bytes(b"x")
    return config.out


@contextmanager
def no_space() -> Iterator[None]:
    """Let no file grow."""
    handler, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_configuration_whole(config: TrainConfig, begun: Path):
    before = (begun / CONFIG).read_bytes()
    with no_space(), pytest.raises(OutputError, match=r"config\.yaml: cannot be written"):
        prepare_folder(config, resume=True)
    assert (begun / CONFIG).read_bytes() == before
    prepare_folder(config, resume=True)


def test_a_run_is_not_begun_over_another(config: TrainConfig, begun: Path):
    with pytest.raises(OutputError, match="holds a run"):
        prepare_folder(config, resume=False)


def test_a_run_goes_on_after_a_setting_came_into_the_world(config: TrainConfig, begun: Path):
    saved = (begun / CONFIG).read_text().splitlines(keepends=True)
    older = "".join(line for line in saved if not line.startswith("epochs:"))
    (begun / CONFIG).write_text(older)
    prepare_folder(config, resume=True)
    (begun / CONFIG).write_text(older)
    with pytest.raises(ConfigError, match="started with another epochs"):
        prepare_folder(config.model_copy(update={"epochs": 99}), resume=True)


def test_checkpoints_are_not_written_through_links(config: TrainConfig, begun: Path):
    (begun / "checkpoints" / "epoch=0001.ckpt").symlink_to("/dev/null")
    with pytest.raises(OutputError, match=r"epoch=0001\.ckpt: is a link"):
        prepare_folder(config, resume=True)


@pytest.mark.parametrize("changed", ["label", "file"])
def test_a_run_goes_on_with_its_own_data_only(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
):
    monkeypatch.chdir(tmp_path)
    header, row = (
        '{"schema": 1, "name": "d", "root": "."}',
        '{"image": "a.png", "label": 0, "split": "train"}',
    )
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "m.jsonl").write_text(f"{header}\n{row}\n")
    with run_folder(config, resume=False):
        (config.out / "checkpoints").mkdir()
        (config.out / "checkpoints" / "epoch=0000.ckpt").write_bytes(b"x")
    with run_folder(config, resume=True):
        pass
    if changed == "label":
        (tmp_path / "m.jsonl").write_text(f"{header}\n{row.replace('0', '1')}\n")
    else:
        (tmp_path / "a.png").write_bytes(b"another")
    with pytest.raises(ConfigError, match="started with other data"), run_folder(config, resume=True):
        pass


@pytest.mark.parametrize("moved", [False, True])
def test_data_that_were_touched_or_moved_are_the_same(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
):
    monkeypatch.chdir(tmp_path)
    there = tmp_path / "there"
    there.mkdir()
    (there / "a.png").write_bytes(b"a")
    rows = '{"schema": 1, "name": "d", "root": "."}\n{"image": "a.png", "label": 0, "split": "train"}\n'
    (there / "m.jsonl").write_text(rows)
    config = config.model_copy(update={"data": (str(there / "m.jsonl"),)})
    with run_folder(config, resume=False):
        (config.out / "checkpoints").mkdir()
        (config.out / "checkpoints" / "epoch=0000.ckpt").write_bytes(b"x")
    if moved:
        there = there.rename(tmp_path / "elsewhere")
        config = config.model_copy(update={"data": (str(there / "m.jsonl"),)})
    os.utime(there / "a.png", ns=(1, 1))
    with run_folder(config, resume=True):
        pass
    (there / "a.png").write_bytes(b"b")
    os.utime(there / "a.png", ns=(1, 1))
    with pytest.raises(ConfigError, match="started with other data"), run_folder(config, resume=True):
        pass


def test_data_changed_before_the_first_checkpoint_are_those_of_the_run(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"a")
    rows = '{"schema": 1, "name": "d", "root": "."}\n{"image": "a.png", "label": 0, "split": "train"}\n'
    (tmp_path / "m.jsonl").write_text(rows)
    with run_folder(config, resume=True):
        pass
    (tmp_path / "a.png").write_bytes(b"another")
    with run_folder(config, resume=True):
        (config.out / "checkpoints").mkdir()
        (config.out / "checkpoints" / "epoch=0000.ckpt").write_bytes(b"x")
    with run_folder(config, resume=True):
        pass


def test_two_runs_never_share_a_folder(config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.jsonl").write_text('{"schema": 1, "name": "d", "root": "."}\n')
    first = run_folder(config, resume=False)
    with first, pytest.raises(OutputError, match="another run is writing"), run_folder(config, resume=True):
        pass
    with run_folder(config, resume=True):
        pass


@pytest.mark.parametrize("accelerator", ["cuda:99", "abacus"])
def test_an_accelerator_that_is_not_there_is_one_line(config: TrainConfig, accelerator: str):
    with pytest.raises(ConfigError, match=f"accelerator '{accelerator}' with 1 devices cannot be used here"):
        make_trainer(config.model_copy(update={"accelerator": accelerator}), ())


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_no_generator_takes_is_refused(config: TrainConfig, seed: int):
    with pytest.raises(ConfigError, match="seed: Input should be"):
        TrainConfig.parse(config.model_dump() | {"seed": seed}, "training")
