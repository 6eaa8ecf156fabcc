"""A training run from its configuration to its run folder."""

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
from torch.utils.data import DataLoader

from zerosight import __version__
from zerosight.backbones.build import build_encoder
from zerosight.config import read_mapping
from zerosight.errors import ConfigError, DataError, OutputError, WeightsError
from zerosight.files import sha256
from zerosight.models.card import ModelCard
from zerosight.models.folder import save_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.train.config import TrainConfig
from zerosight.train.feature_cache import FeatureCache
from zerosight.train.features import FeatureSource
from zerosight.train.module import Vip2ClipTraining
from zerosight.train.samples import AuxiliaryData, Batch, EpochSampler, read_samples
from zerosight.train.thresholds import choose_thresholds
from zerosight.weights import load_pickled_tensors

CONFIG, CHECKPOINTS, LOG = "config.yaml", "checkpoints", "log"
FREE_TO_CHANGE = {"out", "accelerator", "devices", "workers", "cache"}


def train(config: TrainConfig, resume: bool = False, callbacks: tuple[pl.Callback, ...] = ()) -> ModelCard:
    """Train ViP²-CLIP and return the card of the finished model.

    The run folder then holds the resolved configuration, checkpoints of every epoch, the log, the weights and
    the card; it can be used wherever a model is asked for.

    Args:
        config: Data, model and settings.
        resume: Go on from the last checkpoint of ``config.out`` as if never stopped.
        callbacks: For progress.

    Raises:
        DataError: The auxiliary data are not usable.
        OutputError: The run folder holds another run and ``resume`` is off, or cannot be written.
        ConfigError: ``resume`` is on and the configuration is not that of the run.
    """
    _prepare_folder(config, resume)
    pl.seed_everything(config.seed, verbose=False)
    encoder = build_encoder(config.backbone)
    model = Vip2Clip(encoder, config.model)
    use_cache = config.cache.folder is not None and not config.augment
    cache = _open_cache(config, encoder) if use_cache else None
    source = FeatureSource(encoder, cache)
    train_loader, train_count = _loader(config, source, config.splits, config.devices, config.seed)
    val_loader, val_count = _loader(config, source, config.val_splits, config.devices)
    if not train_count:
        found = ", ".join(map(str, config.data))
        raise DataError(f"{found}: no labelled images in split {', '.join(config.splits)}; set 'splits'")
    module = Vip2ClipTraining(model, source, config)
    trainer = _trainer(config, callbacks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PossibleUserWarning)
        warnings.filterwarnings("ignore", message=".*", module="lightning")
        checkpoint = last_checkpoint(config.out) if resume else None
        trainer.fit(
            module,
            train_loader,
            val_loader if val_count else None,
            ckpt_path=checkpoint,
            weights_only=True,
        )
    if trainer.interrupted:
        raise KeyboardInterrupt
    finished = module.finished_model().eval()
    held_out, _ = _loader(config, source, config.val_splits if val_count else config.splits)
    where = f"{'held-out' if val_count else 'TRAINING'} images of {', '.join(p.name for p in config.data)}"
    thresholds, measured = choose_thresholds(finished, held_out, source, where)
    card = ModelCard(
        name=config.name,
        backbone=config.backbone,
        thresholds=thresholds,
        licence=config.licence,
        notes=config.notes,
        training=_provenance(config, train_count, val_count) | {"on_held_out": measured},
    )
    return save_model(finished, card, config.out) if _is_first_process() else card


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


def _is_first_process() -> bool:
    """Return whether this process speaks for a run of several (the launcher numbers them)."""
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "NODE_RANK"))


def _prepare_folder(config: TrainConfig, resume: bool) -> None:
    if not _is_first_process():
        return
    saved = config.out / CONFIG
    if saved.exists() and not resume:
        raise OutputError(f"{config.out}: holds a run; give --resume to go on with it, or another folder")
    if saved.exists():
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


def _open_cache(config: TrainConfig, encoder: Any) -> FeatureCache:
    assert config.cache.folder is not None
    return FeatureCache(config.cache.folder, encoder, config.cache.dtype, int(config.cache.max_gb * 2**30))


def _loader(
    config: TrainConfig,
    source: FeatureSource,
    splits: tuple[str, ...],
    processes: int = 1,
    shuffle_seed: int | None = None,
) -> tuple[DataLoader, int]:
    """Return batches of some splits, shared among processes, and the number of images."""
    samples = read_samples(config.data, splits)
    augment_seed = shuffle_seed if config.augment else None
    data = AuxiliaryData(samples, source.encoder.preprocess, source.lookup, augment_seed)
    loader = DataLoader(
        data,
        config.batch_size,
        sampler=EpochSampler(len(samples), shuffle_seed, processes),
        num_workers=config.workers,
        collate_fn=Batch,
        persistent_workers=config.workers > 0,
    )
    return loader, len(samples)


def _trainer(config: TrainConfig, callbacks: tuple[pl.Callback, ...]) -> pl.Trainer:
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
        # The folded FGP never touches the key bias, which cancels in the softmax.
        strategy="auto" if config.devices == 1 else "ddp_find_unused_parameters_true",
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


def _provenance(config: TrainConfig, train_count: int, val_count: int) -> dict[str, Any]:
    settings = config.model_dump(mode="json", include=_SETTINGS)
    manifests = [{"name": path.name, "sha256": sha256(path)} for path in config.data]
    versions = {"zerosight": __version__, "torch": torch.__version__}
    return {"images": train_count, "held_out": val_count, "data": manifests} | settings | versions


_SETTINGS = {
    "splits",
    "epochs",
    "batch_size",
    "lr_ica",
    "lr_fgp",
    "schedule",
    "average",
    "seed",
    "augment",
    "precision",
}
