"""Train a detector on cached features: a variant costs seconds to a minute.

The steps are those of ``zerosight train vip2clip`` (same order of images, same losses, same rates, same
moving average), without its checkpoints and log, and for any detector.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from zerosight.ablate.run import Step
from zerosight.ablate.vip2clip.config import LossWeights, Vip2Variant
from zerosight.errors import ConfigError
from zerosight.models.baselines.detector import Detector
from zerosight.models.card import WEIGHTS
from zerosight.models.catalog import find_model
from zerosight.models.vip2clip.losses import Losses, training_losses
from zerosight.train.sampling import EpochSampler, make_loader
from zerosight.train.vip2clip.features import FeatureSource
from zerosight.train.vip2clip.module import rising
from zerosight.train.vip2clip.samples import AuxiliaryData, Batch, Sample
from zerosight.weights import load_tensors


def fit(
    variant: Vip2Variant,
    source: FeatureSource,
    samples: tuple[Sample, ...],
    seed: int,
    step: Step = lambda done, total: None,
) -> Detector:
    """Return the trained detector of a variant, in evaluation mode.

    Args:
        variant: What is trained, and how.
        source: Gives the features of images.
        samples: The images to learn from.
        seed: Of the weights at the start and of the order of images; everything else is determined.
        step: Told after each step.

    Raises:
        ConfigError: The detector does not fit the encoder.
        DataError: An image or mask cannot be used.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed if variant.start_seed is None else variant.start_seed)
        random.seed(seed)
        detector = _begun(Detector(source.encoder, variant.detector).to(device_of(source)), variant)
        trained = [parameter for parameter in detector.parameters() if parameter.requires_grad]
        if trained and variant.epochs:
            _train(detector, variant, source, samples, seed, step)
    return detector.eval().requires_grad_(False)


def mean_of_weights(detectors: Sequence[Detector]) -> Detector:
    """Return a detector with the mean weights of some, in evaluation mode.

    Raises:
        ConfigError: They are not of one form on one encoder.
    """
    first = detectors[0]
    if any(one.config != first.config or one.encoder is not first.encoder for one in detectors):
        raise ConfigError(
            "mean: weights are averaged of one detector on one backbone; of others, average scores"
        )
    found = first.called(first.config.name)
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            parameter.data = torch.stack([one.get_parameter(name) for one in detectors]).mean(0)
    return found.requires_grad_(False)


def device_of(source: FeatureSource) -> torch.device:
    """Return where the encoder is, and with it everything that is trained."""
    return next(source.encoder.towers.parameters()).device


def _begun(detector: Detector, variant: Vip2Variant) -> Detector:
    """Return a detector with the weights that a variant begins with.

    Raises:
        ConfigError: The detector is not the whole of ViP²-CLIP, or the model's numbers are others.
        WeightsError: There is no such model.
    """
    if not variant.start:
        return detector
    tensors = load_tensors(find_model(variant.start) / WEIGHTS)
    try:
        detector.network.load_state_dict({f"model.{name}": value for name, value in tensors.items()})
    except RuntimeError:
        raise ConfigError(
            f"start: the weights of {variant.start} fit the whole of ViP²-CLIP on its own backbone with its "
            "own e, r and hidden; leave other changes out, or train without a start"
        ) from None
    return detector


def batches(
    samples: tuple[Sample, ...], source: FeatureSource, size: int, seed: int | None = None
) -> tuple[DataLoader[Any], EpochSampler]:
    """Return batches of samples with their cached features, and what decides their order.

    Args:
        samples: The images.
        source: Gives cached features.
        size: Images a batch.
        seed: Of the shuffling; None keeps the order.
    """
    data = AuxiliaryData(list(samples), source.encoder.preprocess, source.lookup)
    sampler = EpochSampler(len(samples), seed)
    return make_loader(data, sampler, size, Batch), sampler


def _train(
    detector: Detector,
    variant: Vip2Variant,
    source: FeatureSource,
    samples: tuple[Sample, ...],
    seed: int,
    step: Step,
) -> None:
    """Train a detector in place."""
    loader, sampler = batches(samples, source, variant.batch_size, seed)
    total = variant.epochs * len(loader)
    optimiser = torch.optim.Adam(list(_groups(detector, variant)))
    schedule = CosineAnnealingLR(optimiser, max(1, total)) if variant.schedule == "cosine" else None
    average = None
    if variant.average:
        average = AveragedModel(nn.ParameterList(detector.parameters()), avg_fn=rising(variant.average))
    for done, batch in enumerate(_epochs(loader, sampler, variant.epochs), start=1):
        optimiser.zero_grad()
        weighted(_losses(detector, source, batch, variant.loss_size), variant.loss).backward()
        optimiser.step()
        if schedule is not None:
            schedule.step()
        if average is not None:
            average.update_parameters(nn.ParameterList(detector.parameters()))
        step(done, total)
    if average is not None:
        for parameter, kept in zip(detector.parameters(), average.module.parameters(), strict=True):
            parameter.data = kept.data


def weighted(losses: Losses, weights: LossWeights) -> Tensor:
    """Return the sum of all terms; with weights of one, that of the paper."""
    dice = losses.dice_abnormal + losses.dice_normal
    levels = weights.focal * losses.focal + weights.dice * dice
    return levels.sum() + weights.cross_entropy * losses.cross_entropy


def _losses(detector: Detector, source: FeatureSource, batch: Batch, size: int | None) -> Losses:
    device = device_of(source)
    verdict = detector(source.features(batch, device))
    masks = batch.masks.to(device)
    if size is not None:  # a cell is anomalous where any of its pixels is, so that no small defect is lost
        masks = F.adaptive_max_pool2d(masks.float(), size) > 0
    return training_losses(
        detector.level_maps(verdict, masks.shape[-1]), verdict.image_logits, masks, batch.labels.to(device)
    )


def _epochs(loader: DataLoader[Any], sampler: EpochSampler, epochs: int) -> Iterator[Batch]:
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        yield from loader


def _groups(detector: Detector, variant: Vip2Variant) -> Iterator[dict[str, Any]]:
    """Yield the parameters that are trained, with the rate of their module."""
    rates = {"ica": variant.lr_ica, "fgp": variant.lr_fgp}
    grouped: dict[float, list[Tensor]] = {}
    for name, parameter in detector.named_parameters():
        if parameter.requires_grad:
            module = next((part for part in name.split(".") if part in rates), "")
            grouped.setdefault(rates.get(module, variant.lr), []).append(parameter)
    for rate, parameters in grouped.items():
        yield {"params": parameters, "lr": rate}
