"""What every verification returns: one difference per array, and whether it is small enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from zerosight.errors import DamagedError, DataError
from zerosight.guarded.arrays import read_arrays
from zerosight.guarded.json import read_json_object

TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one array is from the published one.

    Attributes:
        name: Of the array.
        largest: Largest absolute difference, or relative to the published array's largest value.
        tolerance: What is allowed.
        relative: Whether it is relative.
    """

    name: str
    largest: float
    tolerance: float = TOLERANCE
    relative: bool = False

    @property
    def ok(self) -> bool:
        """Whether the difference is allowed (NaN never is)."""
        return self.largest <= self.tolerance

    def to_json(self) -> dict[str, Any]:
        """Return the difference as plain JSON values."""
        return {
            "name": self.name,
            "difference": self.largest,
            "tolerance": self.tolerance,
            "relative": self.relative,
            "ok": self.ok,
        }


def difference(name: str, ours: ArrayLike, expected: np.ndarray, relative: bool | None = None) -> Difference:
    """Compare one array; gradients are compared relative to their largest value.

    Args:
        name: Of the array; names that start with ``grad`` are gradients.
        ours: An array or number (a detached tensor is one).
        expected: The published values.
        relative: Overrides what the name says.
    """
    relative = name.startswith("grad") if relative is None else relative
    mine = np.asarray(ours, dtype=np.float64)
    tolerance = GRADIENT_TOLERANCE if relative else TOLERANCE
    if mine.shape != expected.shape:
        return Difference(
            f"{name} (shape {mine.shape}, not {expected.shape})", float("inf"), tolerance, relative
        )
    largest = float(np.abs(mine - expected).max()) if expected.size else 0.0
    scale = float(np.abs(expected).max()) if relative and expected.size else 1.0
    return Difference(name, largest / scale if scale else largest, tolerance, relative)


def load_arrays(path: Path) -> Mapping[str, np.ndarray]:
    """Return the arrays of an ``.npz`` file; pickled objects are refused.

    Raises:
        DataError: The file is missing or not of this format.
    """
    try:
        return read_arrays(path)
    except (OSError, DamagedError) as error:
        raise DataError(f"{path}: cannot be read as .npz ({error})") from None


def load_case(prefix: Path, *required: str) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    """Return the facts of ``PREFIX.json`` and the arrays of ``PREFIX.npz``.

    Args:
        prefix: Path of both files without their suffixes.
        required: Facts that must be there.

    Raises:
        DataError: One of the files is missing or not of this format.
    """
    facts = prefix.with_name(prefix.name + ".json")
    try:
        values = read_json_object(facts)
    except (OSError, ValueError) as error:
        raise DataError(f"{facts}: cannot be read as JSON ({error})") from None
    missing = [name for name in required if name not in values]
    if missing:
        raise DataError(f"{facts}: lacks {', '.join(missing)}; is it of this format?")
    return values, load_arrays(prefix.with_name(prefix.name + ".npz"))
