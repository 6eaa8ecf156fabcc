"""Variants by name: settings over settings, and what is refused."""

from __future__ import annotations

import pytest

from zerosight.ablate.config import StudyConfig, settle
from zerosight.errors import ConfigError

VARIANTS = [{"name": "whole", "group": "a"}, {"name": "half", "group": "a", "set": {"size": 1}}]


def test_the_first_variant_is_the_reference_unless_one_is_named():
    assert StudyConfig.parse({"variants": VARIANTS}).compared_with == "whole"
    assert StudyConfig.parse({"variants": VARIANTS, "reference": "half"}).compared_with == "half"


def test_later_settings_win_and_a_group_given_whole_replaces_the_group():
    shared = {"model.width": 1, "model.depth": 2, "epochs": 3}
    assert settle(shared, {"model.width": 5}) == {"model": {"width": 5, "depth": 2}, "epochs": 3}
    assert settle(shared, {"model": {"kind": "x"}}) == {"model": {"kind": "x"}, "epochs": 3}
    assert settle({"model": None}, {"model.width": 5}) == {"model": {"width": 5}}
    assert shared == {"model.width": 1, "model.depth": 2, "epochs": 3}


def test_a_saved_study_can_be_read(tmp_path):
    study = StudyConfig.parse({"variants": VARIANTS, "set": {"epochs": 3}})
    study.save(tmp_path / "study.yaml")
    assert StudyConfig.load(tmp_path / "study.yaml") == study


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"variants": []}, "variants: Tuple should have at least 1 item"),
        ({"variants": [*VARIANTS, VARIANTS[0]]}, "'whole' is there twice"),
        ({"variants": VARIANTS, "reference": "none"}, "no variant is called 'none'; known: whole, half"),
        ({"variants": VARIANTS, "sed": 1}, "unknown key 'sed'"),
        ({"variants": [{"name": "a", "group": "b", "sett": {}}]}, r"unknown key 'variants.0.sett'"),
    ],
    ids=["nothing", "twice", "no reference", "key", "key of a variant"],
)
def test_a_study_that_makes_no_sense_is_refused(values, said):
    with pytest.raises(ConfigError, match=said):
        StudyConfig.parse(values)
