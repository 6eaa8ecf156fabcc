"""Pleura: air, fluid and thickening between lung and chest wall."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zerosight.synthesis.chests.anatomy import SIDES, collapsed
from zerosight.synthesis.chests.canvas import inwards
from zerosight.synthesis.chests.opacities import Drawn, Scene
from zerosight.synthesis.chests.plan import Finding
from zerosight.synthesis.chests.thorax import Thorax
from zerosight.synthesis.surfaces.fields import Plane, smooth


def effusion(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw fluid: with a meniscus that rises to the wall, or layering behind the lung of a lying patient."""
    total = np.zeros_like(thorax.air)
    for side in scene.sides(finding):
        level = _meniscus if finding.pattern == "meniscus" else _layer
        grade = float(np.clip(finding.severity + scene.rng.normal(0, 0.06), 0.02, 1))
        total = np.maximum(total, level(scene, SIDES.index(side), grade) * thorax.half[side])
    strength = np.float32(0.94 if finding.pattern == "meniscus" else 0.85)
    left = 1 - total * strength
    return replace(thorax, air=thorax.air * left, vessels=thorax.vessels * left), total


def _meniscus(scene: Scene, number: int, grade: float) -> Plane:
    """Return fluid under a curve that is highest at the wall."""
    patient, x, y = scene.patient, scene.canvas.x, scene.canvas.y
    dome, apex = patient.dome[number], patient.apex[number]
    corner = dome + patient.depth
    level = corner - 0.13 - grade * 0.60 * (dome + 0.10 - apex)
    across = np.clip((np.abs(x) - np.float32(0.1)) / np.float32(patient.width - 0.1), 0, 1.1)
    rise = np.float32(0.07 + 0.10 * min(2.5 * grade, 1.0))
    surface = np.float32(level) + rise * (1 - across**3) * np.float32(1.2)
    soft = np.float32(0.014 + 0.03 * grade)
    return np.asarray(0.5 + 0.5 * np.tanh((y - surface) / soft), dtype=np.float32)


def _layer(scene: Scene, number: int, grade: float) -> Plane:
    """Return fluid that thins out upwards without an edge, and fills the angle."""
    patient, y = scene.patient, scene.canvas.y
    dome = patient.dome[number]
    veil = 0.5 + 0.5 * np.tanh((y - np.float32(dome - 0.22 - 0.40 * grade)) / np.float32(0.20 + 0.12 * grade))
    angle = _meniscus(scene, number, 0.35 * grade)
    return np.maximum(veil * np.float32(0.55 + 0.4 * grade), angle).astype(np.float32)


def pneumothorax(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw air without vessels around a lung whose pleura is seen as a fine line."""
    air, flow = thorax.air, thorax.vessels
    total, line = np.zeros_like(air), np.zeros_like(air)
    for side in scene.sides(finding):
        outline = collapsed(scene.patient, side, finding.severity)
        lung = scene.canvas.area(outline) * thorax.half[side]
        free = np.clip(thorax.half[side] - lung, 0, 1)
        edge = scene.canvas.lines([np.vstack([outline, outline[:1]])], [0.008], [1.0])
        inside = inwards(thorax.half[side], scene.canvas.length(0.03), 1)
        line += edge * (inside > 0.85)
        crowded = np.float32(1 - 0.30 * finding.severity)
        air = air * (1 - free - lung * (1 - crowded)) + free * air * np.float32(1.18)
        flow = flow * (1 - free) * (1 + np.float32(0.3 * finding.severity) * lung)
        total = np.maximum(total, free)
    tissue = thorax.tissue + np.float32(0.30) * smooth(line, 0.4 * scene.canvas.size / 320)
    return replace(thorax, air=air, vessels=flow, tissue=tissue), total


def thickening(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw a band along the wall, as a cap over the apex or at the side."""
    total = np.zeros_like(thorax.air)
    thick = 0.035 + 0.055 * finding.severity
    for side in scene.sides(finding):
        number = SIDES.index(side)
        apex, dome = scene.patient.apex[number], scene.patient.dome[number]
        wave = np.float32(1) + 0.35 * scene.noise(0.15, 2)
        rim = 1 - np.clip(
            inwards(thorax.half[side], scene.canvas.length(2 * thick), 1) * 2 / wave.clip(0.4), 0, 1
        )
        if finding.place == "apical":
            zone = 0.5 - 0.5 * np.tanh((scene.canvas.y - np.float32(apex + 0.16)) / np.float32(0.05))
        else:
            middle = np.float32(apex + 0.6 * (dome - apex))
            zone = np.exp(-(((scene.canvas.y - middle) / np.float32(0.28)) ** 4))
            zone = zone * (np.abs(scene.canvas.x) > scene.patient.width * 0.6)
        total = np.maximum(total, np.sqrt(rim) * zone * (thorax.half[side] > 0.5))
    weight = smooth(total.astype(np.float32), scene.canvas.length(0.006))
    left = 1 - weight * np.float32(0.65 + 0.2 * finding.severity)
    return replace(thorax, air=thorax.air * left, vessels=thorax.vessels * left), weight
