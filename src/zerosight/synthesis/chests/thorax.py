"""Thorax: what each ray passes through, as planes that findings change and the exposure adds up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zerosight.synthesis.chests.anatomy import (
    SIDES,
    LungSide,
    Patient,
    body_outline,
    heart_outline,
    lung_outline,
    mediastinum_outline,
)
from zerosight.synthesis.chests.canvas import Canvas, inwards
from zerosight.synthesis.chests.skeleton import Break, skeleton
from zerosight.synthesis.chests.vessels import vessels
from zerosight.synthesis.surfaces.fields import Plane, noise, smooth

_AIR = 1.85  # attenuation that a fully aerated lung takes away
_VESSEL = 0.42


@dataclass(frozen=True, slots=True, eq=False)
class Thorax:
    """The tissues of one patient along every ray.

    Attributes:
        tissue: Attenuation of all that is not lung: muscle, fat, heart, liver, bones.
        half: Per side, how much of each pixel lies within that half of the chest, in [0, 1].
        air: Share of a full lung's air along each ray, in [0, 1.3].
        vessels: Vessels and airways' walls, about 1 where thickest.
        heart: How much of each pixel lies within the heart, in [0, 1].
        metal: Attenuation of what is not of the body.
    """

    tissue: Plane
    half: Mapping[LungSide, Plane]
    air: Plane
    vessels: Plane
    heart: Plane
    metal: Plane

    def attenuation(self) -> Plane:
        """Return the sum of all attenuation along each ray."""
        lung = self.air / np.float32(1.05)
        flow = np.float32(_VESSEL) * self.vessels * np.clip(lung * np.float32(1.6), 0, 1)
        return np.maximum(self.tissue - np.float32(_AIR) * self.air + flow + self.metal, np.float32(0.02))


def draw_thorax(
    patient: Patient, canvas: Canvas, rng: np.random.Generator, breaks: Sequence[Break] = ()
) -> Thorax:
    """Return the tissues of a patient without findings, but with the proportions given.

    Args:
        patient: The proportions.
        canvas: Where the patient is.
        rng: Source of chance.
        breaks: Broken ribs.
    """
    heart = smooth(canvas.area(heart_outline(patient)), canvas.length(0.012))
    middle = smooth(canvas.area(mediastinum_outline(patient)), canvas.length(0.006))
    half = {side: canvas.area(lung_outline(patient, side)) for side in SIDES}
    lungs = np.maximum(half["right"], half["left"])
    round_ = np.sqrt(inwards(lungs, canvas.length(0.30)))
    hidden = np.maximum(np.float32(0.66) * heart, np.float32(0.93) * middle)
    grain = noise(rng, canvas.size, canvas.length(0.05), octaves=3)
    upper = np.float32(0.05) * canvas.y
    air = lungs * (0.50 + 0.47 * round_ - upper) * (1 - hidden) * (1 + np.float32(0.03) * grain)
    tissue = _soft_tissue(patient, canvas, rng, lungs) + np.float32(0.25) * heart + np.float32(0.12) * middle
    bone = skeleton(patient, canvas, rng, breaks) * (
        1 - np.float32(0.6) * (1 - lungs) * _below(patient, canvas)
    )
    tissue = tissue + bone - _airways(patient, canvas)
    flow = vessels(patient, canvas, rng) * (1 - np.float32(0.6) * heart) * lungs
    return Thorax(tissue, half, air, flow, heart, np.zeros_like(air))


def _soft_tissue(patient: Patient, canvas: Canvas, rng: np.random.Generator, lungs: Plane) -> Plane:
    """Return muscle, fat, breasts and the abdomen with its gas."""
    body = canvas.area(body_outline(patient))
    thick = np.sqrt(inwards(body, canvas.length(0.55 + 0.2 * patient.build), 4))
    plane = body * (1.0 + (2.4 + 0.9 * patient.build) * thick)
    folds = noise(rng, canvas.size, canvas.length(0.35), octaves=2)
    plane *= 1 + np.float32(0.022) * folds
    plane += body * _below(patient, canvas) * np.float32(0.30)
    gas = canvas.blob((0.30 + rng.normal(0, 0.05), patient.dome[1] + 0.15), (0.09, 0.035), rng.normal(0, 0.3))
    plane -= np.float32(rng.uniform(0.0, 1.0)) * gas * (1 - lungs) * body
    for _ in range(int(rng.integers(0, 5))):
        spot = canvas.blob((rng.uniform(-0.6, 0.6), rng.uniform(0.75, 1.0)), rng.uniform(0.03, 0.08, 2))
        plane -= np.float32(rng.uniform(0.2, 0.6)) * spot * body
    plane += _breasts(patient, canvas, rng) if patient.female else _muscles(patient, canvas, rng)
    return plane


def _below(patient: Patient, canvas: Canvas) -> Plane:
    """Return where the abdomen lies, rising from 0 to 1 at the domes."""
    middle = np.float32(np.mean(patient.dome) + 0.05)
    return np.asarray(0.5 + 0.5 * np.tanh((canvas.y - middle) * np.float32(4.5)), dtype=np.float32)


def _breasts(patient: Patient, canvas: Canvas, rng: np.random.Generator) -> Plane:
    """Return the shadows of both breasts, densest along their lower edge."""
    y, size = 0.22 + rng.normal(0, 0.05), 0.24 + 0.1 * patient.build
    total = np.zeros_like(canvas.x)
    for sign in (-1.0, 1.0):
        distance = canvas.ellipse((sign * 0.47 + rng.normal(0, 0.015), y), (size, size * 0.95))
        below = 1 / (1 + np.exp(-(canvas.y - np.float32(y - 0.10)) * np.float32(10)))
        total += below * np.sqrt(np.clip(1 - distance, 0, 1))
    return np.float32(rng.uniform(0.15, 0.5)) * smooth(total, canvas.length(0.01))


def _muscles(patient: Patient, canvas: Canvas, rng: np.random.Generator) -> Plane:
    """Return the chest muscles of a man."""
    total = np.zeros_like(canvas.x)
    for sign in (-1.0, 1.0):
        total += canvas.blob((sign * 0.55, -0.30), (0.22, 0.18), sign * 0.6)
    return np.float32(rng.uniform(0.05, 0.25)) * total


def _airways(patient: Patient, canvas: Canvas) -> Plane:
    """Return how much the windpipe and its two branches take away."""
    shift = patient.shift
    carina = (0.008 + shift, -0.27)
    trachea = np.array([(0.0, -1.2), (0.2 * shift, -0.8), (0.004 + 0.7 * shift, -0.5), carina])
    right = np.array([carina, (-0.07 + shift, -0.15), (-0.12 + shift, -0.06)])
    left = np.array([carina, (0.09 + shift, -0.17), (0.17 + shift, -0.12)])
    tubes = canvas.lines([trachea, right, left], [0.075, 0.05, 0.045], [1.0, 0.7, 0.6])
    return np.float32(0.42) * smooth(tubes, canvas.length(0.010))
