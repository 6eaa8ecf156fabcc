"""Objects: what lies over, behind or in the chest without being lung or pleura: devices, hernia, bullae."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zerosight.synthesis.chests.anatomy import SIDES
from zerosight.synthesis.chests.canvas import Points, rounded
from zerosight.synthesis.chests.opacities import Drawn, Scene
from zerosight.synthesis.chests.plan import Finding
from zerosight.synthesis.chests.thorax import Thorax
from zerosight.synthesis.surfaces.fields import Plane, smooth


def devices(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw a breathing tube, a venous line, a pacemaker or a chest tube."""
    shapes = {"tube": _tube, "line": _line, "pacemaker": _pacemaker, "drain": _drain}
    metal = shapes[finding.pattern](scene)
    return replace(thorax, metal=thorax.metal + metal), np.clip(metal * 2, 0, 1)


def _tube(scene: Scene) -> Plane:
    shift, tip = scene.patient.shift, scene.rng.uniform(-0.48, -0.36)
    path = rounded([(0.02, -1.25), (0.0, -0.9), (0.6 * shift, -0.6), (0.7 * shift, tip)], closed=False)
    low = rounded(
        [(0.03, -1.25), (-0.02, -0.7), (0.02 + shift, 0.0), (0.05 + shift, 0.4), (0.2, 0.62)], closed=False
    )
    return _wire(scene, [path, path + np.array([0.016, 0.0]), low], [0.010, 0.006, 0.012], [0.5, 0.3, 0.45])


def _line(scene: Scene) -> Plane:
    sign = float(scene.rng.choice((-1.0, 1.0)))
    half, shift = scene.patient.mediastinum, scene.patient.shift
    tip = (-half + 0.02 + shift, scene.rng.uniform(-0.15, 0.08))
    start = (sign * scene.rng.uniform(0.45, 0.8), scene.rng.uniform(-0.85, -0.6))
    corners = [start, (sign * 0.35, -0.62), (sign * 0.12, -0.52), (-half + 0.03 + shift, -0.38), tip]
    return _wire(scene, [rounded(corners, closed=False)], [0.012], [0.6])


def _pacemaker(scene: Scene) -> Plane:
    sign = 1.0 if scene.rng.random() < 0.85 else -1.0
    patient = scene.patient
    x, y = sign * scene.rng.uniform(0.50, 0.60), scene.rng.uniform(-0.50, -0.40)
    box = rounded(
        [(x - 0.09, y - 0.07), (x + 0.09, y - 0.06), (x + 0.08, y + 0.08), (x - 0.08, y + 0.07)], times=2
    )
    vein = [(x - sign * 0.05, y - 0.06), (sign * 0.30, -0.62), (sign * 0.05, -0.50)]
    down = [(-patient.mediastinum + 0.02, -0.35), (-0.6 * patient.heart_right, 0.10)]
    tips: list[tuple[float, float]] = [(0.55 * patient.heart_left, 0.36), (-0.5 * patient.heart_right, 0.02)]
    leads = [rounded([*vein, *down, tip], closed=False) for tip in tips[: int(scene.rng.integers(1, 3))]]
    return scene.canvas.areas([box], fill=0.8, edge=1.0) * 1.5 + _wire(
        scene, leads, [0.010] * len(leads), [0.75] * len(leads)
    )


def _drain(scene: Scene) -> Plane:
    side = SIDES[int(scene.rng.integers(2))]
    patient = scene.patient
    sign = -1.0 if side == "right" else 1.0
    entry, down = scene.rng.uniform(0.15, 0.40), scene.rng.uniform(0.10, 0.30)
    corners = [
        *((sign * 1.2, entry + 0.12), (sign * (patient.wall(entry) + 0.04), entry)),
        *(patient.place(side, 0.75, 0.55), patient.place(side, 0.6, float(down))),
    ]
    return _wire(scene, [rounded(corners, closed=False)], [0.026], [0.45])


def _wire(scene: Scene, paths: list[Points], widths: list[float], values: list[float]) -> Plane:
    return np.float32(1.6) * smooth(scene.canvas.lines(paths, widths, values), 0.4 * scene.canvas.size / 320)


def hernia(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw a round shadow behind the heart with air above a level of fluid."""
    size = 0.11 + 0.09 * finding.severity
    centre = (0.05 + scene.patient.shift + scene.rng.normal(0, 0.02), min(scene.patient.dome) - 0.10)
    distance = scene.canvas.ellipse(centre, (size * 1.15, size))
    bag = smooth(np.sqrt(np.clip(1 - distance, 0, 1)), scene.canvas.length(0.006))
    rim = np.exp(-(((np.sqrt(distance) - 0.97) / 0.06) ** 2))
    level = np.float32(centre[1] + 0.15 * size)
    above = bag * (0.5 - 0.5 * np.tanh((scene.canvas.y - level) / np.float32(0.008)))
    tissue = thorax.tissue + 0.45 * (bag - above) + 0.12 * rim - 0.75 * above
    air = thorax.air * (1 - np.float32(0.75) * (bag - above))
    return replace(thorax, tissue=tissue.astype(np.float32), air=air), bag


def bullae(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw lungs with too much air, sparse vessels and round spaces without any."""
    lungs = np.maximum(thorax.half["right"], thorax.half["left"])
    flow = thorax.vessels * np.float32(0.75 - 0.30 * finding.severity)
    air = thorax.air * np.float32(1.06 + 0.09 * finding.severity)
    walls = np.zeros_like(air)
    for _ in range(round(5 * finding.severity)):
        side = SIDES[int(scene.rng.integers(2))]
        size = scene.rng.uniform(0.05, 0.10)
        centre = scene.patient.place(
            side, float(scene.rng.uniform(0.4, 0.8)), float(scene.rng.uniform(0.15, 0.9))
        )
        distance = np.sqrt(scene.canvas.ellipse(centre, (size, size * scene.rng.uniform(0.8, 1.3))))
        inside = 0.5 - 0.5 * np.tanh((distance - 1) * np.float32(12))
        flow, air = flow * (1 - 0.85 * inside), air * (1 + np.float32(0.06) * inside * lungs)
        walls = np.maximum(walls, np.exp(-(((distance - 1) / 0.06) ** 2)))
    flow = flow + np.float32(0.14) * walls * lungs
    return replace(thorax, air=air.astype(np.float32), vessels=flow.astype(np.float32)), lungs
