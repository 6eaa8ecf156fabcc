"""Findings: plans, labels and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.data.chest.names import FINDINGS, IMPLIES, NO_FINDING
from zerosight.errors import ConfigError
from zerosight.synthesis.chests import KINDS, Finding, draw_finding, plan_phantom
from zerosight.synthesis.chests.plan import labels_of


def test_every_finding_but_one_is_drawn() -> None:
    assert set(FINDINGS) - set(KINDS) == {NO_FINDING, "lung lesion", "pleural other"}
    assert all(set(IMPLIES.get(name, ())) | set(kind.open) <= set(FINDINGS) for name, kind in KINDS.items())


def test_half_show_nothing_and_every_kind_occurs() -> None:
    plans = [plan_phantom(0, index) for index in range(1200)]
    empty = [plan for plan in plans if not plan.findings]
    assert 0.45 < len(empty) / len(plans) < 0.55
    assert {finding.name for plan in plans for finding in plan.findings} == set(KINDS)
    assert {len(plan.findings) for plan in plans} == {0, 1, 2, 3}
    shares = {
        split: sum(plan.split == split for plan in plans) / len(plans) for split in ("train", "val", "test")
    }
    assert shares["train"] == pytest.approx(0.8, abs=0.04)
    assert min(shares.values()) > 0.06


def test_labels_follow_from_findings() -> None:
    lesion = labels_of([Finding("mass", "left", "upper", 0.5)])
    assert (lesion["mass"], lesion["lung lesion"], lesion["nodule"], lesion[NO_FINDING]) == (1, 1, 0, 0)
    assert lesion["lung opacity"] is None
    nothing = labels_of([])
    assert nothing[NO_FINDING] == 1
    assert sum(value or 0 for value in nothing.values()) == 1
    wires = labels_of([Finding("support devices", "middle", "all", 0.5, "drain")])
    assert (wires["support devices"], wires[NO_FINDING]) == (1, 1)


def test_a_present_finding_wins_over_an_open_one() -> None:
    rng = np.random.default_rng(0)
    labels = labels_of([draw_finding(rng, "pleural effusion"), draw_finding(rng, "atelectasis")])
    assert labels["atelectasis"] == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("pnuemonia", "left", "lower", 0.5, "lobar"), "did you mean 'pneumonia'"),
        (("pneumonia", "middle", "lower", 0.5, "lobar"), "side 'middle' is not drawn"),
        (("pneumonia", "left", "apical", 0.5, "lobar"), "place 'apical' is not drawn"),
        (("pneumonia", "left", "lower", 0.5, ""), "use one of 'patchy', 'lobar'"),
        (("edema", "both", "all", 1.5, "haze"), "severity 1.5 is not in 0"),
    ],
)
def test_what_is_not_drawn_is_an_error(values: tuple[str, str, str, float, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Finding(*values)  # type: ignore[arg-type]


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(ConfigError, match="is not drawn"):
        draw_finding(np.random.default_rng(0), "scurvy")
