"""The run folder: configuration, checkpoints and log of a training run, started or gone on with."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import Strategy
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader

from zerosight import __version__
from zerosight.config import read_mapping
from zerosight.data.manifest import called, fingerprint, rows_sha256
from zerosight.errors import ConfigError, OutputError, WeightsError, one_line
from zerosight.files import refuse_links, write_atomically
from zerosight.identity import FolderLock
from zerosight.train.config import CONFIG, RunConfig
from zerosight.weights import load_pickled_tensors

CHECKPOINTS, LOG, DATA = "checkpoints", "log", "data.txt"
Say = Callable[[str], object]
TERMINATED = 128 + signal.SIGTERM
FREE_TO_CHANGE = {"out", "accelerator", "devices", "workers", "cache"}


@contextmanager
def run_folder(config: RunConfig, resume: bool) -> Iterator[None]:
    """Prepare the run folder, and keep other runs out of it while this one goes on.

    Raises:
        DataError: The data cannot be read.
        OutputError: The folder holds another run and ``resume`` is off, another run is writing in it, or it
            cannot be written.
        ConfigError: ``resume`` is on, and the configuration or the data are not those of the run.
    """
    if not is_first_process():
        yield
        return
    _make(config.out)
    with FolderLock(config.out):
        begun = resume and _is_begun(config.out)
        if begun and not trained_on_same_data(config.out, config):
            raise ConfigError(
                f"{config.out}: the run was started with other data: rows of its manifests, or files that "
                "they name, have changed; resume it with the same, or start another folder"
            )
        prepare_folder(config, resume)
        if not (begun and (config.out / DATA).exists()):
            prints = zip(fingerprint_of_data(config), fingerprint_of_data(config, read=True), strict=True)
            content = " ".join(":".join(pair) for pair in prints)
            write_atomically(config.out / DATA, f"{content}\n".encode())
        yield


def fingerprint_of_data(config: RunConfig, *, read: bool = False) -> list[str]:
    """Return what changes with a row or a file of the data that a run is made of, by data set.

    Args:
        config: Of the run.
        read: Go by what files hold, see :func:`zerosight.data.manifest.fingerprint`.

    Raises:
        DataError: The data cannot be read.
    """
    splits = {*config.splits, *config.val_splits}
    return [fingerprint(dataset, splits, read=read) for dataset in config.datasets()]


def trained_on_same_data(run: Path, config: RunConfig) -> bool:
    """Return whether the data of a run are as they were; True where the run does not say.

    Files that were moved, copied or touched are read to the end, and count as what they hold.

    Raises:
        DataError: The data cannot be read.
    """
    path = run / DATA
    if not path.exists():
        return True
    before = [text.partition(":") for text in path.read_text(encoding="utf-8").split()]
    if [quick for quick, _, _ in before] == fingerprint_of_data(config):
        return True
    return [content for _, _, content in before] == fingerprint_of_data(config, read=True)


def prepare_folder(config: RunConfig, resume: bool) -> None:
    """Make the run folder and save the configuration in it.

    Raises:
        OutputError: The folder holds another run and ``resume`` is off, or cannot be written.
        ConfigError: ``resume`` is on and the configuration is not that of the run.
    """
    if not is_first_process():
        return
    saved = config.out / CONFIG
    begun = _is_begun(config.out)
    if begun and not resume:
        raise OutputError(f"{config.out}: holds a run; give --resume to go on with it, or another folder")
    if begun:
        before, now = read_mapping(saved), config.model_dump(mode="json")
        free = FREE_TO_CHANGE | ({"data"} if (config.out / DATA).exists() else set()) | _new(config, before)
        changed = [key for key in now if key not in free and before.get(key) != now[key]]
        if changed:
            raise ConfigError(
                f"{saved}: the run was started with another {changed[0]} "
                f"({before.get(changed[0])!r}, now {now[changed[0]]!r}); resume it with the same"
            )
    _make(config.out)
    refuse_links(config.out)  # Lightning would write its checkpoints through them
    config.save(saved)


def _new(config: RunConfig, before: Mapping[str, Any]) -> set[str]:
    """Return the settings at their defaults that a run knows nothing of, as they came after it was begun."""
    known = type(config).model_fields
    return {
        name
        for name, one in known.items()
        if name not in before and getattr(config, name) == one.get_default(call_default_factory=True)
    }


def _is_begun(folder: Path) -> bool:
    """Return whether a run folder holds anything that would be lost."""
    return (folder / CONFIG).exists() and any((folder / CHECKPOINTS).glob("*.ckpt"))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from None


def is_first_process() -> bool:
    """Return whether this process speaks for a run of several (the launcher numbers them)."""
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "NODE_RANK"))


def last_checkpoint(run: Path) -> Path | None:
    """Return the newest checkpoint of a run that can be read; None if there is none."""
    found = sorted((run / CHECKPOINTS).glob("epoch=*.ckpt"), reverse=True)
    for path in found:
        try:
            load_pickled_tensors(path)
        except WeightsError:
            continue
        return path
    return None


def make_trainer(
    config: RunConfig, callbacks: tuple[pl.Callback, ...], strategy: str | Strategy = "auto"
) -> pl.Trainer:
    """Return Lightning's trainer: checkpoints of every epoch, a TensorBoard log, our own progress.

    Raises:
        ConfigError: This machine has no such accelerator, or not so many devices.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    checkpoints = ModelCheckpoint(
        config.out / CHECKPOINTS,
        filename="epoch={epoch:04d}",
        auto_insert_metric_name=False,
        save_top_k=-1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
    )
    try:
        return pl.Trainer(
            accelerator=config.accelerator,
            devices=config.devices,
            strategy=strategy,
            precision=config.precision,
            max_epochs=config.epochs,
            logger=TensorBoardLogger(config.out, name="", version=LOG),
            callbacks=[checkpoints, *callbacks],
            deterministic="warn",
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=10,
        )
    except (MisconfigurationException, ValueError) as error:
        raise ConfigError(
            f"accelerator {config.accelerator[:40]!r} with {config.devices} devices cannot be used here "
            f"({one_line(str(error), 120)}); use cpu with 1, or gpu on a machine with a graphics card"
        ) from None


