"""What training images look like, learnt at the end of a run, so that the model can tell others from them."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from zerosight.files import sha256
from zerosight.models.card import FamiliarityRecord
from zerosight.models.familiarity import FAMILIARITY, REFUSED, fit_familiarity, save_familiarity

FEWEST = round(1 / REFUSED)
"""Held-out images that it takes."""
MOST = 1000
"""Images of either side that are looked at: our default."""
TOO_FEW = f"unfamiliar images will not be marked: that takes {FEWEST} held-out images"


def keep_familiarity(
    known: Float[Tensor, "images dim"], held_out: Float[Tensor, "others dim"], folder: Path, source: str
) -> FamiliarityRecord:
    """Write what tells images like those of training from others, and return what the card says of it.

    Args:
        known: Tower features of images that were trained on, one each.
        held_out: Of others of the same kind, which choose the threshold.
        folder: The model folder.
        source: What both are, for the card.

    Raises:
        DataError: There are too few images.
        OutputError: The folder cannot be written.
    """
    found = fit_familiarity(known, held_out)
    save_familiarity(found, folder)
    return FamiliarityRecord(
        threshold=found.threshold,
        refused=REFUSED,
        images=len(known),
        held_out=len(held_out),
        source=source,
        sha256=sha256(folder / FAMILIARITY),
    )
