"""What an evaluation of findings hands out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from zerosight.evaluate.findings.localisation import Localisation
from zerosight.evaluate.findings.provenance import Provenance
from zerosight.evaluate.findings.published import PublishedSet
from zerosight.metrics import CalibrationCurve, Curves, FindingTable, ThresholdPolicy


@dataclass(frozen=True, slots=True, eq=False)
class FindingResult:
    """The metrics of one finding.

    Attributes:
        name: The finding, as it was asked for.
        anchor: The anchor that stands for it.
        table: Its metrics.
        curves: ROC and precision–recall points of its scores.
        calibration: Its calibration curve.
        present: Probabilities of the images that show it.
        absent: Probabilities of the images that do not.
    """

    name: str
    anchor: str
    table: FindingTable
    curves: Curves
    calibration: CalibrationCurve
    present: Float64[np.ndarray, " positives"]
    absent: Float64[np.ndarray, " negatives"]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, without the curves and single images."""
        values = {"name": self.name, "anchor": self.anchor} | self.table.to_json()
        return values | {"calibration_curve": self.calibration.to_json()}


@dataclass(frozen=True, slots=True)
class Baseline:
    """Another way to judge the same findings on the same images.

    Attributes:
        name: The way, such as ``vqa``.
        about: What it is, in one line.
        details: What else identifies it, as JSON values.
        findings: Metrics in the order of the findings.
        macro: Their plain means.
    """

    name: str
    about: str
    details: Mapping[str, Any]
    findings: tuple[FindingTable, ...]
    macro: FindingTable

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Return plain JSON values.

        Args:
            names: The findings, in order.
        """
        tables = zip(names, self.findings, strict=True)
        return {
            "name": self.name,
            "about": self.about,
            **self.details,
            "findings": [{"name": name} | table.to_json() for name, table in tables],
            "macro": self.macro.to_json(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class FindingEvaluation:
    """One model on the findings of one data set.

    Attributes:
        provenance: Where scores and labels came from.
        settings: The settings that results depend on, as JSON values.
        images: Number of images judged.
        patients: Number of patients they are of; an image without one counts as its own.
        findings: Results in the order asked for.
        macro: Their plain means, over the findings that have a value.
        published: What others report for this data set, under their protocols.
        baselines: Other ways to judge the same findings on the same images.
        localisation: How maps agree with regions; None where the data has none.
    """

    provenance: Provenance
    settings: Mapping[str, Any]
    images: int
    patients: int
    findings: tuple[FindingResult, ...]
    macro: FindingTable
    published: PublishedSet | None
    baselines: tuple[Baseline, ...] = ()
    localisation: Localisation | None = None

    @property
    def policy(self) -> ThresholdPolicy:
        """How thresholds were chosen."""
        return ThresholdPolicy.parse(self.macro.policy)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        origin = self.provenance
        return {
            "schema": 1,
            "kind": "findings",
            "notice": origin.notice,
            "data": {"name": origin.data, "licence": origin.licence, "citation": origin.citation},
            "images": self.images,
            "patients": self.patients,
            "splits": [split.to_json() for split in origin.splits],
            "left_out": dict(origin.left_out),
            "left_out_examples": list(origin.examples),
            "model": dict(origin.model),
            "mode": origin.mode,
            "temperature": origin.temperature,
            "calibration": origin.calibration,
            "anchors": {
                "provenance": origin.anchor_provenance,
                "used_in_training": list(origin.used_in_training),
                "of": {finding.name: finding.anchor for finding in self.findings},
            },
            "policy": {
                "name": str(self.policy),
                "meaning": self.policy.meaning,
                "thresholds": origin.thresholds,
            },
            "settings": dict(self.settings),
            "findings": [finding.to_json() for finding in self.findings],
            "macro": self.macro.to_json(),
            "beside": [one.to_json([finding.name for finding in self.findings]) for one in self.baselines],
            "localisation": self.localisation.to_json() if self.localisation else None,
            "published": self.published.to_json() if self.published else None,
        }
