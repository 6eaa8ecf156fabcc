"""What one run of a variant has found, small enough for a line of a journal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64

from zerosight.metrics.bootstrap import percentile_interval
from zerosight.metrics.result import Interval

DIGITS = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric on one data set.

    Resamples of a data set are the same for all variants, so that differences are paired.

    Attributes:
        value: The value, NaN where it is undefined.
        resampled: The value in every bootstrap resample; empty without an interval.
    """

    value: float
    resampled: tuple[float, ...] = ()

    @classmethod
    def of(cls, value: float, resampled: Float64[np.ndarray, " resamples"] | None = None) -> Measured:
        """Return a metric rounded as journals keep it."""
        kept = () if resampled is None else tuple(np.round(resampled, DIGITS).tolist())
        return cls(round(float(value), DIGITS), kept)

    @property
    def is_defined(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    @property
    def interval(self) -> Interval | None:
        """The 95 % percentile interval, None without one."""
        return percentile_interval(np.array(self.resampled)) if self.resampled else None

    def minus(self, other: Measured) -> Measured:
        """Return the difference, resample by resample where both have the same."""
        paired = len(self.resampled) == len(other.resampled) > 0
        both = zip(self.resampled, other.resampled, strict=True) if paired else ()
        return Measured(self.value - other.value, tuple(mine - theirs for mine, theirs in both))

    @classmethod
    def mean(cls, parts: Sequence[Measured]) -> Measured:
        """Return the mean of the defined ones, resample by resample as far as all have any.

        Parts are of independent data sets, or of one and then as many, so that any may be joined to any.
        """
        known = [part for part in parts if part.is_defined]
        if not known:
            return cls(math.nan)
        value = sum(part.value for part in known) / len(known)
        columns = zip(*(part.resampled for part in known), strict=False)
        return cls(value, tuple(sum(column) / len(known) for column in columns))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, null for NaN."""
        return {"value": self.value if self.is_defined else None, "resampled": list(self.resampled)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Measured:
        """Return what :meth:`to_json` wrote.

        Raises:
            ValueError: It is not such a value.
        """
        try:
            value, resampled = values["value"], values["resampled"]
            return cls(math.nan if value is None else float(value), tuple(map(float, resampled)))
        except (KeyError, TypeError) as error:
            raise ValueError(f"is no measured value ({error})") from None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a variant has found.

    Attributes:
        identity: Changes with everything that the outcome depends on.
        seed: Of the run.
        measured: By data set and metric.
        cost: Numbers by name, such as seconds of training.
    """

    identity: str
    seed: int
    measured: Mapping[str, Mapping[str, Measured]]
    cost: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        sets = {
            name: {metric: one.to_json() for metric, one in metrics.items()}
            for name, metrics in self.measured.items()
        }
        return {"identity": self.identity, "seed": self.seed, "measured": sets, "cost": dict(self.cost)}

    @classmethod
    def from_json(cls, values: Any) -> Outcome:
        """Return what :meth:`to_json` wrote.

        Raises:
            ValueError: It is not an outcome.
        """
        try:
            sets = {
                str(name): {str(metric): Measured.from_json(one) for metric, one in metrics.items()}
                for name, metrics in values["measured"].items()
            }
            cost = {str(name): float(value) for name, value in values["cost"].items()}
            return cls(str(values["identity"]), int(values["seed"]), sets, cost)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"is no outcome of a variant ({error})") from None
