"""Hold the metrics to values computed by the published metric code."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from zerosight.errors import DamagedError, DataError, did_you_mean
from zerosight.guarded.arrays import read_arrays
from zerosight.guarded.json import read_json
from zerosight.metrics import image, pixel
from zerosight.metrics.tally import Tally

_EPSILON = 1e-8
_ARRAYS = ("image_score", "label", "score", "mask")


def verify_metrics(prefix: Path) -> dict[str, float]:
    """Return the absolute difference between our value and the stored one, per metric.

    The exact engine is used. The published pixel F1 has 1e-8 added to its denominator; ``pixel_f1`` and its
    threshold are compared by the same formula on our counts, every other value as it is. Two undefined
    values differ by 0, a defined and an undefined one by infinity.

    Args:
        prefix: Path without suffix of two files. PREFIX.npz holds ``score`` and ``mask`` (maps × height ×
            width) and ``image_score`` and ``label`` (maps); PREFIX.json holds values by name.

    Raises:
        DataError: A file cannot be read, an array is missing, or a name is unknown.
    """
    arrays = _read_arrays(prefix.with_name(prefix.name + ".npz"))
    source = prefix.with_name(prefix.name + ".json")
    expected = _read_values(source)
    found = _values(arrays)
    unknown = [name for name in expected if name not in found]
    if unknown:
        raise DataError(
            f"{source} names an unknown metric {unknown[0]!r}{did_you_mean(unknown[0], found)}: "
            f"known are {', '.join(found)}"
        )
    return {name: _difference(found[name], value) for name, value in expected.items()}


def _values(arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """Return our value of every metric by its published name."""
    state = pixel.update(pixel.init("exact"), arrays["score"], arrays["mask"])
    pixels = pixel.compute(state)
    images = image.compute(image.update(image.ImageState(), arrays["image_score"], arrays["label"]))
    best, threshold = _published_f1(state.summary()[0]) if pixels.f1_max.is_defined else (math.nan, math.nan)
    return {
        "auroc": images.auroc.value,
        "ap": images.ap.value,
        "f1": images.f1_max.value,
        "f1_threshold": images.f1_threshold.value,
        "pixel_auroc": pixels.auroc.value,
        "pixel_ap": pixels.ap.value,
        "pixel_f1": best,
        "pixel_f1_threshold": threshold,
        "pixel_aupro": pixels.aupro_published.value,
        "pixel_aupro_exact": pixels.aupro_exact.value,
    }


def _published_f1(tally: Tally) -> tuple[float, float]:
    """Return the largest 2·P·R / (P + R + 1e-8) and the lowest threshold that reaches it."""
    precision = tally.anomalous / (tally.normal + tally.anomalous)
    recall = tally.anomalous / tally.anomalous_total
    values = 2 * precision * recall / (precision + recall + _EPSILON)
    best = float(values.max())
    return best, float(tally.thresholds[np.flatnonzero(values == best)[-1]])


def _difference(ours: float, theirs: float | None) -> float:
    undefined = math.isnan(ours), theirs is None or math.isnan(theirs)
    if any(undefined):
        return 0.0 if all(undefined) else math.inf
    return abs(ours - float(theirs or 0.0))


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        arrays = read_arrays(path)
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise DataError(f"{path} has no array {missing[0]!r}: it needs {', '.join(_ARRAYS)}")
        return {name: arrays[name] for name in _ARRAYS}
    except (OSError, DamagedError) as error:
        raise DataError(
            f"cannot read {path}: {error}; pass the path of an .npz file without its suffix"
        ) from error


def _read_values(path: Path) -> dict[str, float | None]:
    try:
        values: Any = read_json(path, finite=False)
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read {path}: {error}; it must be a JSON object of numbers by name"
        ) from error
    if not isinstance(values, dict) or not all(
        value is None or isinstance(value, int | float) for value in values.values()
    ):
        raise DataError(
            f"{path} holds something else than numbers by name: it must be a JSON object of numbers"
        )
    return values
