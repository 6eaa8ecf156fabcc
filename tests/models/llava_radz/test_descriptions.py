from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zerosight.config import read_mapping
from zerosight.data.chest.names import FINDINGS, NO_FINDING
from zerosight.errors import ConfigError, ZerosightError
from zerosight.models.llava_radz.descriptions import (
    SHIPPED,
    DescriptionError,
    check_findings,
    find_descriptions,
    load_descriptions,
    missing,
)

KNOWN = load_descriptions()


def file(folder: Path, content: object) -> Path:
    path = folder / "mine.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def test_every_finding_is_described_and_nothing_else():
    assert set(KNOWN) == set(FINDINGS)
    assert set(read_mapping(SHIPPED)) == set(FINDINGS)  # spelt canonically in the file, too


@pytest.mark.parametrize("name", FINDINGS)
def test_own_texts_are_whole_sentences_and_enough_of_them(name):
    entry = KNOWN[name]
    assert len(entry.presence) >= 3
    assert len(entry.absence) >= 2
    assert entry.source
    for text in (*entry.presence, *entry.absence):
        assert re.fullmatch(r"[A-Z].*\.", text)
        assert 3 <= len(text.split()) <= 30
        assert len(re.findall(r"[.](?= |$)", text)) <= 2
    if name != NO_FINDING:
        assert not any(text.startswith("No ") for text in entry.presence)


def test_no_text_stands_for_two_things():
    texts = [text for entry in KNOWN.values() for text in (*entry.presence, *entry.absence)]
    assert len(texts) == len(set(texts))


def test_a_file_goes_over_ours_and_may_leave_out_absence(tmp_path):
    mine = {
        "Effusion": {"presence": ["Fluid."], "absence": ["No fluid."], "source": "me"},
        "Dextrocardia": {"presence": ["The heart\n lies  right."]},
    }
    found = load_descriptions(file(tmp_path, mine))
    assert found["pleural effusion"].presence == ("Fluid.",)
    assert found["pleural effusion"].source == "me"
    assert found["dextrocardia"].presence == ("The heart lies right.",)
    assert found["dextrocardia"].absence[0] == "No dextrocardia."
    assert found["edema"] == KNOWN["edema"]
    assert "dextrocardia" not in load_descriptions()


def test_json_is_read_too(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"scoliosis": {"presence": ["The spine is curved."]}}))
    assert load_descriptions(path)["scoliosis"].presence == ("The spine is curved.",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"edema": {"presense": ["x"]}}, "did you mean 'presence'"),
        ({"edema": {"absence": ["No edema."]}}, "presence: Field required"),
        ({"edema": {"presence": []}}, "at least 1"),
        ({"edema": {"presence": [" "]}}, "presence.0"),
        ({"edema": {"presence": ["x" * 601]}}, "at most 600"),
        ({"edema": {"presence": [3]}}, "presence.0"),
        ({"edema": {"presence": "Hazy."}}, "presence"),
        ({"edema": {"name": "mass", "presence": ["Hazy."]}}, "leave the name out"),
        ({"edema": ["Hazy."]}, "should hold 'presence'"),
        ({"edema": {"presence": ["a"]}, "Oedema": {"presence": ["b"]}}, "described twice"),
        ({"x" * 81: {"presence": ["a"]}}, "name"),
        ("edema: {", "not valid YAML"),
        ("- edema", "top level"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(tmp_path, content, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        load_descriptions(file(tmp_path, content))
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there():
    with pytest.raises(ConfigError, match="cannot be read"):
        load_descriptions(Path("nowhere.yaml"))


def test_descriptions_come_in_the_order_asked_for():
    found = find_descriptions(["Effusion", "COVID19", "Pleural_Thickening"], KNOWN)
    assert [entry.name for entry in found] == ["pleural effusion", "covid-19", "pleural thickening"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["pneumonnia"], "did you mean 'pneumonia'.*--descriptions FILE.*--write"),
        (["situs inversus", "edema"], "no description of 'situs inversus';"),
        (["aa", "bb", "cc", "dd"], "'aa', 'bb', 'cc' …"),
    ],
)
def test_a_finding_without_description_says_how_to_get_one(names, message):
    with pytest.raises(DescriptionError, match=message):
        find_descriptions(names, KNOWN)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no finding"),
        (["", " "], "no finding"),
        (["effusion", "Pleural Effusion"], "both mean"),
        (["x" * 81], "longer"),
        (["ede\x1bma"], "cannot be printed"),
    ],
)
def test_lists_that_are_none(names, message):
    with pytest.raises(ConfigError, match=message):
        find_descriptions(names, KNOWN)


def test_missing_names_are_canonical():
    assert missing(["Effusion", "Situs_Inversus"], KNOWN) == ("situs inversus",)


@given(st.lists(st.text(max_size=100), max_size=4))
def test_any_names_give_canonical_ones_or_a_known_error(names):
    found: tuple[str, ...] = ()
    message = ""
    try:
        found = check_findings(names)
    except ZerosightError as error:
        message = str(error)
    assert bool(found) != bool(message)
    assert "\n" not in message
    assert len(set(found)) == len(found)


NESTED = st.recursive(st.none() | st.text(max_size=9), st.lists, max_leaves=4)


@given(content=st.dictionaries(st.text(max_size=20), NESTED, min_size=1))
def test_any_file_without_descriptions_is_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("wild") / "mine.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError) as caught:
        load_descriptions(path)
    assert str(caught.value).startswith(str(path))


def test_an_empty_file_changes_nothing(tmp_path):
    assert load_descriptions(file(tmp_path, "")) == KNOWN


def test_broken_unicode_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"presence\.0.*cannot be printed"):
        load_descriptions(file(tmp_path, 'edema: {presence: ["\\ud800 haze"]}'))
