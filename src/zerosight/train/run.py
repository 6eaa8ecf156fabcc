"""A training run from its configuration to its run folder."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
from torch.utils.data import DataLoader

from zerosight.backbones.build import build_encoder
from zerosight.errors import DataError
from zerosight.models.card import ModelCard
from zerosight.models.folder import save_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.train.config import TrainConfig
from zerosight.train.feature_cache import FeatureCache
from zerosight.train.features import FeatureSource
from zerosight.train.module import Vip2ClipTraining
from zerosight.train.run_folder import fit, is_first_process, make_trainer, prepare_folder, provenance
from zerosight.train.samples import AuxiliaryData, Batch, EpochSampler, read_samples
from zerosight.train.thresholds import choose_thresholds


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
    prepare_folder(config, resume)
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
    # The folded FGP never touches the key bias, which cancels in the softmax.
    strategy = "auto" if config.devices == 1 else "ddp_find_unused_parameters_true"
    trainer = make_trainer(config, callbacks, strategy)
    fit(trainer, module, train_loader, val_loader if val_count else None, config.out if resume else None)
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
        training=provenance(config, train_count, val_count) | {"on_held_out": measured},
    )
    return save_model(finished, card, config.out) if is_first_process() else card


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
