"""Anatomy: the proportions of one patient and the outlines that follow from them, in body coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from zerosight.synthesis.chests.canvas import Points, rounded

LungSide = Literal["right", "left"]
SIDES: tuple[LungSide, LungSide] = ("right", "left")

_HEIGHTS = (-0.95, -0.80, -0.62, -0.42, -0.15, 0.2, 0.5)
_WIDTHS = (0.20, 0.36, 0.50, 0.605, 0.68, 0.735, 0.75)  # half the width of the lungs at those heights


@dataclass(frozen=True, slots=True)
class Patient:
    """The proportions of one patient, in body coordinates (one unit is about 20 cm).

    Attributes:
        female: Whether breast shadows are drawn.
        build: 0 slim to 1 heavy.
        supine: Taken from the front, lying (AP); otherwise from behind, standing (PA).
        width: Half the width of the lungs at their widest.
        apex: Height (y) of the right and the left apex.
        dome: Height (y) of the right and the left dome of the diaphragm.
        depth: How far the costophrenic angles reach below the domes.
        heart_right: How far the heart reaches to the right of the midline.
        heart_left: How far it reaches to the left.
        heart_tilt: 0 for an upright heart, 1 for a lying one.
        mediastinum: Half the width of the upper mediastinum.
        knob: How far the aortic arch stands out.
        shift: How far heart and mediastinum are pushed to the patient's left.
        scapula: How far the shoulder blades reach over the lungs.
        vessels: Strength of the vessels.
        curve: Side bend of the spine.
        clavicle: Height (y) of the inner end of the clavicles.
    """

    female: bool
    build: float
    supine: bool
    width: float
    apex: tuple[float, float]
    dome: tuple[float, float]
    depth: float
    heart_right: float
    heart_left: float
    heart_tilt: float
    mediastinum: float
    knob: float
    shift: float
    scapula: float
    vessels: float
    curve: float
    clavicle: float

    @property
    def ratio(self) -> float:
        """Cardiothoracic ratio: width of the heart by the inner width of the chest."""
        return (self.heart_right + self.heart_left) / (2 * self.width)

    def wall(self, y: float) -> float:
        """Return the distance of the chest wall from the midline at a height."""
        return float(np.interp(y, _HEIGHTS, _WIDTHS)) * self.width / _WIDTHS[-1]

    def inner(self, side: LungSide, y: float) -> float:
        """Return where the lung begins to be seen beside heart and mediastinum, from the midline outwards."""
        sign = -1.0 if side == "right" else 1.0
        reach = self.heart_right if side == "right" else self.heart_left
        share = float(np.interp(y, (-0.1, 0.3), (0.0, 1.0)))
        return self.mediastinum * (1 - share) + reach * share + sign * self.shift

    def place(self, side: LungSide, across: float, down: float) -> tuple[float, float]:
        """Return a point of the lung that is seen.

        Args:
            side: Which lung.
            across: 0 at heart and mediastinum, 1 at the chest wall.
            down: 0 at the apex, 1 at the dome.
        """
        number = SIDES.index(side)
        y = self.apex[number] + down * (self.dome[number] - self.apex[number])
        inner, wall = self.inner(side, y), self.wall(y)
        x = inner + across * max(wall - inner, 0.05)
        return (-x if side == "right" else x), y


def draw_patient(rng: np.random.Generator) -> Patient:
    """Return a healthy patient: cardiothoracic ratio from 0.38 to 0.49, clear angles, normal volumes."""
    supine = bool(rng.random() < 0.4)
    width = float(rng.uniform(0.68, 0.78))
    ratio = float(rng.uniform(0.38, 0.47)) + (0.02 if supine else 0.0)
    right_share = float(rng.uniform(0.27, 0.36))
    dome = float(rng.uniform(0.30, 0.48)) - (0.08 if supine else 0.0)
    apex = float(rng.uniform(-0.80, -0.72))
    build = float(rng.beta(2.0, 2.2))
    return Patient(
        female=bool(rng.random() < 0.5),
        build=build,
        supine=supine,
        width=width,
        apex=(apex, apex + float(rng.uniform(-0.02, 0.02))),
        dome=(dome, dome + float(rng.uniform(0.0, 0.07))),
        depth=float(rng.uniform(0.17, 0.25)),
        heart_right=2 * width * ratio * right_share,
        heart_left=2 * width * ratio * (1 - right_share),
        heart_tilt=float(rng.uniform(0.1, 0.9)),
        mediastinum=float(rng.uniform(0.095, 0.13)) + (0.012 if supine else 0.0),
        knob=float(rng.uniform(0.025, 0.075)),
        shift=float(rng.normal(0, 0.008)),
        scapula=float(rng.uniform(0.05, 0.16)) if supine else float(rng.uniform(-0.06, 0.05)),
        vessels=float(rng.uniform(0.8, 1.2)),
        curve=float(rng.normal(0, 0.012)),
        clavicle=float(rng.uniform(-0.58, -0.48)) - (0.06 if supine else 0.0),
    )


def lung_outline(patient: Patient, side: LungSide) -> Points:
    """Return the outline of one half of the chest, from the midline to the wall and down to the angle."""
    number = SIDES.index(side)
    apex, dome = patient.apex[number], patient.dome[number]
    angle = dome + patient.depth
    heights = [apex + share * (dome - apex) for share in (0.16, 0.35, 0.6, 0.85, 1.0)]
    wall = [(patient.wall(y), y) for y in heights]
    corner = (patient.width * 1.015, angle)
    points = [
        *((0.07, apex + 0.30), (0.13, apex + 0.06), (0.22, apex - 0.01), (0.34, apex + 0.02)),
        *wall,
        *(corner, corner),
        *((patient.width * 0.88, dome + 0.45 * patient.depth), (patient.width * 0.72, dome + 0.02)),
        *((patient.width * 0.50, dome - 0.02), (patient.width * 0.28, dome + 0.01)),
        *((0.10, dome + 0.10), (0.04, dome + 0.14), (0.04, dome - 0.2)),
    ]
    return _to_side(rounded(points), side)


def heart_outline(patient: Patient) -> Points:
    """Return the outline of the heart; its widest points right and left are the patient's."""
    right, left, tilt = patient.heart_right, patient.heart_left, patient.heart_tilt
    low = max(patient.dome) + 0.14
    apex = min(low - 0.10, 0.36 + 0.06 * tilt)
    points = [
        *((-0.07, -0.16), (-0.75 * right, -0.06), (-1.03 * right, 0.12), (-1.03 * right, 0.26)),
        *((-0.9 * right, 0.40), (-0.5 * right, low), (0.1, low + 0.06), (0.62 * left, low)),
        *((0.93 * left, apex + 0.12), (1.05 * left, apex + 0.02), (1.02 * left, apex - 0.08)),
        *((0.86 * left, apex - 0.23), ((0.60 + 0.1 * tilt) * left, 0.02), (0.13, -0.14)),
    ]
    outline = rounded(points)
    centre = patient.heart_left - patient.heart_right
    reach = (outline[:, 0].max() - outline[:, 0].min()) / (left + right)
    middle = (outline[:, 0].max() + outline[:, 0].min()) / 2
    outline[:, 0] = (outline[:, 0] - middle) / reach + centre / 2 + patient.shift
    return outline


