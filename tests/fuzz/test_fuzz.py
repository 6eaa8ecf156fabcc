"""The seed corpus is read, and a few hundred damaged copies of it are read or refused in one line.

The long run of the same is :mod:`fuzz_campaign`; its numbers stand in docs/reliability.md.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from fuzz_campaign import Tally, campaign, table
from fuzz_targets import ORDER, TARGETS, corpus, draw, try_out
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NUMBERS = range(20 * len(ORDER))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries, about damage that they can live with
        yield


@pytest.mark.parametrize("kind", TARGETS)
def test_sound_files_are_read(kind: str, tmp_path: Path):
    results = [try_out(kind, content, tmp_path) for content in corpus(kind)]
    assert "read" in results
    assert set(results) <= {"read", "refused"}


def test_damaged_files_are_read_or_refused_in_one_line(tmp_path: Path):
    wrong = []
    for number in NUMBERS:
        kind, content = draw(number)
        result = try_out(kind, content, tmp_path)
        if result not in ("read", "refused"):
            wrong.append((number, kind, result))
    assert not wrong


@pytest.mark.parametrize("kind", ["configuration", "descriptions", "card", "manifest", "record of results"])
@given(values=JSON)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_read_or_refused_in_one_line(kind: str, values: Any, tmp_path: Path):
    content = json.dumps(values).encode()
    assert try_out(kind, content, tmp_path) in ("read", "refused")


@pytest.mark.parametrize("number", [59687])
def test_inputs_that_once_were_faults(number: int, tmp_path: Path):
    assert try_out(*draw(number), tmp_path) == "refused"


def test_an_input_depends_on_its_number_alone():
    assert draw(12345) == draw(12345)
    assert {draw(number)[0] for number in range(len(ORDER))} == set(TARGETS)


def test_the_report_counts_everything():
    tally = Tally()
    tally.add(1, "read", 0.1, 100)
    tally.add(2, "refused", 9.0, 200)
    tally.add(3, "KeyError: 'a'", 0.1, 150)
    tally.deaths.append("4: was ended from outside, -9")
    text = table({"image": tally})
    assert "| image | 4 | 1 | 1 | 1 | 1 | 1 | 9.0 | 200 |" in text
    assert "3: KeyError: 'a'" in text


@pytest.mark.slow
@pytest.mark.long
def test_a_short_campaign_tries_every_input_once():
    tallies = campaign(60, start=0, most=len(ORDER))
    assert sum(tally.tried for tally in tallies.values()) == len(ORDER)
    assert not [tally.deaths for tally in tallies.values() if tally.deaths]
