"""Shares of the training labels: which patients a fine-tuning may learn from, decided by a seed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from zerosight.finding_evaluation.rows import Row


def draw_patients(rows: Sequence[Row], share: float, seed: int) -> list[Row]:
    """Return the rows of a share of the patients, at least of one; a larger share holds the smaller ones.

    Args:
        rows: In any order; a row without a patient is one of its own.
        share: In (0, 1].
        seed: Another seed draws other patients.
    """
    everyone = sorted({row.who for row in rows}, key=lambda who: _shuffled(who, seed))
    drawn = set(everyone[: math.ceil(share * len(everyone) - 1e-9)])
    return [row for row in rows if row.who in drawn]


def _shuffled(who: tuple[str, str], seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {' '.join(who)}".encode(errors="surrogatepass")).digest()
