"""What workers see for a training, in this process: bit for bit what the training itself would keep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from toys import draw_squares

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.load import load_mllm
from zerosight.data.manifest import ManifestHeader, Record, write_manifest
from zerosight.data.pixels import read_image
from zerosight.errors import ConfigError, ImageReadError, ZerosightError
from zerosight.scale.features import Seer, features_on
from zerosight.train.ahead import Together, Wanted, fill, first_epoch
from zerosight.train.array_cache import ImageKeys
from zerosight.train.config import CacheConfig
from zerosight.train.radz.features import FeatureSource, VisionTower
from zerosight.train.radz.samples import Pair
from zerosight.train.vip2clip.config import TrainConfig
from zerosight.train.vip2clip.features import EncoderTower
from zerosight.train.vip2clip.run import train
from zerosight.weights import load_tensors


def seen_here(wanted: Wanted, portions: Iterator[Together]) -> Iterator[tuple[Together, torch.Tensor]]:
    seer = Seer(wanted, "cpu", os.getcwd())
    for together in portions:
        found = seer.do(together)
        if isinstance(found, ZerosightError):
            raise found
        yield together, found


def kept(cache: Path) -> dict[str, bytes]:
    return {str(path.relative_to(cache)): path.read_bytes() for path in cache.rglob("*.features")}


def test_the_cache_of_vip2clip_and_its_weights_are_those_of_one_machine(tmp_path):
    records = [
        Record(image, mask, i % 2, split="val" if i >= 10 else "train")
        for i, image, mask in draw_squares(tmp_path, 14)
    ]
    write_manifest(tmp_path / "manifest.jsonl", ManifestHeader("toy", "."), records)

    def config(name: str, **changes: Any) -> TrainConfig:
        values = {
            "data": (tmp_path / "manifest.jsonl",),
            "out": tmp_path / name,
            "backbone": BackboneConfig(kind="tiny", image_size=32),
            "epochs": 1,
            "batch_size": 4,
            "cache": CacheConfig(folder=tmp_path / f"{name} cache"),
        }
        return TrainConfig(**(values | changes))

    train(config("alone"))
    train(config("seen"), elsewhere=seen_here)
    assert len(kept(tmp_path / "alone cache")) == 14
    assert kept(tmp_path / "seen cache") == kept(tmp_path / "alone cache")
    alone, seen = (load_tensors(tmp_path / name / "model.safetensors") for name in ("alone", "seen"))
    assert all(torch.equal(alone[name], seen[name]) for name in alone)
    for changes in ({"cache": CacheConfig()}, {"augment": True}):
        with pytest.raises(ConfigError, match=r"give --cache FOLDER, and no augmentation"):
            train(config("none", **changes), elsewhere=seen_here)


def test_the_cache_of_radz_is_that_of_one_machine(tmp_path):
    images = [tmp_path / image for _, image, _ in draw_squares(tmp_path, 4)]
    about = MllmConfig(model="random:llava", dtype="float32")
    mllm = load_mllm(about)
    alone, seen = (
        FeatureSource(mllm, CacheConfig(folder=tmp_path / name)) for name in ("alone cache", "seen cache")
    )
    wanted = Wanted(VisionTower(None, about), mllm.fingerprint, torch.float16, "32-true")
    assert seen.arrays is not None
    assert fill(seen.arrays, wanted, first_epoch(images, 4, None, 3), seen_here) == 4
    pairs = [
        Pair(ImageKeys()[image], None, mllm.preprocess.pixels(read_image(image)), "", {}) for image in images
    ]
    for part in (pairs[:3], pairs[3:]):
        alone.features(part)
    assert kept(tmp_path / "seen cache") == kept(tmp_path / "alone cache")


def test_what_cannot_be_seen_is_told_as_on_one_machine(tmp_path):
    backbone = BackboneConfig(kind="tiny", image_size=32)
    wanted = Wanted(
        EncoderTower(backbone), EncoderTower(backbone).open("cpu").fingerprint, torch.float16, "32-true"
    )
    (tmp_path / "a.png").write_bytes(b"no image")
    found = Seer(wanted, "cpu", os.getcwd()).do([("0", tmp_path / "a.png")])
    assert isinstance(found, ImageReadError)
    other = Seer(replace(wanted, fingerprint="0"), "cpu", os.getcwd()).do([])
    assert "another tower of this name" in str(other)
    missing = replace(wanted, tower=EncoderTower(BackboneConfig(kind="timm", model="vit")))
    assert "on a machine of the cluster: " in str(Seer(missing, "cpu", os.getcwd()).do([]))
    with pytest.raises(ConfigError, match=r"--features-on: is ray, or ray://HOST:PORT, got 'spark'"):
        next(features_on("spark", "cpu", print)(wanted, iter([])))
