"""A training run from its configuration to its run folder."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader

from zerosight.backbones.build import build_encoder
from zerosight.data.manifest import called
from zerosight.errors import ConfigError, DataError
from zerosight.models.card import FamiliarityRecord
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import load_model, save_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.train.ahead import NO_CACHE, Elsewhere, Wanted, fill, first_looks
from zerosight.train.familiar import FEWEST, MOST, TOO_FEW, keep_familiarity
from zerosight.train.run_folder import Say, fit, is_first_process, make_trainer, provenance, run_folder
from zerosight.train.sampling import EpochSampler, make_loader
from zerosight.train.vip2clip.config import TrainConfig
from zerosight.train.vip2clip.features import EncoderTower, FeatureCache, FeatureSource
from zerosight.train.vip2clip.module import Vip2ClipTraining
from zerosight.train.vip2clip.samples import AuxiliaryData, Batch, Sample, hold_both_kinds, read_samples
from zerosight.train.vip2clip.validation import choose_thresholds

ONE_KIND = "only one kind of image: what sets the other apart cannot be learnt"


def train(
    config: TrainConfig,
    resume: bool = False,
    callbacks: tuple[pl.Callback, ...] = (),
    say: Say = lambda line: None,
    elsewhere: Elsewhere | None = None,
) -> Vip2ClipCard:
    """Train ViP²-CLIP and return the card of the finished model.

    The run folder then holds the resolved configuration, checkpoints of every epoch, the log, the weights and
    the card; it can be used wherever a model is asked for. Thresholds are chosen on held-out images, or on
    those of training where no held-out images of both kinds are there; the card says which.

    Args:
        config: Data, model and settings.
        resume: Go on from the last checkpoint of ``config.out`` as if never stopped.
        callbacks: For progress.
        say: Told, in a line, what there is to train on.
        elsewhere: Has what the cache lacks computed before the first step; None computes it on the way.

    Raises:
        DataError: The auxiliary data are not usable.
        WeightsError: The model to go on from is not to be had, or its weights are damaged.
        OutputError: The run folder holds another run and ``resume`` is off, or cannot be written.
        ConfigError: ``resume`` is on, and the configuration or the data are not those of the run.
    """
    if elsewhere is not None and (config.cache.folder is None or config.augment):
        raise ConfigError(f"{NO_CACHE}, and no augmentation")
    datasets = config.datasets()
    samples, held_out = read_samples(datasets, config.splits), read_samples(datasets, config.val_splits)
    if not samples:
        raise DataError(_nothing_to_learn(config))
    with run_folder(config, resume):
        if is_first_process():
            say(_summary(samples, held_out))
            if config.familiarity and len(held_out) < FEWEST:
                say(TOO_FEW)
        return _train(config, samples, held_out, resume, callbacks, elsewhere)


def _train(
    config: TrainConfig,
    samples: list[Sample],
    held_out: list[Sample],
    resume: bool,
    callbacks: tuple[pl.Callback, ...],
    elsewhere: Elsewhere | None,
) -> Vip2ClipCard:
    """Train on samples and return the card."""
    pl.seed_everything(config.seed, verbose=False)
    source = _source(config)
    if elsewhere is not None and is_first_process():
        _fill(config, source, samples, held_out, elsewhere)
    model = Vip2Clip(source.encoder, config.model)
    if config.start is not None:
        model.load_state_dict(load_model(config.start, source.encoder).model.state_dict())
    module = Vip2ClipTraining(model, source, config.lr_ica, config.lr_fgp, config.schedule, config.average)
    # The folded FGP never touches the key bias, which cancels in the softmax.
    strategy = "auto" if config.devices == 1 else "ddp_find_unused_parameters_true"
    trainer = make_trainer(config, callbacks, strategy)
    val = _loader(config, source, held_out, config.devices) if held_out else None
    loader = _loader(config, source, samples, config.devices, config.seed)
    fit(trainer, module, loader, val, config.out if resume else None)
    finished = module.finished_model().eval()
    judge, kind = (held_out, "held-out") if hold_both_kinds(held_out) else (samples, "TRAINING")
    where = f"{kind} images of {', '.join(Path(called(one)).name for one in config.datasets())}"
    thresholds, measured = choose_thresholds(finished, _loader(config, source, judge), source, where)
    familiarity = _familiarity(config, source, samples, held_out) if is_first_process() else None
    card = Vip2ClipCard(
        name=config.name,
        backbone=config.backbone,
        thresholds=thresholds,
        familiarity=familiarity,
        licence=config.licence,
        notes=config.notes,
        training=provenance(config, len(samples), len(held_out)) | {"on_held_out": measured},
    )
    return save_model(finished, card, config.out) if is_first_process() else card


def _fill(
    config: TrainConfig,
    source: FeatureSource,
    samples: list[Sample],
    held_out: list[Sample],
    elsewhere: Elsewhere,
) -> None:
    """Have what the cache lacks computed."""
    assert source.cache is not None
    arrays = source.cache.arrays
    tower = EncoderTower(config.backbone)
    wanted = Wanted(tower, source.encoder.fingerprint, arrays.torch_dtype, config.precision)
    train, val = ([one.image for one in some] for some in (samples, held_out))
    fill(arrays, wanted, first_looks(train, val, config.batch_size, config.seed), elsewhere)


def _familiarity(
    config: TrainConfig, source: FeatureSource, samples: list[Sample], held_out: list[Sample]
) -> FamiliarityRecord | None:
    """Return what tells images like those of training from others; None if not wanted, or of too few."""
    if not config.familiarity or len(held_out) < FEWEST:
        return None
    draw = random.Random(config.seed)
    known, others = (
        _looks(source, _loader(config, source, draw.sample(some, min(MOST, len(some)))))
        for some in (samples, held_out)
    )
    return keep_familiarity(known, others, config.out, "images of the training data, held-out ones")


@torch.inference_mode()
def _looks(source: FeatureSource, batches: Iterable[Batch]) -> Float[Tensor, "images dim"]:
    """Return the pooled features of images."""
    device = next(source.encoder.towers.parameters()).device
    return torch.cat([source.features(batch, device).pooled.float().cpu() for batch in batches])


def _source(config: TrainConfig) -> FeatureSource:
    """Return the encoder, with its cache where features can be kept."""
    encoder, cache = build_encoder(config.backbone), config.cache
    if cache.folder is None or config.augment:
        return FeatureSource(encoder)
    return FeatureSource(encoder, FeatureCache(cache.folder, encoder, cache.dtype, cache.max_bytes))


def _loader(
    config: TrainConfig,
    source: FeatureSource,
    samples: list[Sample],
    processes: int = 1,
    shuffle_seed: int | None = None,
) -> DataLoader[Any]:
    """Return batches of some samples, shared among processes; those that are shuffled may be augmented."""
    augment_seed = shuffle_seed if config.augment else None
    data = AuxiliaryData(samples, source.encoder.preprocess, source.lookup, augment_seed)
    sampler = EpochSampler(len(samples), shuffle_seed, processes)
    return make_loader(data, sampler, config.batch_size, Batch, config.workers)


def _nothing_to_learn(config: TrainConfig) -> str:
    """Return in a line which splits there are, and how to name one."""
    rows = (row for dataset in config.datasets() for row in dataset.records())
    there = sorted({row.split for row in rows if row.label is not None})
    said = f"{', '.join(config.data)}: no labelled images in split {', '.join(config.splits)}; "
    if not there:
        return f"{said}no row has a label"
    return f"{said}there are {', '.join(there)}: try --set 'splits=[{there[0]}]', or zerosight data split"


def _summary(samples: list[Sample], held_out: list[Sample]) -> str:
    """Return the numbers in a line."""
    anomalous = sum(sample.label for sample in samples)
    line = f"{len(samples)} images to train on, {anomalous} anomalous; {len(held_out)} held-out images"
    return line if hold_both_kinds(samples) else f"{line}; {ONE_KIND}"
