from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from zerosight.config import Config, read_mapping
from zerosight.errors import ConfigError


class Inner(Config):
    rate: float = 0.5


class Outer(Config):
    epochs: int = Field(3, ge=1)
    inner: Inner = Inner()


def test_flags_override_the_file_which_overrides_the_defaults(tmp_path: Path):
    file = tmp_path / "c.yaml"
    file.write_text("epochs: 5\ninner:\n  rate: 0.1\n")
    assert Outer.load(file) == Outer(epochs=5, inner=Inner(rate=0.1))
    assert Outer.load(file, epochs=7, inner=None).epochs == 7
    assert Outer.load(None) == Outer()


def test_what_is_saved_loads_again(tmp_path: Path):
    Outer(epochs=9).save(tmp_path / "c.yaml")
    assert Outer.load(tmp_path / "c.yaml") == Outer(epochs=9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epocs: 3", r"unknown key 'epocs' \(did you mean 'epochs'\?\); known keys: epochs, inner"),
        ("inner: {rat: 1}", r"unknown key 'inner\.rat' \(did you mean 'rate'\?\)"),
        ("epochs: 0", r"epochs: Input should be greater than or equal to 1, got 0"),
        ("epochs: [", "is not valid YAML"),
        ("- 1", "should hold 'key: value' lines"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, text: str, message: str):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        Outer.load(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_and_an_empty_file(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_mapping(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").touch()
    assert read_mapping(tmp_path / "empty.yaml") == {}


class Slope(Config):
    slope: float = 1.0


class Many(Config):
    names: dict[str, Slope] = Field(default_factory=dict)
    rows: tuple[Slope, ...] = ()


@pytest.mark.parametrize("values", [{"names": {"mass": {"slop": 1.0}}}, {"rows": [{"slop": 1.0}]}])
def test_an_unknown_key_inside_a_mapping_or_list_is_named(values):
    with pytest.raises(ConfigError, match=r"slop' \(did you mean 'slope'\?\); known keys: slope"):
        Many.parse(values)


def test_an_error_is_short_however_long_the_value():
    with pytest.raises(ConfigError) as refused:
        Many.parse({"names": {"x" * 10_000: {"slope": ["y" * 10_000] * 10_000}}})
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("text", ["slope: .inf", "slope: .nan", "slope: 2001-13-45", "slope: &a [*a]"])
def test_values_that_are_no_honest_numbers_are_refused(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"c\.yaml") as refused:
        Slope.load(tmp_path / "c.yaml")
    assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError):
        Slope.parse({"slope": float("inf")})
