"""Names of findings: one spelling each, and a clear word about the misspelt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosight.data.chest.names import (
    CHESTXRAY14,
    CHEXPERT5,
    CHEXPERT14,
    FINDINGS,
    NO_FINDING,
    canonical,
    check_labels,
)
from zerosight.errors import ConfigError


def test_the_lists_of_the_field_are_whole_and_canonical() -> None:
    assert len(CHESTXRAY14) == len(CHEXPERT14) == 14
    assert set(CHEXPERT5) <= set(CHEXPERT14)
    assert set(CHESTXRAY14) | set(CHEXPERT14) | {"covid-19", "tuberculosis"} == set(FINDINGS)
    assert len(FINDINGS) == len(set(FINDINGS))
    assert all(canonical(name) == name for name in FINDINGS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Pleural_Thickening", "pleural thickening"),
        ("Effusion", "pleural effusion"),
        ("No Finding", NO_FINDING),
        ("Normal", NO_FINDING),
        ("COVID-19", "covid-19"),
        ("Pulmonary Oedema", "edema"),
        ("  Situs\tInversus ", "situs inversus"),
        ("", ""),
    ],
)
def test_spellings(name: str, expected: str) -> None:
    assert canonical(name) == expected


@given(st.text())
def test_canonical_is_settled_after_one_step(name: str) -> None:
    once = canonical(name)
    assert canonical(once) == once


def test_labels_keep_their_order() -> None:
    assert check_labels(iter(["Hernia", "Effusion"]), FINDINGS) == ("hernia", "pleural effusion")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "no finding is named"),
        (["Effusion", "pleural effusion"], "'Effusion' and 'pleural effusion' both mean"),
        (["cardiomegally"], "did you mean 'cardiomegaly'"),
        (["qqqq\n" * 100], "known are atelectasis"),
    ],
)
def test_bad_lists_are_refused_in_one_line(names: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_labels(names, FINDINGS)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()
