"""What training images look like, learnt at the end of a run, so that the model can tell others from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.files import sha256
from zerosight.models.llava_radz.card import FamiliarityRecord
from zerosight.models.llava_radz.familiarity import FAMILIARITY, REFUSED, fit_familiarity, save_familiarity
from zerosight.train.radz.features import FeatureSource
from zerosight.train.radz.samples import PairBatch

FEWEST = round(1 / REFUSED)
"""Held-out images that it takes."""
MOST = 1000
"""Images of either side that are looked at: our default."""


def learn_familiarity(
    source: FeatureSource, train: Iterable[PairBatch], held_out: Iterable[PairBatch], folder: Path
) -> FamiliarityRecord:
    """Write what tells images like those of training from others, and return what the card says of it.

    Args:
        source: Gives what the frozen tower saw.
        train: Images that were trained on.
        held_out: Others of the same kind, which choose the threshold.
        folder: The run folder.

    Raises:
        DataError: There are too few images.
        OutputError: The folder cannot be written.
    """
    known, others = _looks(source, train), _looks(source, held_out)
    found = fit_familiarity(known, others)
    save_familiarity(found, folder)
    return FamiliarityRecord(
        threshold=found.threshold,
        refused=REFUSED,
        images=len(known),
        held_out=len(others),
        source="images of the training data, held-out ones of other patients",
        sha256=sha256(folder / FAMILIARITY),
    )


@torch.inference_mode()
def _looks(source: FeatureSource, batches: Iterable[PairBatch]) -> Float[Tensor, "images vision"]:
    """Return the mean tower feature of images, at least one."""
    return torch.cat([source.features(batch.pairs).float().mean(1) for batch in batches])
