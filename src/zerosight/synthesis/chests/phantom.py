"""Phantom: one chest X-ray with its labels, masks and report, made from a seed and a number alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8

from zerosight.data.chest.names import IMPLIES
from zerosight.data.chest.wording import report_sentences
from zerosight.errors import ConfigError
from zerosight.synthesis.chests.anatomy import SIDES, LungSide, Patient, draw_patient
from zerosight.synthesis.chests.canvas import Canvas, make_canvas
from zerosight.synthesis.chests.objects import bullae, devices, hernia
from zerosight.synthesis.chests.opacities import OPACITIES, Drawn, Scene
from zerosight.synthesis.chests.physics import draw_exposure, expose
from zerosight.synthesis.chests.plan import Finding, labels_of, plan_findings
from zerosight.synthesis.chests.pleura import effusion, pneumothorax, thickening
from zerosight.synthesis.chests.skeleton import Break
from zerosight.synthesis.chests.thorax import Thorax, draw_thorax

_PLAN, _PATIENT, _PLACE, _TISSUE, _LESION, _CAMERA, _REPORT = range(
    7
)  # streams of chance: none disturbs another
_SMALLEST, _LARGEST = 64, 2048
_OTHERS = {
    "pleural effusion": effusion,
    "pneumothorax": pneumothorax,
    "pleural thickening": thickening,
    "support devices": devices,
    "hernia": hernia,
    "emphysema": bullae,
}


@dataclass(frozen=True, slots=True)
class PhantomPlan:
    """What a phantom will be, known before it is drawn.

    Attributes:
        findings: What is drawn, with side, place and severity.
        labels: Every name of :data:`zerosight.data.chest.names.FINDINGS`: 1 present, 0 absent, None where
            readers would differ.
        report: Findings and impression in words.
        patient: The proportions, cardiothoracic ratio included.
        split: ``train`` (80 %), ``val`` or ``test`` (10 % each).
    """

    findings: tuple[Finding, ...]
    labels: Mapping[str, int | None]
    report: str
    patient: Patient
    split: Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """One procedural chest X-ray.

    Attributes:
        image: Grey values, dense tissue bright.
        labels: As in :class:`PhantomPlan`.
        report: Findings and impression in words.
        findings: What was drawn, with side, place and severity.
        masks: Where each finding is, for those that are in one place, and what it implies with it.
        lungs: Where the right and the left lung are (the patient's), with what lies before or behind them.
        patient: The proportions, cardiothoracic ratio included.
    """

    image: UInt8[np.ndarray, "size size"]
    labels: Mapping[str, int | None]
    report: str
    findings: tuple[Finding, ...]
    masks: Mapping[str, Bool[np.ndarray, "size size"]]
    lungs: Mapping[LungSide, Bool[np.ndarray, "size size"]]
    patient: Patient


def plan_phantom(seed: int, index: int, findings: Sequence[Finding] | None = None) -> PhantomPlan:
    """Return what phantom ``index`` of a seed will be; cheap.

    Args:
        seed: Start of all chance, at least 0.
        index: Number of the phantom, at least 0.
        findings: What to draw instead of what chance plans, the same patient otherwise.

    Raises:
        ConfigError: A number is negative.
    """
    _check_numbers(seed, index)
    planned = plan_findings(_rng(seed, _PLAN, index)) if findings is None else tuple(findings)
    patient = adapted(draw_patient(_rng(seed, _PATIENT, index)), planned)
    labels = labels_of(planned)
    words = _rng(seed, _REPORT, index)
    part = words.random()
    return PhantomPlan(
        findings=planned,
        labels=labels,
        report=report_sentences(labels, words, planned, patient.supine),
        patient=patient,
        split="train" if part < 0.8 else "val" if part < 0.9 else "test",
    )


def make_phantom(
    seed: int, index: int, size: int = 320, findings: Sequence[Finding] | None = None
) -> Phantom:
    """Return phantom ``index`` of a seed; it depends on nothing else.

    Args:
        seed: Start of all chance, at least 0.
        index: Number of the phantom, at least 0.
        size: Height and width in pixels, 64 to 2048.
        findings: What to draw instead of what chance plans, the same patient otherwise.

    Raises:
        ConfigError: A number is out of range.

    >>> make_phantom(0, 0, 64).image.shape
    (64, 64)
    """
    plan = plan_phantom(seed, index, findings)
    scene = Scene(plan.patient, _placed(_rng(seed, _PLACE, index), size), _rng(seed, _LESION, index))
    broken = _breaks(plan.findings, scene)
    thorax = draw_thorax(plan.patient, scene.canvas, _rng(seed, _TISSUE, index), broken)
    lungs = {side: thorax.half[side] > 0.5 for side in SIDES}
    masks: dict[str, Bool[np.ndarray, "size size"]] = {}
    for finding in plan.findings:
        drawn = _drawn(thorax, finding, scene)
        if drawn is not None:
            thorax, weight = drawn
            for name in (finding.name, *IMPLIES.get(finding.name, ())):
                masks[name] = masks.get(name, False) | (weight > 0.25)
    camera = _rng(seed, _CAMERA, index)
    image = expose(thorax.attenuation(), draw_exposure(camera, plan.patient.supine), camera)
    return Phantom(image, plan.labels, plan.report, plan.findings, masks, lungs, plan.patient)


def check_size(size: int) -> None:
    """Refuse a size that no phantom is drawn at.

    Raises:
        ConfigError: As above.
    """
    if not _SMALLEST <= size <= _LARGEST:
        raise ConfigError(f"size {size} is not in {_SMALLEST} ... {_LARGEST}; 320 is usual")


def _check_numbers(seed: int, index: int) -> None:
    for name, value in (("seed", seed), ("index", index)):
        if value < 0:
            raise ConfigError(f"{name} {value} is negative; use 0 or more")


def _rng(seed: int, stream: int, index: int) -> np.random.Generator:
    return np.random.default_rng([seed, stream, index])


def _placed(rng: np.random.Generator, size: int) -> Canvas:
    """Return the canvas of a patient who is a little turned, shifted and nearer or farther."""
    check_size(size)
    shift = (float(rng.normal(0, 0.03)), float(rng.normal(0.02, 0.03)))
    return make_canvas(size, float(rng.normal(0, 0.025)), float(rng.uniform(0.84, 1.02)), shift)


def adapted(patient: Patient, findings: Sequence[Finding]) -> Patient:
    """Return the patient with the proportions that findings change: heart, diaphragm, mediastinum."""
    for finding in findings:
        grade = finding.severity
        if finding.name == "cardiomegaly":
            factor = (0.56 + 0.12 * grade) / patient.ratio
            patient = replace(
                patient,
                heart_left=patient.heart_left * factor,
                heart_right=patient.heart_right * factor,
            )
        elif finding.name == "emphysema":
            lower = 0.10 + 0.06 * grade
            patient = replace(
                patient,
                dome=(patient.dome[0] + lower, patient.dome[1] + lower),
                depth=patient.depth * (0.62 - 0.22 * grade),
                heart_left=patient.heart_left * 0.86,
                heart_right=patient.heart_right * 0.86,
            )
        elif finding.name == "enlarged cardiomediastinum":
            patient = replace(patient, mediastinum=patient.mediastinum * (1.5 + 0.45 * grade), knob=0.04)
        elif finding.name == "atelectasis" and finding.pattern == "collapse":
            patient = _drawn_up(patient, finding)
        elif finding.name == "fibrosis":
            patient = replace(patient, dome=(patient.dome[0] - 0.06 * grade, patient.dome[1] - 0.06 * grade))
        elif finding.name == "pneumothorax":
            away = 1.0 if finding.side == "right" else -1.0
            patient = replace(patient, shift=patient.shift + away * 0.07 * max(0.0, grade - 0.5))
    return patient


def _drawn_up(patient: Patient, finding: Finding) -> Patient:
    """Return the patient with the volume of a lung lost: its dome up, the mediastinum towards it."""
    rise = 0.08 + 0.09 * finding.severity
    domes = [
        dome - rise * (finding.side in (side, "both")) for dome, side in zip(patient.dome, SIDES, strict=True)
    ]
    pull = 0.0 if finding.side == "both" else 0.04 * finding.severity * (-1 if finding.side == "right" else 1)
    return replace(patient, dome=(domes[0], domes[1]), shift=patient.shift + pull)


def _breaks(findings: Sequence[Finding], scene: Scene) -> tuple[Break, ...]:
    """Return the broken ribs."""
    breaks = []
    for finding in findings:
        if finding.name == "fracture":
            first = int(scene.rng.integers(3, 5) if finding.place == "upper" else scene.rng.integers(5, 8))
            for rib in range(first, first + 2 + round(2 * finding.severity)):
                step = float(scene.rng.choice((-1.0, 1.0))) * (0.045 + 0.025 * finding.severity)
                for side in scene.sides(finding):
                    breaks.append(Break(side, rib, float(scene.rng.uniform(0.45, 0.75)), step))
    return tuple(breaks)


def _drawn(thorax: Thorax, finding: Finding, scene: Scene) -> Drawn | None:
    """Return the tissues with a finding and its mask; None for what the proportions show already."""
    draw = OPACITIES.get(finding.pattern) or OPACITIES.get(finding.name) or _OTHERS.get(finding.name)
    return None if draw is None else draw(thorax, finding, scene)
