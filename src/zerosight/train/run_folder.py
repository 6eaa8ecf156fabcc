"""The run folder: configuration, checkpoints and log of a training run, started or gone on with."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import Strategy
from torch.utils.data import DataLoader

from zerosight import __version__
from zerosight.config import read_mapping
from zerosight.errors import ConfigError, OutputError, WeightsError
from zerosight.files import sha256
from zerosight.train.config import RunConfig
from zerosight.weights import load_pickled_tensors

CONFIG, CHECKPOINTS, LOG = "config.yaml", "checkpoints", "log"
FREE_TO_CHANGE = {"out", "accelerator", "devices", "workers", "cache"}


def prepare_folder(config: RunConfig, resume: bool) -> None:
    """Make the run folder and save the configuration in it.

    Raises:
        OutputError: The folder holds another run and ``resume`` is off, or cannot be written.
        ConfigError: ``resume`` is on and the configuration is not that of the run.
    """
    if not is_first_process():
        return
    saved = config.out / CONFIG
    begun = saved.exists() and any((config.out / CHECKPOINTS).glob("*.ckpt"))  # else nothing would be lost
    if begun and not resume:
        raise OutputError(f"{config.out}: holds a run; give --resume to go on with it, or another folder")
    if begun:
        before, now = read_mapping(saved), config.model_dump(mode="json")
        changed = [key for key in now if key not in FREE_TO_CHANGE and before.get(key) != now[key]]
        if changed:
            raise ConfigError(
                f"{saved}: the run was started with another {changed[0]} "
                f"({before.get(changed[0])!r}, now {now[changed[0]]!r}); resume it with the same"
            )
    try:
        config.out.mkdir(parents=True, exist_ok=True)
        config.save(saved)
    except OSError as error:
        raise OutputError(f"{config.out}: cannot be written ({error.strerror})") from None


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
    """Return Lightning's trainer: checkpoints of every epoch, a TensorBoard log, our own progress."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    checkpoints = ModelCheckpoint(
        config.out / CHECKPOINTS,
        filename="epoch={epoch:04d}",
        auto_insert_metric_name=False,
        save_top_k=-1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
    )
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


def fit(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    train: DataLoader,
    val: DataLoader | None,
    resume: Path | None = None,
) -> None:
    """Train, from the newest readable checkpoint of a run folder where one is given.

    Raises:
        KeyboardInterrupt: The user stopped it; checkpoints are kept.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PossibleUserWarning)
        warnings.filterwarnings("ignore", message=".*", module="lightning")
        checkpoint = last_checkpoint(resume) if resume else None
        trainer.fit(module, train, val, ckpt_path=checkpoint, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt


def provenance(config: RunConfig, train_count: int, val_count: int) -> dict[str, Any]:
    """Return, for the card, the data, settings and versions that made the weights."""
    settings = config.model_dump(mode="json", exclude=_NOT_SETTINGS)
    manifests = [{"name": path.name, "sha256": sha256(path)} for path in config.data]
    versions = {"zerosight": __version__, "torch": torch.__version__}
    return {"images": train_count, "held_out": val_count, "data": manifests} | settings | versions


_NOT_SETTINGS = {
    *("accelerator", "backbone", "cache", "data", "devices", "licence", "mllm", "model", "name", "notes"),
    *("out", "val_splits", "workers"),
}
