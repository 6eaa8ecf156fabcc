"""Opacities: what replaces the air of a lung, from haze to masses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from zerosight.synthesis.chests.anatomy import SIDES, LungSide, Patient
from zerosight.synthesis.chests.canvas import Canvas, inwards
from zerosight.synthesis.chests.plan import Finding
from zerosight.synthesis.chests.thorax import Thorax
from zerosight.synthesis.chests.vessels import hilum
from zerosight.synthesis.surfaces.fields import Plane, noise, smooth

_DOWN = {"upper": (0.20, 0.38), "middle": (0.52, 0.72), "lower": (0.72, 0.92), "all": (0.35, 0.75)}


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """All that drawing a finding needs to know.

    Attributes:
        patient: The proportions.
        canvas: Where the patient is.
        rng: Source of chance.
    """

    patient: Patient
    canvas: Canvas
    rng: np.random.Generator

    def noise(self, scale: float, octaves: int = 2) -> Plane:
        """Return noise with features of ``scale`` units of the body, mean 0 and deviation 1."""
        return noise(self.rng, self.canvas.size, max(2.0, self.canvas.length(scale)), octaves)

    def sides(self, finding: Finding) -> tuple[LungSide, ...]:
        """Return the sides a finding is on; of the middle, both."""
        return tuple(side for side in SIDES if finding.side in (side, "both", "middle"))

    def spot(self, finding: Finding, side: LungSide, across: tuple[float, float]) -> tuple[float, float]:
        """Return a point of the finding's part of a lung, between two shares of the way to the wall."""
        down = self.rng.uniform(*_DOWN[finding.place])
        return self.patient.place(side, float(self.rng.uniform(*across)), float(down))


Drawn = tuple[Thorax, Plane]
"""The tissues with a finding, and how much each pixel is part of it, in [0, 1]."""


def dense(thorax: Thorax, weight: Plane) -> Thorax:
    """Return the tissues with that share of the air replaced by fluid or cells; vessels drown in it."""
    left = 1 - np.clip(weight, 0, 1)
    return replace(thorax, air=thorax.air * left, vessels=thorax.vessels * left)


