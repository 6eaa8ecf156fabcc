"""Plan: the findings that a phantom shows, chosen before it is drawn, and the labels that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zerosight.data.chest.names import FINDINGS, IMPLIES, NO_DISEASE, NO_FINDING
from zerosight.errors import ConfigError, did_you_mean

Side = Literal["right", "left", "both", "middle"]
Place = Literal["upper", "middle", "lower", "all", "apical", "lateral"]

_NORMAL = 0.5  # share of phantoms without any finding
_MORE = (0.62, 0.28, 0.10)  # shares of one, two and three findings among the others


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a phantom.

    Attributes:
        name: Canonical name.
        side: The patient's side.
        place: Part of the lung or of the pleura.
        severity: From 0 barely seen to 1 extreme.
        pattern: How it looks, such as ``lobar`` or ``plate``; empty where there is one way only.
    """

    name: str
    side: Side
    place: Place
    severity: float
    pattern: str = ""

    def __post_init__(self) -> None:
        """Refuse what is not drawn.

        Raises:
            ConfigError: The name is not known, or has no such side, place, pattern or severity.
        """
        kind = _kind(self.name)
        if not 0 <= self.severity <= 1:
            raise ConfigError(f"{self.name}: severity {self.severity} is not in 0 ... 1")
        for word, value, allowed in (
            ("side", self.side, kind.sides),
            ("place", self.place, kind.places),
            ("pattern", self.pattern, kind.patterns),
        ):
            if value not in allowed:
                known = ", ".join(map(repr, dict.fromkeys(allowed)))
                raise ConfigError(f"{self.name}: {word} {value!r} is not drawn; use one of {known}")

    @property
    def degree(self) -> Literal["mild", "moderate", "severe"]:
        """The severity in a word."""
        return "mild" if self.severity < 0.4 else "moderate" if self.severity < 0.75 else "severe"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a finding can be like.

    Attributes:
        weight: How often it is drawn, relative to the others.
        sides: Sides it can be on.
        places: Places it can be in.
        patterns: How it can look.
        open: Findings that cannot be told with it: readers differ, so their label is not known.
    """

    weight: float
    sides: tuple[Side, ...]
    places: tuple[Place, ...]
    patterns: tuple[str, ...] = ("",)
    open: tuple[str, ...] = ()


_ONE: tuple[Side, ...] = ("right", "left")
_ANY: tuple[Side, ...] = ("right", "left", "both")
_LOBES: tuple[Place, ...] = ("upper", "middle", "lower", "lower")
_HAZE = ("infiltration", "consolidation", "pneumonia", "atelectasis")

KINDS: Mapping[str, Kind] = {
    "pneumonia": Kind(
        2.0, ("right", "left", "right", "left", "both"), _LOBES, ("patchy", "lobar"), open=_HAZE
    ),
    "consolidation": Kind(1.3, _ONE, _LOBES, ("lobar",), open=_HAZE),
    "lung opacity": Kind(1.0, _ANY, _LOBES, ("hazy",), open=_HAZE),
    "infiltration": Kind(1.0, _ANY, ("middle", "lower", "all"), ("streaky",), open=(*_HAZE, "edema")),
    "pleural effusion": Kind(
        2.2, _ANY, ("lower",), ("meniscus", "meniscus", "layering"), open=("atelectasis",)
    ),
    "pneumothorax": Kind(2.0, _ONE, ("apical",), open=("atelectasis",)),
    "cardiomegaly": Kind(2.2, ("middle",), ("all",), open=("enlarged cardiomediastinum",)),
    "nodule": Kind(1.5, _ANY, ("upper", "middle", "lower"), open=("lung opacity",)),
    "mass": Kind(1.5, _ONE, ("upper", "middle", "lower"), open=("lung opacity",)),
    "atelectasis": Kind(
        1.8,
        ("right", "left", "right", "left", "both"),
        ("lower",),
        ("plate", "plate", "collapse"),
        open=("consolidation", "infiltration", "pneumonia"),
    ),
    "edema": Kind(1.8, ("both",), ("all",), ("haze", "interstitial"), open=_HAZE),
    "emphysema": Kind(1.5, ("both",), ("all",)),
    "fibrosis": Kind(
        0.9,
        ("both",),
        ("lower", "upper"),
        open=("lung opacity", "infiltration", "atelectasis", "edema"),
    ),
    "pleural thickening": Kind(0.9, _ANY, ("apical", "lateral"), open=("pleural other", "lung opacity")),
    "hernia": Kind(0.7, ("middle",), ("lower",), open=("enlarged cardiomediastinum", "mass")),
    "fracture": Kind(0.7, _ONE, ("middle", "upper")),
    "support devices": Kind(1.0, ("middle",), ("all",), ("tube", "line", "pacemaker", "drain")),
    "enlarged cardiomediastinum": Kind(0.8, ("middle",), ("upper",)),
    "covid-19": Kind(0.9, ("both",), ("lower",), open=_HAZE),
    "tuberculosis": Kind(0.9, _ANY, ("upper",), open=(*_HAZE, "fibrosis", "nodule", "lung lesion")),
}
"""What is drawn: every finding of :data:`FINDINGS` that a picture can show by itself."""

_APART = (
    {"emphysema", "edema", "covid-19"},
    {"pneumonia", "consolidation", "lung opacity", "infiltration", "covid-19", "tuberculosis"},
    {"pneumothorax", "pleural effusion", "pleural thickening"},
    {"nodule", "mass", "tuberculosis", "hernia"},
    {"fibrosis", "edema", "infiltration"},
    {"cardiomegaly", "emphysema", "hernia"},
)  # findings of one set hide or mimic each other, so they are not drawn together


def plan_findings(rng: np.random.Generator) -> tuple[Finding, ...]:
    """Return the findings of one phantom; empty for half of them."""
    if rng.random() < _NORMAL:
        return ()
    chosen: list[Finding] = []
    for _ in range(1 + int(rng.choice(3, p=_MORE))):
        taken = {finding.name for finding in chosen}
        free = [
            name
            for name in KINDS
            if name not in taken and not any(name in group and group & taken for group in _APART)
        ]
        weights = np.array([KINDS[name].weight for name in free])
        chosen.append(draw_finding(rng, free[int(rng.choice(len(free), p=weights / weights.sum()))]))
    return tuple(chosen)


def draw_finding(rng: np.random.Generator, name: str) -> Finding:
    """Return a finding of the given name with side, place, severity and pattern by chance.

    Raises:
        ConfigError: The name is not one of :data:`KINDS`.
    """
    kind = _kind(name)
    return Finding(
        name=name,
        side=kind.sides[int(rng.integers(len(kind.sides)))],
        place=kind.places[int(rng.integers(len(kind.places)))],
        severity=float(0.12 + 0.88 * rng.beta(1.6, 1.6)),
        pattern=kind.patterns[int(rng.integers(len(kind.patterns)))],
    )


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise ConfigError(
            f"finding {name!r} is not drawn{did_you_mean(name, KINDS)}; known: {', '.join(KINDS)}"
        )
    return KINDS[name]


def labels_of(findings: Sequence[Finding]) -> dict[str, int | None]:
    """Return the label of every name in :data:`FINDINGS`: 1 present, 0 absent, None where readers differ.

    As in CheXpert, support devices alone leave ``no finding`` at 1.
    """
    present = {finding.name for finding in findings}
    present |= {name for finding in findings for name in IMPLIES.get(finding.name, ())}
    unsure = {name for finding in findings for name in KINDS[finding.name].open} - present
    labels: dict[str, int | None] = {
        name: 1 if name in present else None if name in unsure else 0 for name in FINDINGS
    }
    labels[NO_FINDING] = int(not present - set(NO_DISEASE))
    return labels