def mediastinum_outline(patient: Patient) -> Points:
    """Return the outline of the great vessels, with the aortic arch standing out to the left."""
    half, knob = patient.mediastinum, patient.knob
    points = [
        *((-0.7 * half, -1.3), (-0.75 * half, -0.75), (-half, -0.5), (-half, -0.25), (-1.15 * half, -0.05)),
        *((-half, 0.2), (-0.6 * half, 0.7), (0.6 * half, 0.7), (half, 0.1), (1.25 * half, -0.06)),
        *((1.3 * half, -0.13), (1.02 * half, -0.20), (half + 0.6 * knob, -0.25), (half + knob, -0.31)),
        *((half + knob, -0.37), (half + 0.4 * knob, -0.42), (0.85 * half, -0.46), (0.7 * half, -0.8)),
        (0.7 * half, -1.3),
    ]
    outline = rounded(points)
    share = np.interp(outline[:, 1], (-0.9, -0.3), (0.2, 1.0))
    outline[:, 0] += patient.shift * share
    return outline


def body_outline(patient: Patient) -> Points:
    """Return the outline of neck, shoulders and trunk; arms leave the picture at the sides."""
    heavy = 0.22 * patient.build
    neck, flank = 0.22 + 0.4 * heavy, patient.width + 0.07 + heavy
    drop = 0.05 if patient.supine else 0.0
    half = [
        *((neck, -1.6), (neck, -1.06 + drop), (neck + 0.12, -0.93 + drop), (0.60 + heavy, -0.84 + drop)),
        *((0.95 + heavy, -0.72 + drop), (1.25, -0.55), (1.35, 0.0), (1.30, 0.25), (flank + 0.2, -0.02)),
        *((flank + 0.05, -0.10), (flank + 0.005, 0.1), (flank, 0.5), (flank + 0.3 * heavy, 0.9)),
        (flank + 0.3 * heavy, 1.7),
    ]
    mirrored = [(-x, y) for x, y in reversed(half)]
    return rounded([*half, *mirrored])


def collapsed(patient: Patient, side: LungSide, amount: float) -> Points:
    """Return the outline of a lung that has come off the wall, most at the apex.

    Args:
        patient: Whose lung.
        side: Which lung.
        amount: 0 just off the wall to 1 a small lung at the hilum.
    """
    outline = _to_side(lung_outline(patient, side), side)
    x, y = outline[:, 0], outline[:, 1]
    number = SIDES.index(side)
    apex, base = patient.apex[number], patient.dome[number] + patient.depth
    down = (y - apex) / (base - apex)
    off = 0.04 + 0.34 * amount
    lateral = np.clip((x - 0.1) / 0.35, 0, 1)
    moved = outline.copy()
    moved[:, 0] = x - off * lateral * np.interp(down, (0.0, 0.5, 1.0), (0.55, 1.0, 0.45 + 0.5 * amount))
    moved[:, 1] = (
        y
        + 1.1 * off * np.clip(1 - down / 0.6, 0, 1)
        - 0.6 * off * amount * np.clip((down - 0.6) / 0.4, 0, 1) * lateral
    )
    return _to_side(moved, side)


def _to_side(outline: Points, side: LungSide) -> Points:
    """Return an outline drawn for the patient's left on its side."""
    return outline * np.array([-1.0, 1.0]) if side == "right" else outline
