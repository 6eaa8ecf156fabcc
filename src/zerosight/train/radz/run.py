"""A training run of LLaVA-RadZ, from its configuration to its run folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader

from zerosight.backbones.mllm.adapt import adapt, checkpoint_layers
from zerosight.backbones.mllm.load import load_mllm
from zerosight.models.llava_radz.card import RadzCard
from zerosight.models.llava_radz.folder import load_radz, save_radz
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.train.radz.config import RadzTrainConfig
from zerosight.train.radz.material import read_material
from zerosight.train.radz.module import RadzTraining
from zerosight.train.radz.pairs import PairBatch, StudyData
from zerosight.train.radz.seen import SeenSource
from zerosight.train.radz.studies import Study
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

Say = Callable[[str], object]


def train_radz(
    config: RadzTrainConfig,
    resume: bool = False,
    callbacks: tuple[pl.Callback, ...] = (),
    say: Say = lambda line: None,
) -> RadzCard:
    """Train LLaVA-RadZ and return the card of the finished model.

    With held-out images that have labels, the epoch with the highest mean AUROC over their findings is kept
    and its probabilities are calibrated on them; without, the last epoch is.

    Args:
        config: Data, model and settings.
        resume: Go on from the last checkpoint of ``config.out`` as if never stopped.
        callbacks: For progress.
        say: Told, in lines, what there is to train on and under which licence the language model comes.

    Raises:
        DataError: There are no pairs to train on, images are missing, or patients are on both sides.
        DescriptionError: A finding has no description.
        WeightsError: The model to begin with is not to be had.
        OutputError: The run folder holds another run and ``resume`` is off, or cannot be written.
        ConfigError: ``resume`` is on and the configuration is not that of the run, or training came apart.
    """
    tell = say if is_first_process() else lambda line: None
    material = read_material(config)
    prepare_folder(config, resume)
    tell(material.summary())
    pl.seed_everything(config.seed, verbose=False)
    model, origin = _beginning(config)
    tell(f"language model: {model.mllm.origin.name}; its licence: {model.mllm.licence}")
    source = SeenSource(model.mllm, config.cache)
    validation = Validation(material.judged, config.mode) if material.judged else None
    module = RadzTraining(model, source, material.categories, validation, config)
    trainer = make_trainer(config, callbacks, "auto" if config.devices == 1 else Unwrapped())
    loader = _loader(material.train, source, config)
    held_out = _loader(material.held_out, source, config, train=False) if validation else None
    fit(trainer, module, loader, held_out, config.out if resume else None)
    _restore_best(module, config.out)
    counts = {"skipped": dict(material.skipped), "auroc_on_held_out": module.history}
    card = RadzCard(
        name=config.name,
        trained_on=tuple(sorted({*origin.trained_on, *material.used})),
        calibration=module.calibration,
        licence=config.licence or origin.licence,
        notes=config.notes,
        training=provenance(config, len(material.train), len(material.held_out)) | counts,
    )
    return save_radz(module.model.eval(), card, config.out) if is_first_process() else card


class Unwrapped(DDPStrategy):
    """Several processes whose module is not wrapped: it gathers features and averages gradients itself."""

    def configure_ddp(self) -> None:
        """Leave the module as it is."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the finished model inherits: findings trained on before, and a licence."""

    trained_on: tuple[str, ...]
    licence: str


def _beginning(config: RadzTrainConfig) -> tuple[LlavaRadz, Origin]:
    """Return the model to begin with, adapted, and where it comes from."""
    if config.start is not None:
        loaded = load_radz(config.start, trainable=True)
        model, origin = loaded.model, Origin(loaded.card.trained_on, loaded.card.licence)
    else:
        assert config.mllm is not None
        mllm = adapt(load_mllm(config.mllm), config.seed)
        model, origin = LlavaRadz(mllm, config.model), Origin((), mllm.licence)
    if config.gradient_checkpointing:
        checkpoint_layers(model.mllm)
    return model, origin


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
