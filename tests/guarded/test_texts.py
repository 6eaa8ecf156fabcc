"""JSON and YAML from strangers."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.errors import DamagedError
from zerosight.guarded.json import parse_json, read_json, read_json_object
from zerosight.guarded.structure import DEPTH, check_structure, read_text
from zerosight.guarded.yaml import parse_yaml, read_yaml


def bomb(levels: int) -> str:
    """Return YAML in which every line stands for nine times as much as the one before."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int) -> str:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, null, "ü"]}', b'{"a": [1, 2.5, null, "\xc3\xbc"]}'])
def test_json_is_read(text: str | bytes) -> None:
    assert parse_json(text) == {"a": [1, 2.5, None, "ü"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        b"\xff\xfe\xff",
        "[" * 100_000,
        "[" * 200 + "]" * 200,
        "NaN",
        "[-Infinity]",
        "[1e999]",
        "9" * 5000,
        "9" * 100,
        '{"a": }' + "x" * 10_000,
    ],
)
def test_bad_json_is_one_short_line(text: str | bytes) -> None:
    with pytest.raises(DamagedError) as refused:
        parse_json(text)
    assert isinstance(refused.value, ValueError)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_yaml_is_read_with_aliases_and_merges() -> None:
    text = "base: &b {x: 1}\nmore: {<<: *b, y: [*b, 2024-01-02]}\n"
    found = parse_yaml(text)
    assert found["more"]["x"] == 1
    assert found["more"]["y"][0] == {"x": 1}


@pytest.mark.parametrize(
    "text",
    [
        "a: 2001-13-45",
        "a: 2001-01-01 99:99:99",
        "a: !!int ''",
        "a: !!bool x",
        "a: !!float x",
        "a: !!timestamp x",
        "a: !!python/object/apply:os.system [true]",
        "a: " + "9" * 5000,
        "a: .inf",
        "a: .nan",
        "a: " + "[" * 600 + "]" * 600,
        "a: " + "[" * 100_000,
        "a: &a [*a]",
        "? [a]\n: b",
        "a: *b",
        "a: 'x",
        "\x00",
        "a\tb: \n\t- c",
        bomb(12),
        merges(12),
        "x" * 600_000,
    ],
)
def test_bad_yaml_is_one_short_line(text: str) -> None:
    with pytest.raises(DamagedError) as refused:
        parse_yaml(text)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_depth_is_counted() -> None:
    def nested(depth: int) -> Any:
        value: Any = 1
        for _ in range(depth):
            value = [value]
        return value

    check_structure(nested(DEPTH))
    with pytest.raises(DamagedError, match="nested more than 64 deep"):
        check_structure(nested(DEPTH + 1))


def test_files_are_limited_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert read_json(path) == read_json_object(path) == read_yaml(path) == {"a": 1}
    with pytest.raises(DamagedError, match="larger than 4 bytes"):
        read_text(path, 4)
    path.write_bytes(b"\xff")
    with pytest.raises(DamagedError, match="not UTF-8"):
        read_text(path, 4)
    path.write_text("[1]")
    with pytest.raises(DamagedError, match="should hold a JSON object"):
        read_json_object(path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")


@settings(deadline=None)
@given(st.text(alphabet="{}[]:,-&*<!?|>'\"# \n\t0a.~%@`", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_json, parse_yaml):
        with contextlib.suppress(DamagedError):
            parse(text)
