"""The package is Apache-2.0 alone; weights under other terms are in a package of their own."""

from __future__ import annotations

import json
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from zerosight import plugins
from zerosight.backbones.mllm.lite import lite_mllm
from zerosight.errors import WeightsError
from zerosight.models.catalog import find_model, shipped_models

ROOT = Path(__file__).resolve().parents[1]


def project(folder: str) -> dict[str, object]:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]


def test_what_the_package_holds_is_under_its_licence():
    assert project(".")["license"] == "Apache-2.0"
    cards = [json.loads(card.read_text()) for card in ROOT.glob("src/zerosight/**/card.json")]
    assert [(card["name"], card["licence"]) for card in cards] == [("vip2clip-lite", "Apache-2.0")]


def test_the_other_weights_say_theirs_and_are_found():
    about = project("packages/zerosight-radz-tiny")
    licence = str(about["license"])
    assert licence == "LicenseRef-zerosight-radz-tiny"
    assert f"SPDX: {licence}" in (ROOT / "packages/zerosight-radz-tiny/LICENSE").read_text()
    assert list(shipped_models()) == ["radz-tiny", "vip2clip-lite"]


def test_without_them_one_line_names_the_package(monkeypatch: pytest.MonkeyPatch, capsys, tmp_path):
    monkeypatch.setattr(plugins, "_entries", cache(lambda group, path: ()))
    monkeypatch.chdir(tmp_path)
    for opened in (lambda: find_model("radz-tiny"), lite_mllm):
        with pytest.raises(WeightsError, match=r"non-commercial .*; run: pip install zerosight-radz-tiny \("):
            opened()
    assert list(shipped_models()) == ["vip2clip-lite"]
    from zerosight.cli.demo import _is_there

    assert not _is_there("radz-tiny")
    assert "no chest X-rays: the model 'radz-tiny' is in a package" in capsys.readouterr().err
    with pytest.raises(WeightsError, match="shipped: vip2clip-lite"):
        _is_there("radz-huge")


def test_once_it_is_installed_the_next_try_finds_it(monkeypatch: pytest.MonkeyPatch):
    there = plugins._entries(plugins.FOLDERS, tuple(sys.path))
    answers = iter([(), there])
    monkeypatch.setattr(plugins, "_entries", cache(lambda group, path: next(answers)))
    with pytest.raises(WeightsError, match="pip install zerosight-radz-tiny"):
        plugins.radz_tiny("the model 'radz-tiny'")
    assert plugins.radz_tiny("the model 'radz-tiny'").is_dir()
