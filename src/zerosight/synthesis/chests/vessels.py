"""Vessels: trees that branch from the hila to the edge of the lungs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from zerosight.synthesis.chests.anatomy import SIDES, LungSide, Patient
from zerosight.synthesis.chests.canvas import Canvas, Points
from zerosight.synthesis.surfaces.fields import Plane, smooth

_LEVELS = 5
_THICK = 0.034  # width of the largest vessels


def hilum(patient: Patient, side: LungSide) -> tuple[float, float]:
    """Return where the vessels of a lung enter it; the left hilum lies a little higher."""
    x = patient.mediastinum + 0.045
    return (-x + patient.shift, -0.02) if side == "right" else (x + 0.01 + patient.shift, -0.07)


def vessels(patient: Patient, canvas: Canvas, rng: np.random.Generator) -> Plane:
    """Return the vessels of both lungs, about 1 where they are thickest; lungs are not cut out."""
    paths: list[Points] = []
    widths: list[float] = []
    for side in SIDES:
        bent, thick = _tree(patient, side, rng)
        paths += list(bent)
        widths += thick.tolist()
    order = np.argsort(widths)
    widest = _THICK
    tree = canvas.lines(
        [paths[k] for k in order],
        [widths[k] for k in order],
        [min(1.0, 0.10 + 0.90 * widths[k] / widest) for k in order],
    )
    plane = smooth(tree, canvas.length(0.0035))
    for side in SIDES:
        x, y = hilum(patient, side)
        plane += 0.55 * canvas.blob((x, y), (0.05, 0.085), 0.3 if side == "right" else -0.3)
    return np.float32(patient.vessels) * plane


def _tree(
    patient: Patient, side: LungSide, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "pieces 3 2"], Float[np.ndarray, "pieces"]]:
    """Return the pieces of one lung's tree (start, bend, end) and their widths."""
    sign = -1.0 if side == "right" else 1.0
    base = np.array(hilum(patient, side))
    angles = np.linspace(-1.45, 1.35, 8) + rng.normal(0, 0.08, 8)
    starts = base + np.stack([np.zeros(8), 0.10 * np.sin(angles)], axis=1)
    lengths = rng.uniform(0.15, 0.23, 8) * np.interp(angles, (-1.5, 0, 1.4), (1.15, 0.85, 1.25))
    widths = rng.uniform(0.6, 1.0, 8) * _THICK * np.interp(angles, (-1.5, 1.4), (0.75, 1.05))
    pieces, thick = [], []
    for _ in range(_LEVELS):
        ends = starts + lengths[:, None] * np.stack([sign * np.cos(angles), np.sin(angles)], axis=1)
        bends = (starts + ends) / 2 + rng.normal(0, 0.07, ends.shape) * lengths[:, None]
        pieces.append(np.stack([starts, bends, ends], axis=1))
        thick.append(widths)
        count = len(angles)
        spread = rng.uniform(0.2, 0.5, count)
        angles = np.concatenate([angles + spread, angles - spread * rng.uniform(0.4, 1.0, count)])
        starts = np.concatenate([ends, ends])
        lengths = np.concatenate([lengths, lengths]) * rng.uniform(0.62, 0.88, 2 * count)
        widths = np.concatenate([widths * 0.72, widths * rng.uniform(0.5, 0.7, count)])
    return np.concatenate(pieces), np.concatenate(thick)
