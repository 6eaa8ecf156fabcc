"""Skeleton: ribs, clavicles, shoulder blades and spine as one plane of bone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zerosight.synthesis.chests.anatomy import SIDES, LungSide, Patient
from zerosight.synthesis.chests.canvas import Canvas, Points, ribbon, rounded
from zerosight.synthesis.surfaces.fields import Plane, smooth

_RIBS = 10
_PITCH = 0.145  # height of a vertebra with its disc
_BACK, _FRONT, _CLAVICLE, _SCAPULA, _SPINE, _ARM = 0.30, 0.19, 0.42, 0.16, 0.30, 0.30


@dataclass(frozen=True, slots=True)
class Break:
    """Where a rib is broken.

    Attributes:
        side: Which side.
        rib: Number of the rib, from 1 at the top.
        along: Where along its back part, 0 at the spine to 1 at the wall.
        step: How far the ends stand apart, in units of the body.
    """

    side: LungSide
    rib: int
    along: float
    step: float


def skeleton(
    patient: Patient, canvas: Canvas, rng: np.random.Generator, breaks: Sequence[Break] = ()
) -> Plane:
    """Return the attenuation of bone over the whole picture.

    Args:
        patient: Whose bones.
        canvas: Where they are drawn.
        rng: Source of chance for what no finding depends on.
        breaks: Broken ribs.
    """
    strength = float(rng.uniform(0.75, 1.15))
    back: list[Points] = []
    front: list[Points] = []
    for side in SIDES:
        mirror = np.array([-1.0 if side == "right" else 1.0, 1.0])
        for number in range(1, _RIBS + 1):
            centre, half = _back_rib(patient, number, rng)
            broken = [one for one in breaks if one.side == side and one.rib == number]
            back += [piece * mirror for piece in _pieces(centre, half, broken)]
            if number <= 6:
                front.append(_front_rib(patient, number, rng) * mirror)
    bone = _BACK * _hollow(canvas, back)
    bone += _FRONT * _hollow(canvas, front)
    bone += _CLAVICLE * _hollow(canvas, [one for side in SIDES for one in _clavicle(patient, side, rng)])
    bone += _SCAPULA * smooth(_hollow(canvas, _scapulae(patient, rng)), canvas.length(0.008))
    bone += _ARM * _hollow(canvas, _arms(patient))
    return strength * bone + _spine(patient, canvas, rng)


def rib_path(patient: Patient, number: int) -> Points:
    """Return the middle of a rib's back part, on the patient's left, from the spine to the wall."""
    start = patient.apex[0] + 0.10 + (number - 1) * _spacing(patient)
    share = np.linspace(0.0, 1.0, 14)
    drop = 0.05 + 0.022 * number
    end = patient.wall(start + drop + 0.05) * 1.02 if number > 1 else 0.33
    x = 0.06 + (end - 0.06) * np.sin(share * np.pi / 2) ** 0.9
    y = start - 0.055 * np.sin(np.pi * np.minimum(share * 1.25, 1.0)) + drop * share**2.2
    return np.stack([x, y], axis=1)


def _back_rib(patient: Patient, number: int, rng: np.random.Generator) -> tuple[Points, float]:
    path = rib_path(patient, number)
    path[:, 1] += rng.normal(0, 0.004)
    return path, float(rng.uniform(0.020, 0.026)) * (0.85 if number == 1 else 1.0)


def _front_rib(patient: Patient, number: int, rng: np.random.Generator) -> Points:
    end = rib_path(patient, number)[-1]
    inner = 0.30 + 0.02 * number if number > 1 else 0.16
    fall = 0.20 + 0.022 * number
    share = np.linspace(0.0, 1.0, 12)
    x = end[0] - (end[0] - inner) * share**1.6
    y = end[1] + fall * np.sin(share * np.pi / 2) + rng.normal(0, 0.004)
    return ribbon(np.stack([x, y], axis=1), np.linspace(0.018, 0.033, 12))


def _spacing(patient: Patient) -> float:
    """Return the distance from one rib to the next at the spine."""
    return (0.42 - patient.apex[0]) / (_RIBS - 1) * 1.02


def _pieces(path: Points, half: float, breaks: Sequence[Break]) -> list[Points]:
    """Return the outlines of a rib: one, or two that stand apart where it is broken."""
    width = half * np.linspace(0.9, 1.05, len(path))
    if not breaks:
        return [ribbon(path, width)]
    one = breaks[0]
    share = np.linspace(0.0, 1.0, 40)
    fine = np.stack([np.interp(share, np.linspace(0, 1, len(path)), path[:, k]) for k in (0, 1)], axis=1)
    outer = fine[share > one.along - 0.02] + np.array([0.0, one.step])
    inner = fine[share < one.along + 0.02]
    return [ribbon(part, np.full(len(part), half)) for part in (inner, outer)]


def _clavicle(patient: Patient, side: LungSide, rng: np.random.Generator) -> list[Points]:
    sign = -1.0 if side == "right" else 1.0
    y, rise = patient.clavicle, 0.16 + rng.normal(0, 0.015)
    corners = [
        *((0.07, y + 0.01), (0.18, y + 0.02), (0.32, y - 0.03), (0.46, y - 0.6 * rise)),
        *((0.60, y - rise), (0.74, y - rise - 0.02)),
    ]
    path = rounded(corners, closed=False, times=2)
    width = np.interp(path[:, 0], (0.07, 0.18, 0.5, 0.74), (0.046, 0.031, 0.027, 0.036))
    return [ribbon(path, width) * np.array([sign, 1.0])]


def _scapulae(patient: Patient, rng: np.random.Generator) -> list[Points]:
    blades = []
    for sign in (-1.0, 1.0):
        inner = patient.wall(-0.4) + 0.06 - patient.scapula + float(rng.normal(0, 0.01))
        corners = [
            *((inner, -0.66), (inner + 0.02, -0.4), (inner + 0.10, -0.05), (inner + 0.15, 0.03)),
            *((inner + 0.20, -0.10), (inner + 0.30, -0.42), (inner + 0.34, -0.62), (inner + 0.18, -0.70)),
        ]
        blades.append(rounded(corners, times=2) * np.array([sign, 1.0]))
    return blades


def _arms(patient: Patient) -> list[Points]:
    """Return the heads and shafts of the upper arms."""
    reach = 0.98 + 0.1 * patient.build
    path = rounded([(reach, -0.62), (reach + 0.10, -0.45), (reach + 0.13, 0.3)], closed=False)
    width = np.interp(path[:, 1], (-0.62, -0.5, -0.35), (0.11, 0.10, 0.055))
    arm = ribbon(path, width)
    return [arm, arm * np.array([-1.0, 1.0])]


def _spine(patient: Patient, canvas: Canvas, rng: np.random.Generator) -> Plane:
    """Return vertebrae with their discs and spinous processes."""
    near = np.flatnonzero((np.abs(canvas.x) < 0.16).any(axis=0))
    band = slice(int(near[0]), int(near[-1]) + 1)
    across, down = canvas.x[:, band], canvas.y[:, band]
    x = across - np.float32(patient.curve) * np.sin(down * np.float32(3.0))
    phase = np.abs(((down + np.float32(rng.random() * _PITCH)) / np.float32(_PITCH)) % 1.0 - 0.5)
    body = 0.5 - 0.5 * np.tanh((np.abs(x) - np.float32(0.078) + 0.012 * np.cos(phase * 6)) * np.float32(70))
    plates = 0.75 + 0.35 * np.exp(-(((phase - 0.40) / 0.05) ** 2)) - 0.25 * (phase > 0.45)
    process = np.exp(-((x / 0.014) ** 2) - ((phase - 0.1) / 0.12) ** 2)
    pedicles = np.exp(-(((np.abs(x) - 0.052) / 0.013) ** 2) - ((phase - 0.12) / 0.13) ** 2)
    plane = np.zeros_like(canvas.x)
    plane[:, band] = np.float32(_SPINE) * (body * plates + 0.35 * process + 0.25 * pedicles)
    return plane


def _hollow(canvas: Canvas, outlines: Sequence[Points]) -> Plane:
    """Return bones with a dense rim."""
    return smooth(canvas.areas(outlines, fill=0.62, edge=1.0), 0.5 * canvas.size / 320)
