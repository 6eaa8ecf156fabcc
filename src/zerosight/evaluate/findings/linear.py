"""A linear layer on frozen features, begun at the zero-shot classifier: the label-fraction protocol.

    logit_c = z·w_c + b_c,    begun at w_c = (s_c − a_c)/τ, b_c = 0: the scores of mode pos-neg
    minimised: Σ_i BCE(logit_c(i), label_c(i)) + |w_c − start_c|² · v / (2 · strength)

z is the global image feature, s_c and a_c the anchors of presence and absence, v the variance of the
features, so that a strength means the same for every model. Images whose label is not known count for the
other findings only. The sum is convex: neither order nor seed changes what it leads to. A finding that the
labels show only one side of keeps the zero-shot classifier.
Departures: the field fine-tunes whole networks by BCE; that the backbone is frozen, where the layer begins
and what holds it there are our defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy.optimize import minimize
from scipy.special import expit

from zerosight.metrics import mean_auroc

STRENGTH = 10.0
STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""How far labels may move the layer: the default, and those that validation images choose from."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearLayer:
    """One weight vector and one offset per finding.

    Attributes:
        weight: Products with features.
        bias: Added to them.
        fitted: Whether labels moved it; the others stay at the beginning.
        strength: How far they could.
    """

    weight: Float64[np.ndarray, "classes dim"]
    bias: Float64[np.ndarray, " classes"]
    fitted: Bool[np.ndarray, " classes"]
    strength: float = STRENGTH

    def logits(self, features: Float64[np.ndarray, "images dim"]) -> Float64[np.ndarray, "images classes"]:
        """Return the log-odds of each finding."""
        return features @ self.weight.T + self.bias


def fit_linear(
    features: Float64[np.ndarray, "images dim"],
    labels: Float64[np.ndarray, "images classes"],
    start: Float64[np.ndarray, "classes dim"],
    strength: float = STRENGTH,
) -> LinearLayer:
    """Return the layer that fits the labels, held to its beginning.

    Args:
        features: Of the images that labels are known of.
        labels: 1 present, 0 absent, NaN not known.
        start: The zero-shot classifier.
        strength: Above 0; the larger, the further labels move the layer.
    """
    spread = float(features.var(axis=0).sum()) or 1.0
    weight, bias = start.copy(), np.zeros(len(start))
    fitted = np.zeros(len(start), bool)
    for column in range(len(start)):
        known = ~np.isnan(labels[:, column])
        positive = labels[known, column] == 1
        if positive.any() and not positive.all():
            own = _fit(features[known], positive, start[column], spread / strength)
            weight[column], bias[column], fitted[column] = own[:-1], own[-1], True
    return LinearLayer(weight, bias, fitted, strength)


def choose_layer(
    features: Float64[np.ndarray, "images dim"],
    labels: Float64[np.ndarray, "images classes"],
    start: Float64[np.ndarray, "classes dim"],
    held_out: Float64[np.ndarray, "val dim"],
    truth: Float64[np.ndarray, "val classes"],
) -> LinearLayer:
    """Return the layer of the strength with the highest mean AUROC on validation images, the least in a tie.

    Args:
        features: As in :func:`fit_linear`, like the two that follow.
        labels: Likewise.
        start: Likewise.
        held_out: Features of the validation images.
        truth: Their labels.
    """
    layers = [fit_linear(features, labels, start, strength) for strength in STRENGTHS]
    means = [mean_auroc(layer.logits(held_out), truth) for layer in layers]
    best = max(range(len(layers)), key=lambda i: means[i].value if means[i].is_defined else 0.0)
    return layers[best]


def _fit(
    features: Float64[np.ndarray, "known dim"],
    positive: Bool[np.ndarray, " known"],
    start: Float64[np.ndarray, " dim"],
    pull: float,
) -> Sequence[float]:
    """Return weights and, last, offset of one finding."""
    sign = np.where(positive, -1.0, 1.0)

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        moved = values[:-1] - start
        margin = sign * (features @ values[:-1] + values[-1])
        slope = sign * expit(margin)
        gradient = np.append(slope @ features + pull * moved, slope.sum())
        return float(np.logaddexp(0, margin).sum() + pull * moved @ moved / 2), gradient

    found = minimize(
        loss,
        np.append(start, 0.0),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-13, "gtol": 1e-7},
    )
    return [float(value) for value in found.x]
