from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosight.errors import ConfigError, ZerosightError
from zerosight.models.llava_radz.descriptions import DescriptionError, load_descriptions
from zerosight.models.llava_radz.generated_descriptions import (
    MOST_CHARACTERS,
    PROMPT,
    TEXTS,
    clean,
    describe_missing,
    generate_description,
    problem,
)

GOOD = (
    "The cardiac apex points to the right side of the chest.",
    "Right-sided heart, with a left-sided liver shadow.",
    "Mirror image of the normal cardiac silhouette.",
)


class Writer:
    """Answers from a list by seed, and counts how often it is asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    def __call__(self, prompt: str, seed: int) -> str:
        self.asked.append((prompt, seed))
        return self.answers[seed % len(self.answers)]


def test_a_description_holds_what_the_model_wrote():
    writer = Writer(*GOOD)
    found = generate_description(writer, "Dextro_Cardia", "tiny")
    assert found.name == "dextro cardia"
    assert found.presence == GOOD
    assert found.absence[0] == "No dextro cardia."
    assert found.source == "written by tiny, seed 0; not reviewed"
    assert writer.asked == [(PROMPT.replace("{name}", "dextro cardia"), seed) for seed in range(TEXTS)]


def test_unusable_and_repeated_answers_are_asked_again_with_the_next_seed():
    writer = Writer("", GOOD[0], "I'm sorry, I cannot help with that.", GOOD[0], GOOD[1], GOOD[2])
    assert generate_description(writer, "dextrocardia", "tiny").presence == GOOD
    assert len(writer.asked) == 2 * TEXTS


def test_what_was_written_is_kept_with_prompt_model_and_seed(tmp_path):
    first = generate_description(Writer(*GOOD), "dextrocardia", "tiny", 3, tmp_path)
    [path] = tmp_path.iterdir()
    kept = json.loads(path.read_text())
    assert kept["model"] == "tiny"
    assert kept["seed"] == 3
    assert kept["prompt"] == PROMPT.replace("{name}", "dextrocardia")
    silent = Writer("")
    assert generate_description(silent, "Dextrocardia", "tiny", 3, tmp_path) == first
    assert not silent.asked


@pytest.mark.parametrize("change", [("tiny", 4, PROMPT), ("other", 3, PROMPT), ("tiny", 3, "Say {name}.")])
def test_another_model_seed_or_prompt_is_asked(tmp_path, change):
    generate_description(Writer(*GOOD), "dextrocardia", "tiny", 3, tmp_path)
    model, seed, prompt = change
    writer = Writer(*GOOD)
    generate_description(writer, "dextrocardia", model, seed, tmp_path, prompt)
    assert writer.asked


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"seed": 3}', "\x00", '{"description": {"name": "x"}}'])
def test_a_damaged_file_is_written_again(tmp_path, damage):
    first = generate_description(Writer(*GOOD), "dextrocardia", "tiny", 3, tmp_path)
    [path] = tmp_path.iterdir()
    path.write_text(damage)
    assert generate_description(Writer(*GOOD), "dextrocardia", "tiny", 3, tmp_path) == first
    assert json.loads(path.read_text())["seed"] == 3


def test_a_folder_that_cannot_be_written_costs_only_the_keeping(tmp_path):
    (tmp_path / "file").touch()
    found = generate_description(Writer(*GOOD), "dextrocardia", "tiny", 0, tmp_path / "file")
    assert found.presence == GOOD


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "holds no whole sentence"),
        ("a sentence without an end", "holds no whole sentence"),
        ("I’m sorry, I cannot describe medical images.", "refuses"),
        ("As an AI language model I do not diagnose patients.", "refuses"),
        ("Yes.", "is too short"),
        ("opacity opacity opacity opacity opacity lung.", "repeats itself"),
    ],
)
def test_a_model_that_writes_nothing_usable_is_one_line(answer, reason):
    with pytest.raises(DescriptionError, match=f"'dextrocardia'.*{reason}.*--descriptions FILE"):
        generate_description(Writer(answer), "dextrocardia", "tiny")


def test_a_name_that_is_none():
    with pytest.raises(ConfigError, match="no finding"):
        generate_description(Writer(*GOOD), " ", "tiny")


def test_only_findings_without_description_are_written():
    writer = Writer(*GOOD)
    found = describe_missing(writer, ["Edema", "dextrocardia"], load_descriptions(), "tiny")
    assert list(found) == ["dextrocardia"]
    assert len(writer.asked) == TEXTS


@pytest.mark.parametrize(
    ("answer", "cleaned"),
    [
        ("Findings: A mass of 3.5 cm lies in the lung.", "A mass of 3.5 cm lies in the lung."),
        ("1. Hazy opacity.\n2. Blunted angle.", "Hazy opacity. Blunted angle."),
        ('"Here is the text: Small nodule!"', "Small nodule!"),
        ("One. Two. Three. Four.", "One. Two. Three."),
        ("Long " * 200 + "end.", ""),
        ("The heart is large and", ""),
    ],
)
def test_cleaning(answer, cleaned):
    assert clean(answer) == cleaned


@given(st.text(max_size=2000))
def test_any_answer_is_cleaned_to_one_short_line(answer):
    text = clean(answer)
    assert len(text) <= MOST_CHARACTERS
    assert "\n" not in text
    assert problem(text) is None or isinstance(problem(text), str)


@given(st.text(st.characters(), max_size=300), st.text(st.characters(), max_size=90))
def test_any_answer_about_any_name_is_a_description_or_a_known_error(answer, name):
    found = ""
    try:
        found = generate_description(lambda *_: answer, name, "tiny").presence[0]
    except ZerosightError as error:
        found = str(error)
    assert found.isprintable()
