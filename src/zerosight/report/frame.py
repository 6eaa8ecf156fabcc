"""Frame: results as a table of pandas or polars, a row per image."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from zerosight.errors import ConfigError, MissingExtraError
from zerosight.types import Failure, FindingPrediction, Prediction

MAKERS = ("pandas", "polars")
"""Who can make the table."""
Result = Prediction | FindingPrediction | Failure


def to_frame(
    predictions: Result | Iterable[Result],
    kind: str | None = None,
) -> Any:
    """Return predictions as a table, a row per image, in their order; maps are left out.

    Of anomalies, ``regions`` is their number, ``peak`` and ``area`` are those of the first; of findings there
    is a column of probabilities per finding. ``error`` is there where an image could not be read.

    Args:
        predictions: What ``predict`` yields; anomalies or findings, not both.
        kind: ``"pandas"`` or ``"polars"``; None takes the one that is installed, of both pandas.

    Raises:
        ConfigError: ``kind`` is neither, or anomalies and findings are mixed.
        MissingExtraError: It is not installed, or neither is.

    Example:
        >>> import numpy as np
        >>> found = Prediction("a.png", 0.9, 0.5, 0.5, np.zeros((3, 4), np.float32), ())
        >>> to_frame([found], "pandas")[["source", "score", "is_anomalous"]].values.tolist()
        [['a.png', 0.9, True]]
    """
    results = [predictions] if isinstance(predictions, Result) else list(predictions)
    kinds = {type(one) for one in results} - {Failure}
    if len(kinds) > 1:
        raise ConfigError("a table holds anomalies or findings, not both; make one of each")
    rows = [_row(one) for one in results]
    names = list(dict.fromkeys(name for row in rows for name in row if name != "error"))
    if any("error" in row for row in rows):
        names.append("error")
    return _maker(kind).DataFrame({name: [row.get(name) for row in rows] for name in names})


def _row(result: Result) -> dict[str, Any]:
    """Return the values of a row, by column."""
    if isinstance(result, Failure):
        return {"source": result.source, "error": result.error}
    if isinstance(result, FindingPrediction):
        present = "; ".join(one.name for one in result.findings if one.is_present)
        about = {"source": result.source, "mode": result.mode, "provenance": result.provenance}
        scores = {one.name: one.probability for one in sorted(result.findings, key=lambda one: one.name)}
        return about | {"present": present} | scores
    values = result.to_dict()
    first = result.regions[0] if result.regions else None
    return values | {
        "regions": len(result.regions),
        "peak": first and first.peak,
        "area": first and first.area,
    }


def _maker(kind: str | None) -> Any:
    """Return the package that makes the table."""
    if kind is not None and kind not in MAKERS:
        raise ConfigError(f"kind: is one of {', '.join(MAKERS)}, got {kind!r}")
    for name in MAKERS if kind is None else (kind,):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise MissingExtraError(
        f"{kind} is not installed; run: pip install {kind}"
        if kind
        else "neither pandas nor polars is installed; run: pip install 'zerosight[notebook]'"
    )
