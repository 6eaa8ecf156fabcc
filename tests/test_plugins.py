"""What installed packages add: backbones, data sets, and broken things that are one line of warning."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image

from zerosight.backbones.build import build_encoder
from zerosight.backbones.config import BackboneConfig, parse_backbone
from zerosight.data.layouts import list_layouts, open_dataset
from zerosight.errors import ConfigError, WeightsError
from zerosight.plugins import DATASETS, plug_in_names, plug_ins

BACKBONE = """
from zerosight.backbones.tiny import tiny_encoder

def build(config):
    return tiny_encoder(config.seed, config.image_size or 32)
"""
DATASET = """
from zerosight.data.layouts import DatasetInfo
from zerosight.data.layouts.folder import FolderTree

WALNUTS = DatasetInfo("walnuts", ("default",), FolderTree(), has_masks=False)
"""


def test_a_backbone_of_another_package_is_built_like_our_own(install):
    assert parse_backbone("pebble").kind == "openclip"
    install("zs_pebble", {"zerosight.backbones": "pebble = zs_pebble.build:build"}, build=BACKBONE)
    config = parse_backbone("pebble", image_size=48)
    assert config == BackboneConfig(kind="pebble", image_size=48)
    assert build_encoder(config).preprocess.size == 48


def test_a_backbone_that_is_not_there_names_what_is(install, caplog):
    with pytest.raises(ConfigError, match="'lit' is not known \\(did you mean 'lite'\\?\\)"):
        BackboneConfig.parse({"kind": "lit"})
    caplog.set_level(logging.WARNING)
    install("zs_slate", {"zerosight.backbones": "slate = zs_slate.nowhere:build"})
    with pytest.raises(WeightsError, match="adds the backbone 'slate' is not installed or is broken"):
        build_encoder(BackboneConfig(kind="slate"))
    assert "cannot be loaded" in caplog.text


def test_a_data_set_of_another_package_is_read_like_our_own(install, tmp_path):
    before = [info.name for info in list_layouts()]
    install("zs_walnuts", {"zerosight.datasets": "walnuts = zs_walnuts.sets:WALNUTS"}, sets=DATASET)
    names = [info.name for info in list_layouts()]
    assert sorted(names) == sorted([*before, "walnuts"])
    assert names[-2:] == before[-2:]
    for kind in ("good", "bad"):
        (tmp_path / "nuts" / kind).mkdir(parents=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "nuts" / kind / "1.png")
    dataset = open_dataset(f"walnuts:{tmp_path / 'nuts'}")
    assert sorted(record.label for record in dataset.records()) == [0, 1]


def test_a_plug_in_cannot_take_the_name_of_a_data_set_of_ours(install):
    text = DATASET.replace('"walnuts"', '"visa"')
    before = list_layouts()
    install("zs_visa", {"zerosight.datasets": "visa = zs_visa.sets:WALNUTS"}, sets=text)
    assert list_layouts() == before


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("raises", "raise RuntimeError('two\\nlines')", "cannot be loaded (RuntimeError: two lines)"),
        ("lacks", "", "cannot be loaded (AttributeError"),
        ("number", "WALNUTS = 3", "is int, not a DatasetInfo"),
    ],
)
def test_a_broken_plug_in_is_one_line_told_once(install, caplog, name, text, said):
    before = list_layouts()
    install(f"zs_{name}", {DATASETS: f"{name} = zs_{name}.sets:WALNUTS"}, sets=text)
    with caplog.at_level(logging.WARNING):
        assert list_layouts() == list_layouts() == before
    [record] = caplog.records
    assert record.getMessage().startswith(f"plug-in '{name}' of zerosight.datasets ")
    assert said in record.getMessage()
    assert "\n" not in record.getMessage()


def test_names_are_known_without_importing_anything(install):
    install("zs_lazy", {"zerosight.backbones": "lazy = zs_lazy.build:build"}, build="raise SystemExit")
    assert "lazy" in plug_in_names("zerosight.backbones")
    assert plug_ins("zerosight.nothing", callable, "anything") == {}