def patchy(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw pneumonia as one to four ill-defined patches."""
    total = np.zeros_like(thorax.air)
    for side in scene.sides(finding):
        for _ in range(1 + int(scene.rng.integers(0, 3)) + round(finding.severity)):
            centre = scene.spot(finding, side, (0.15, 0.85))
            radius = scene.rng.uniform(0.07, 0.11, 2) * (0.9 + 0.6 * finding.severity)
            blob = scene.canvas.blob(centre, radius, scene.rng.uniform(0, 3))
            total = np.maximum(total, blob * thorax.half[side])
    texture = np.clip(0.75 + 0.35 * scene.noise(0.07, 3), 0.15, 1.3)
    weight = np.clip(total * texture * 1.25, 0, 1)
    return dense(thorax, weight * (0.38 + 0.34 * finding.severity)), weight


def lobar(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw consolidation that fills a lobe up to its fissure, with air left in the airways."""
    total = np.zeros_like(thorax.air)
    canvas = scene.canvas
    for side in scene.sides(finding):
        lobe = _lobe(finding, side, scene)
        core = canvas.blob(
            scene.spot(finding, side, (0.35, 0.65)), (0.26, 0.19), scene.rng.uniform(-0.4, 0.4)
        )
        total = np.maximum(total, lobe * (0.25 + 0.75 * core) * thorax.half[side])
    weight = np.clip(total * (1.05 + 0.14 * scene.noise(0.09, 3)), 0, 1)
    filled = dense(thorax, weight * (0.55 + 0.30 * finding.severity))
    bronchi = 0.35 * weight * np.clip(thorax.vessels, 0, 1)
    return replace(filled, air=filled.air + np.float32(0.4) * bronchi), weight


def _lobe(finding: Finding, side: LungSide, scene: Scene) -> Plane:
    """Return the lobe of a finding's place, soft towards its neighbours."""
    patient, canvas = scene.patient, scene.canvas
    number = SIDES.index(side)
    apex, height = patient.apex[number], patient.dome[number] - patient.apex[number]
    lateral = np.abs(canvas.x) / np.float32(patient.width)
    fissure = apex + np.float32(height * scene.rng.uniform(0.46, 0.54)) + np.float32(0.05) * (lateral - 0.5)

    def below(edge: Plane | float, soft: float) -> Plane:
        return np.asarray(0.5 + 0.5 * np.tanh((canvas.y - edge) / np.float32(soft)), dtype=np.float32)

    if finding.place == "upper":
        return 1 - below(fissure, 0.015)
    if finding.place == "middle":
        return (
            below(fissure, 0.015)
            * (1 - below(apex + height * 0.95, 0.08))
            * (1.25 - np.clip(lateral, 0.25, 1))
        )
    return below(apex + height * 0.62, 0.09)


def hazy(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw an opacity of ground-glass density."""
    total = np.zeros_like(thorax.air)
    for side in scene.sides(finding):
        centre = scene.spot(finding, side, (0.3, 0.75))
        total = np.maximum(
            total, scene.canvas.blob(centre, scene.rng.uniform(0.12, 0.2, 2)) * thorax.half[side]
        )
    weight = np.clip(total * (1 + 0.25 * scene.noise(0.1)), 0, 1)
    left = 1 - weight * np.float32(0.30 + 0.25 * finding.severity)
    return replace(thorax, air=thorax.air * left), weight


def streaky(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw ill-defined streaks that follow the vessels from the hilum."""
    total = np.zeros_like(thorax.air)
    for side in scene.sides(finding):
        x, y = hilum(scene.patient, side)
        down = {"middle": 0.08, "lower": 0.28, "all": 0.12}.get(finding.place, 0.1)
        centre = (x * 1.9, y + down)
        total += (
            scene.canvas.blob(centre, (0.16, 0.20 if finding.place != "all" else 0.34)) * thorax.half[side]
        )
    streaks = smooth(np.exp(-((scene.noise(0.06, 3) / 0.5) ** 2)), scene.canvas.length(0.006))
    weight = np.clip(total, 0, 1)
    drawn = dense(thorax, weight * (0.14 + (0.14 + 0.22 * finding.severity) * streaks))
    return replace(drawn, vessels=drawn.vessels * (1 + 0.5 * weight)), weight


def edema(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw haze around both hila, vessels that lose their edges, and Kerley lines."""
    canvas, grade = scene.canvas, finding.severity
    wings = np.zeros_like(thorax.air)
    for side in SIDES:
        x, y = hilum(scene.patient, side)
        wings += canvas.blob((2.0 * x, y + 0.10), (0.17 + 0.08 * grade, 0.30)) * thorax.half[side]
    fluffy = np.clip(0.9 + 0.35 * scene.noise(0.09, 3), 0.2, 1.5)
    strength = (0.30 + 0.35 * grade) if finding.pattern == "haze" else (0.16 + 0.2 * grade)
    weight = np.clip(wings * fluffy, 0, 1)
    lungs = np.maximum(thorax.half["right"], thorax.half["left"])
    air = thorax.air * (1 - weight * strength) * (1 - (0.06 + 0.08 * grade) * lungs)
    flow = smooth(thorax.vessels, canvas.length(0.006 + 0.006 * finding.severity)) * (1.35 + 0.3 * grade)
    lines = _kerley(scene, 5 + round(9 * finding.severity))
    reticular = 0.0 if finding.pattern == "haze" else np.exp(-((scene.noise(0.045, 1) / 0.22) ** 2))
    flow = flow + lungs * (0.32 * lines + (0.15 + 0.2 * grade) * reticular * np.clip(wings + 0.3, 0, 1))
    return replace(thorax, air=air, vessels=flow.astype(np.float32)), np.clip(weight + lines * lungs, 0, 1)


def _kerley(scene: Scene, count: int) -> Plane:
    """Return short level lines at the wall above the angles."""
    paths = []
    for side in SIDES:
        for _ in range(count):
            x, y = scene.patient.place(side, 1.0, float(scene.rng.uniform(0.62, 1.02)))
            inner = x - np.sign(x) * scene.rng.uniform(0.05, 0.10)
            paths.append(np.array([(x, y), (inner, y + scene.rng.normal(0, 0.006))]))
    return scene.canvas.lines(paths, [0.004] * len(paths), [1.0] * len(paths))


def lesion(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw a round nodule up to 3 cm (1 unit is 20 cm) or a larger mass with a lobed edge."""
    mass = finding.name == "mass"
    total = np.zeros_like(thorax.air)
    for side in scene.sides(finding):
        for _ in range(1 if mass else 1 + (finding.severity > 0.6 and int(scene.rng.integers(0, 3)))):
            size = 0.095 + 0.085 * finding.severity if mass else 0.030 + 0.036 * finding.severity
            centre = scene.spot(finding, side, (0.25, 0.75))
            radius = np.array([size, size]) * scene.rng.uniform(0.88, 1.12, 2)
            distance = scene.canvas.ellipse(centre, radius) * (
                1 + (0.16 if mass else 0.08) * scene.noise(size, 1)
            )
            depth = np.sqrt(np.clip(1.15 - distance, 0, 1))
            total = np.maximum(total, depth * thorax.half[side])
    total = smooth(total, scene.canvas.length(0.006))
    solid = replace(thorax, air=thorax.air * (1 - total * np.float32(0.55 if mass else 0.40)))
    return solid, total


def plates(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw level or slanting bands above the diaphragm."""
    paths, widths = [], []
    for side in scene.sides(finding):
        for _ in range(1 + round(2 * finding.severity)):
            x, y = scene.patient.place(
                side, float(scene.rng.uniform(0.35, 0.65)), float(scene.rng.uniform(0.72, 0.96))
            )
            long, slant = scene.rng.uniform(0.09, 0.17), scene.rng.normal(0, 0.25)
            step = np.array([long, long * slant])
            middle = np.array([x, y])
            paths.append(np.stack([middle - step, middle + np.array([0.0, 0.012]), middle + step]))
            widths.append(float(scene.rng.uniform(0.014, 0.030)))
    band = smooth(scene.canvas.lines(paths, widths, [1.0] * len(paths)), scene.canvas.length(0.004))
    lungs = np.maximum(thorax.half["right"], thorax.half["left"])
    return dense(thorax, band * lungs * (0.32 + 0.25 * finding.severity)), band * lungs


def collapse(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw a dense, crowded base; the raised diaphragm is in the patient's proportions."""
    total = np.zeros_like(thorax.air)
    canvas = scene.canvas
    for side in scene.sides(finding):
        dome = scene.patient.dome[SIDES.index(side)]
        inner = scene.patient.inner(side, dome)
        across = np.clip((np.abs(canvas.x) - np.float32(inner)) / np.float32(0.42), 0, 2)
        edge = np.float32(dome - 0.30) + np.float32(0.30) * across
        wedge = 0.5 + 0.5 * np.tanh((canvas.y - edge) / np.float32(0.04))
        total = np.maximum(total, wedge.astype(np.float32) * thorax.half[side])
    weight = np.clip(total * (1 + 0.12 * scene.noise(0.08)), 0, 1)
    return dense(thorax, weight * (0.42 + 0.28 * finding.severity)), weight


def fibrosis(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw a net of fine lines, densest at the edge of the lungs."""
    canvas = scene.canvas
    lungs = np.maximum(thorax.half["right"], thorax.half["left"])
    edge = 1 - 0.75 * inwards(lungs, canvas.length(0.22))
    towards = 1.0 if finding.place == "lower" else -1.0
    zone = 0.5 + 0.5 * np.tanh(towards * (canvas.y + np.float32(0.12)) * 5)
    net = np.maximum(*(np.exp(-((scene.noise(scale, 1) / 0.28) ** 2)) for scale in (0.035, 0.05)))
    weight = (lungs * edge * zone).astype(np.float32)
    flow = thorax.vessels + weight * net * np.float32(0.45 + 0.5 * finding.severity)
    air = thorax.air * (1 - weight * np.float32(0.12 + 0.2 * finding.severity))
    return replace(thorax, air=air, vessels=flow.astype(np.float32)), weight


def covid(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw ground-glass patches along the wall of both lungs, lower more than upper."""
    lungs = np.maximum(thorax.half["right"], thorax.half["left"])
    edge = 1 - 0.85 * inwards(lungs, scene.canvas.length(0.30))
    outer = np.clip((np.abs(scene.canvas.x) - 0.2) / 0.25, 0, 1)
    low = np.clip(0.65 + 0.9 * scene.canvas.y, 0.2, 1)
    clouds = np.clip(0.55 + 0.75 * scene.noise(0.22, 3), 0, 1.2)
    weight = np.clip(lungs * edge * outer * low * clouds * 1.5, 0, 1).astype(np.float32)
    return dense(thorax, weight * (0.38 + 0.34 * finding.severity)), weight


def tuberculosis(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn:
    """Draw a cavity with a thick wall in an upper lobe among patches and small nodules."""
    total, hole = np.zeros_like(thorax.air), np.zeros_like(thorax.air)
    canvas = scene.canvas
    for side in scene.sides(finding):
        centre = scene.spot(finding, side, (0.3, 0.6))
        haze = canvas.blob(centre, (0.15, 0.14)) * np.clip(0.8 + 0.4 * scene.noise(0.06, 3), 0.1, 1.4)
        size = 0.055 + 0.04 * finding.severity
        distance = np.sqrt(canvas.ellipse(centre, (size, size * scene.rng.uniform(0.8, 1.2))))
        wall = np.exp(-(((distance - 1) / 0.22) ** 2))
        spots = np.clip(scene.noise(0.035, 1) - 1.1, 0, 1) * canvas.blob(centre, (0.25, 0.28))
        total = np.maximum(total, (0.6 * haze + 0.9 * wall + 0.8 * spots) * thorax.half[side])
        hole = np.maximum(hole, (distance < 0.85) * thorax.half[side])
    weight = np.clip(total * (1 - 0.7 * smooth(hole, canvas.length(0.008))), 0, 1).astype(np.float32)
    return dense(thorax, weight * (0.42 + 0.28 * finding.severity)), np.clip(total, 0, 1).astype(np.float32)


OPACITIES: dict[str, Callable[[Thorax, Finding, Scene], Drawn]] = {
    "patchy": patchy,
    "lobar": lobar,
    "hazy": hazy,
    "streaky": streaky,
    "plate": plates,
    "collapse": collapse,
    "edema": edema,
    "nodule": lesion,
    "mass": lesion,
    "fibrosis": fibrosis,
    "covid-19": covid,
    "tuberculosis": tuberculosis,
}
"""How each pattern, or the finding where it has one way only, is drawn."""
