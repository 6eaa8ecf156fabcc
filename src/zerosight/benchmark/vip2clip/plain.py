"""The published formulation, as it is printed: what everything else is measured against.

fp32, one image at a time, open_clip's own blocks, 77-token prompts, unfolded FGP, every level upsampled,
scipy's blur; in training the image tower on every batch of every epoch, and one-hot copies of the masks.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, UInt8
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional as F

from zerosight.backbones.normalise import normalise
from zerosight.models.vip2clip.model import Vip2Clip


@torch.inference_mode()
def plain_prediction(
    model: Vip2Clip, pixels: UInt8[np.ndarray, "1 size size 3"]
) -> tuple[float, Float32[np.ndarray, "size size"]]:
    """Return the score and the map of one image."""
    encoder = model.encoder.plain()
    alignment = model.plain(encoder.encode_image(normalise(torch.from_numpy(pixels), encoder.preprocess)))
    levels = model.level_maps(alignment, pixels.shape[1])
    anomaly_map = gaussian_filter(levels.mean(0)[0].numpy(), model.config.blur_sigma)
    return float(alignment.scores[0]), anomaly_map


def plain_loss(
    model: Vip2Clip,
    pixels: UInt8[np.ndarray, "batch size size 3"],
    masks: Bool[Tensor, "batch size size"],
    labels: Int[Tensor, "batch"],
) -> Float[Tensor, ""]:
    """Return the training loss of a batch, from its pixels."""
    encoder = model.encoder.plain()
    with torch.no_grad():
        features = encoder.encode_image(normalise(torch.from_numpy(pixels), encoder.preprocess))
    alignment = model.plain(features)
    abnormal = model.level_maps(alignment, pixels.shape[1])
    target = masks.float()
    total = F.cross_entropy(alignment.image_logits, labels)
    for level in abnormal:
        both = torch.stack([1 - level, level], dim=1)
        total = total + _focal(both, masks) + _dice(both[:, 1], target) + _dice(both[:, 0], 1 - target)
    return total


def _focal(both: Tensor, masks: Tensor) -> Tensor:
    one_hot = F.one_hot(masks.long(), 2).movedim(-1, 1).float().clamp(1e-5, 1 - 1e-5)
    probability = (one_hot * both).sum(1) + 1e-5
    return -((1 - probability).pow(2) * probability.log()).mean()


def _dice(found: Tensor, target: Tensor) -> Tensor:
    found, target = found.flatten(1), target.flatten(1)
    return (1 - (2 * (found * target).sum(1) + 1) / (found.sum(1) + target.sum(1) + 1)).mean()
