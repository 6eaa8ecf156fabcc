"""A training run of LLaVA-RadZ, from its configuration to its run folder."""

from __future__ import annotations

from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader

from zerosight.backbones.mllm.adapt import adapt, checkpoint_layers
from zerosight.backbones.mllm.load import load_mllm
from zerosight.errors import DataError
from zerosight.models.llava_radz.anchors import anchor_texts
from zerosight.models.llava_radz.calibration import FindingCalibration
from zerosight.models.llava_radz.card import RadzCard
from zerosight.models.llava_radz.descriptions import load_descriptions
from zerosight.models.llava_radz.folder import load_radz, save_radz
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.train.radz.config import RadzTrainConfig
from zerosight.train.radz.module import RadzTraining
from zerosight.train.radz.seen import SeenSource
from zerosight.train.radz.studies import PairBatch, Study, StudyData, categories, read_studies
from zerosight.train.radz.validation import Validation
from zerosight.train.run_folder import (
    CHECKPOINTS,
    fit,
    is_first_process,
    make_trainer,
    prepare_folder,
    provenance,
)
from zerosight.train.samples import EpochSampler
from zerosight.weights import load_pickled_tensors


def train_radz(
    config: RadzTrainConfig, resume: bool = False, callbacks: tuple[pl.Callback, ...] = ()
) -> RadzCard:
    """Train LLaVA-RadZ and return the card of the finished model.

    With held-out images that have labels, the epoch with the highest mean AUROC over their findings is kept
    and its probabilities are calibrated on them; without, the last epoch is.

    Args:
        config: Data, model and settings.
        resume: Go on from the last checkpoint of ``config.out`` as if never stopped.
        callbacks: For progress.

    Raises:
        DataError: There are no pairs to train on, or a finding has no description.
        WeightsError: The model to begin with is not to be had.
        OutputError: The run folder holds another run and ``resume`` is off, or cannot be written.
        ConfigError: ``resume`` is on and the configuration is not that of the run.
    """
    prepare_folder(config, resume)
    pl.seed_everything(config.seed, verbose=False)
    train, val = read_studies(config, config.splits), read_studies(config, config.val_splits, paired=False)
    if not train:
        raise DataError(
            f"{', '.join(map(str, config.data))}: no image with a {config.text} in split "
            f"{', '.join(config.splits)}; set 'splits' or 'text'"
        )
    known = load_descriptions(config.anchors)
    names = categories(train) if config.weights.category else ()
    texts = anchor_texts(names, known) if names else None
    validation = Validation(val, lambda judged: anchor_texts(judged, known), config.mode)
    model, before = _beginning(config)
    source = SeenSource(model.mllm, config.cache)
    module = RadzTraining(model, source, texts, validation, config)
    trainer = make_trainer(config, callbacks, "auto" if config.devices == 1 else Unwrapped())
    loader = _loader(train, source, config)
    held_out = _loader(val, source, config, train=False) if validation.names else None
    fit(trainer, module, loader, held_out, config.out if resume else None)
    _restore_best(module, config.out)
    card = RadzCard(
        name=config.name,
        trained_on=tuple(sorted({*before, *categories(train)})),
        calibration=module.calibrated(held_out) if held_out else FindingCalibration(mode=config.mode),
        licence=config.licence,
        notes=config.notes,
        training=provenance(config, len(train), len(val)) | {"auroc_on_held_out": module.history},
    )
    return save_radz(module.model.eval(), card, config.out) if is_first_process() else card


class Unwrapped(DDPStrategy):
    """Several processes whose module is not wrapped: it gathers features and averages gradients itself."""

    def configure_ddp(self) -> None:
        """Leave the module as it is."""


def _beginning(config: RadzTrainConfig) -> tuple[LlavaRadz, tuple[str, ...]]:
    """Return the model to begin with, adapted, and the findings that it was trained on before."""
    if config.start is not None:
        loaded = load_radz(config.start, trainable=True)
        model, known = loaded.model, loaded.card.trained_on
    else:
        assert config.mllm is not None
        mllm = load_mllm(config.mllm)
        model, known = LlavaRadz(adapt(mllm, config.seed), config.model), ()
    if config.gradient_checkpointing:
        checkpoint_layers(model.mllm)
    return model, known


def _loader(
    studies: list[Study], source: SeenSource, config: RadzTrainConfig, train: bool = True
) -> DataLoader:
    data = StudyData(studies, source.mllm.preprocess, source.lookup, config)
    sampler = EpochSampler(len(studies), config.seed if train else None, config.devices if train else 1)
    return DataLoader(
        data,
        config.batch_size,
        sampler=sampler,
        num_workers=config.workers,
        collate_fn=PairBatch,
        persistent_workers=config.workers > 0,
    )


def _restore_best(module: RadzTraining, run: Path) -> None:
    """Put the weights of the best epoch back, if the epochs were compared and another was better."""
    best = module.best_epoch()
    if best is None or best == len(module.history) - 1:
        return
    checkpoint = load_pickled_tensors(run / CHECKPOINTS / f"epoch={best:04d}.ckpt")
    module.load_state_dict(checkpoint["state_dict"], strict=False)