def fit(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    train: DataLoader[Any],
    val: DataLoader[Any] | None,
    resume: Path | None = None,
) -> None:
    """Train, from the newest readable checkpoint of a run folder where one is given.

    Lightning turns both signals into exits of its own: that of SIGTERM with status 0, as if all were well.

    Raises:
        KeyboardInterrupt: The user stopped it (SIGINT); checkpoints are kept.
        SystemExit: The system stopped it (SIGTERM), with status 143; checkpoints are kept.
    """
    checkpoint = last_checkpoint(resume) if resume else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PossibleUserWarning)
        warnings.filterwarnings("ignore", message=".*", module="lightning")
        try:
            trainer.fit(module, train, val, ckpt_path=checkpoint, weights_only=True)
        except SIGTERMException:
            raise SystemExit(TERMINATED) from None
        except SystemExit as stop:
            if isinstance(stop.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise


def provenance(config: RunConfig, train_count: int, val_count: int) -> dict[str, Any]:
    """Return, for the card, the data, settings and versions that made the weights."""
    settings = config.model_dump(mode="json", exclude=_NOT_SETTINGS)
    sets = [{"name": Path(called(one)).name, "sha256": rows_sha256(one)} for one in config.datasets()]
    versions = {"zerosight": __version__, "torch": torch.__version__}
    return {"images": train_count, "held_out": val_count, "data": sets} | settings | versions


_NOT_SETTINGS = {
    *("accelerator", "backbone", "cache", "data", "devices", "licence", "mllm", "model", "name", "notes"),
    *("out", "val_splits", "workers"),
}
