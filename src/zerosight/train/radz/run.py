"""A training run of LLaVA-RadZ, from its configuration to its run folder."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from jaxtyping import Float
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor
from torch.utils.data import DataLoader

from zerosight.backbones.mllm.adapters import adapt, checkpoint_layers, widen
from zerosight.backbones.mllm.load import load_mllm
from zerosight.errors import ConfigError
from zerosight.models.card import FamiliarityRecord
from zerosight.models.llava_radz.calibration import FindingCalibration
from zerosight.models.llava_radz.card import RadzCard
from zerosight.models.llava_radz.folder import load_model, save_model
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.train.ahead import NO_CACHE, Elsewhere, Wanted, fill, first_looks
from zerosight.train.familiar import FEWEST, MOST, TOO_FEW, keep_familiarity
from zerosight.train.radz.config import RadzTrainConfig
from zerosight.train.radz.features import FeatureSource, VisionTower
from zerosight.train.radz.material import Material, read_material
from zerosight.train.radz.module import RadzTraining, StepSettings
from zerosight.train.radz.retention import Retention
from zerosight.train.radz.samples import PairBatch, Study, StudyData, draw
from zerosight.train.radz.validation import Validation
from zerosight.train.run_folder import (
    CHECKPOINTS,
    Say,
    fit,
    is_first_process,
    make_trainer,
    provenance,
    run_folder,
)
from zerosight.train.sampling import EpochSampler, make_loader
from zerosight.weights import load_pickled_tensors


def train_radz(
    config: RadzTrainConfig,
    resume: bool = False,
    callbacks: tuple[pl.Callback, ...] = (),
    say: Say = lambda line: None,
    elsewhere: Elsewhere | None = None,
) -> RadzCard:
    """Train LLaVA-RadZ and return the card of the finished model.

    With held-out images that have labels, the epoch with the highest mean AUROC over their findings is kept
    and its probabilities are calibrated on them; without, the last epoch is.

    Args:
        config: Data, model and settings.
        resume: Go on from the last checkpoint of ``config.out`` as if never stopped.
        callbacks: For progress.
        say: Told, in lines, what there is to train on and under which licence the language model comes.
        elsewhere: Has what the cache lacks computed before the first step; None computes it on the way.

    Raises:
        DataError: There are no pairs to train on, images are missing, or patients are on both sides.
        DescriptionError: A finding has no description.
        WeightsError: The model to begin with is not to be had.
        OutputError: The run folder holds another run and ``resume`` is off, or cannot be written.
        ConfigError: ``resume`` is on, and the configuration or the data are not those of the run, or training
            came apart.
    """
    if elsewhere is not None and config.cache.folder is None:
        raise ConfigError(NO_CACHE)
    tell = say if is_first_process() else lambda line: None
    material = read_material(config)
    with run_folder(config, resume):
        tell(material.summary())
        return _train(config, material, resume, callbacks, tell, elsewhere)


def _train(
    config: RadzTrainConfig,
    material: Material,
    resume: bool,
    callbacks: tuple[pl.Callback, ...],
    tell: Say,
    elsewhere: Elsewhere | None,
) -> RadzCard:
    """Train on pairs and return the card."""
    pl.seed_everything(config.seed, verbose=False)
    model, inherited = _beginning(config)
    tell(f"language model: {model.mllm.provenance.name}; its licence: {model.mllm.licence}")
    source = FeatureSource(model.mllm, config.cache)
    if elsewhere is not None and is_first_process():
        _fill(config, source, material, elsewhere)
    validation = Validation(material.judged, config.mode) if material.judged else None
    retention = _retention(material.train, source, config) if config.retention else None
    module = RadzTraining(
        model, source, material.categories, validation, config.weights, _step(config), retention
    )
    trainer = make_trainer(config, callbacks, "auto" if config.devices == 1 else Unwrapped())
    loader = _loader(material.train, source, config)
    held_out = _loader(material.held_out, source, config, train=False) if validation else None
    fit(trainer, module, loader, held_out, config.out if resume else None)
    _restore_best(module, config.out)
    familiarity = _familiarity(material, source, config, tell) if is_first_process() else None
    counts = {"skipped": dict(material.skipped), "auroc_on_held_out": module.history}
    card = RadzCard(
        name=config.name,
        trained_on=tuple(sorted({*inherited.trained_on, *material.used})),
        calibration=module.calibration or FindingCalibration(mode=config.mode),
        familiarity=familiarity,
        licence=config.licence or inherited.licence,
        notes=config.notes,
        training=provenance(config, len(material.train), len(material.held_out)) | counts,
    )
    return save_model(module.model.eval(), card, config.out) if is_first_process() else card


def _fill(config: RadzTrainConfig, source: FeatureSource, material: Material, elsewhere: Elsewhere) -> None:
    """Have what the cache lacks computed."""
    assert source.arrays is not None
    tower = VisionTower(config.start, config.mllm)
    wanted = Wanted(tower, source.mllm.fingerprint, source.arrays.torch_dtype, config.precision)
    train = [one.image for one in material.train]
    val = [one.image for one in material.held_out] if material.judged else []
    looks = first_looks(train, val, config.batch_size, config.seed, config.micro_batch_size)
    fill(source.arrays, wanted, looks, elsewhere)


def _familiarity(
    material: Material, source: FeatureSource, config: RadzTrainConfig, tell: Say
) -> FamiliarityRecord | None:
    """Return what tells images like those of training from others; None if too few are held out."""
    held_out = len(material.held_out)
    if held_out < FEWEST:
        if held_out:
            tell(TOO_FEW)
        return None
    known, others = (_looks(studies, source, config) for studies in (material.train, material.held_out))
    said = "images of the training data, held-out ones of other patients"
    return keep_familiarity(known, others, config.out, said)


def _retention(studies: list[Study], source: FeatureSource, config: RadzTrainConfig) -> Retention:
    """Return what reads from special tokens what the tower saw, by the images to be trained on."""
    mllm = source.mllm
    return Retention(mllm.closing * mllm.width, _looks(studies, source, config))


@torch.no_grad()
def _looks(
    studies: list[Study], source: FeatureSource, config: RadzTrainConfig
) -> Float[Tensor, "images vision"]:
    """Return the mean tower feature of some of the images, at least one."""
    batches = _loader(draw(studies, MOST, config.seed), source, config, train=False)
    return torch.cat([source.features(batch.pairs).float().mean(1) for batch in batches])


class Unwrapped(DDPStrategy):
    """Several processes whose module is not wrapped: it gathers features and averages gradients itself."""

    def configure_ddp(self) -> None:
        """Leave the module as it is."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """What the finished model inherits: findings trained on before, and a licence."""

    trained_on: tuple[str, ...]
    licence: str


def _beginning(config: RadzTrainConfig) -> tuple[LlavaRadz, Inherited]:
    """Return the model to begin with, adapted, and where it comes from."""
    if config.start is not None:
        loaded = load_model(config.start, trainable=True)
        model, inherited = loaded.model, Inherited(loaded.card.trained_on, loaded.card.licence)
        if config.full:
            widen(model.mllm)
        if config.image_attention:
            model.mllm.let_images_see_all()
    else:
        assert config.mllm is not None
        mllm = adapt(load_mllm(config.mllm), config.seed)
        model, inherited = LlavaRadz(mllm, config.model), Inherited((), mllm.licence)
    model.log_temperature.requires_grad_(config.learn_temperature)
    if config.gradient_checkpointing:
        checkpoint_layers(model.mllm)
    return model, inherited


def _step(config: RadzTrainConfig) -> StepSettings:
    """Return what of the settings makes a step."""
    return StepSettings(**{field.name: getattr(config, field.name) for field in fields(StepSettings)})


def _loader(
    studies: list[Study], source: FeatureSource, config: RadzTrainConfig, train: bool = True
) -> DataLoader[Any]:
    """Return batches of some studies; those to train on are shuffled and shared among processes."""
    data = StudyData(studies, source.mllm.preprocess, source.lookup, config.text, config.seed)
    sampler = EpochSampler(len(studies), config.seed if train else None, config.devices if train else 1)
    return make_loader(data, sampler, config.batch_size, PairBatch, config.workers)


def _restore_best(module: RadzTraining, run: Path) -> None:
    """Put the weights of the best epoch back, if the epochs were compared and another was better."""
    best = module.best_epoch()
    if best is None or best == len(module.history) - 1:
        return
    checkpoint = load_pickled_tensors(run / CHECKPOINTS / f"epoch={best:04d}.ckpt")
    module.load_state_dict(checkpoint["state_dict"], strict=False)
