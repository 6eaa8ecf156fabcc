from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from zerosight.backbones.dual_encoder import ImageFeatures
from zerosight.backbones.tiny import tiny_encoder
from zerosight.data.manifest import ManifestHeader, Record, read_manifest, write_manifest
from zerosight.errors import DataError, EmptyMaskError
from zerosight.train.sampling import EpochSampler
from zerosight.train.vip2clip.samples import AuxiliaryData, hold_both_kinds, read_samples

PREPROCESS = tiny_encoder().preprocess


def test_splits_are_kept_apart(manifest):
    assert len(read_samples((read_manifest(manifest),), ("train",))) == 10
    assert len(read_samples((read_manifest(manifest),) * 2, ("train", "val"))) == 28
    assert read_samples((read_manifest(manifest),), ("nothing",)) == []


def test_an_anomalous_image_without_a_mask_is_refused(tmp_path):
    write_manifest(tmp_path / "m.jsonl", ManifestHeader("x", "."), [Record("a.png", None, 1, split="train")])
    with pytest.raises(DataError, match=r"a\.png is anomalous but has no mask"):
        read_samples((read_manifest(tmp_path / "m.jsonl"),), ("train",))


def test_items_hold_pixels_and_masks_at_the_models_size(manifest):
    data = AuxiliaryData(read_samples((read_manifest(manifest),), ("train",)), PREPROCESS, lambda key: None)
    normal, anomalous = data[0, 0], data[0, 1]
    assert normal.pixels.shape == (48, 48, 3)
    assert not normal.mask.any()
    assert anomalous.mask.sum() == pytest.approx((15 * 48 / 40) ** 2, rel=0.15)
    assert anomalous.pixels[anomalous.mask].mean() > 200
    np.testing.assert_array_equal(data[0, 1].mask, anomalous.mask)  # remembered, packed


def test_augmentation_depends_on_seed_epoch_and_index_only_and_moves_mask_with_pixels(manifest):
    samples = read_samples((read_manifest(manifest),), ("train",))
    first, second = (AuxiliaryData(samples, PREPROCESS, lambda key: None, 7) for _ in range(2))
    assert all(np.array_equal(first[e, 1].pixels, second[e, 1].pixels) for e in range(4))
    assert len({first[e, 1].pixels.tobytes() for e in range(12)}) > 3
    for epoch in range(6):
        item = first[epoch, 1]
        assert item.pixels[item.mask].mean() > 200


def test_a_missing_image_is_named(manifest, tmp_path):
    write_manifest(tmp_path / "m.jsonl", ManifestHeader("x", "."), [Record("a.png", None, 0, split="train")])
    data = AuxiliaryData(
        read_samples((read_manifest(tmp_path / "m.jsonl"),), ("train",)), PREPROCESS, lambda key: None
    )
    with pytest.raises(DataError, match=r"a\.png: cannot be read"):
        data[0, 0]


@pytest.mark.parametrize(
    ("size", "value", "error", "message"),
    [
        ((40, 20), 255, DataError, "a mask should have its image's size"),
        ((20, 40), 0, EmptyMaskError, "marks no pixel, but its image has label 1"),
    ],
)
@pytest.mark.parametrize("cached", [False, True])
def test_a_mask_that_is_no_truth_is_refused_as_evaluation_refuses_it(
    tmp_path, size, value, error, message, cached
):
    Image.new("RGB", (20, 40)).save(tmp_path / "a.png")
    Image.new("L", size, value).save(tmp_path / "mask.png")
    rows = [Record("a.png", "mask.png", 1, split="train")]
    write_manifest(tmp_path / "m.jsonl", ManifestHeader("x", "."), rows)
    features = ImageFeatures(torch.zeros(1, 48), torch.zeros(4, 1, 36, 48)) if cached else None
    samples = read_samples((read_manifest(tmp_path / "m.jsonl"),), ("train",))
    data = AuxiliaryData(samples, PREPROCESS, lambda key: features)
    with pytest.raises(error, match=message):
        data[0, 0]


def test_both_kinds_are_needed_to_choose_a_threshold(manifest):
    samples = read_samples((read_manifest(manifest),), ("train",))
    assert hold_both_kinds(samples)
    assert not hold_both_kinds(samples[::2])
    assert not hold_both_kinds([])


def test_the_order_is_the_epochs_and_every_sample_comes_once():
    sampler = EpochSampler(10, seed=3)
    first = list(sampler)
    assert sorted(index for _, index in first) == list(range(10))
    assert first == list(EpochSampler(10, seed=3))
    sampler.set_epoch(1)
    assert [i for _, i in sampler] != [i for _, i in first]
    assert list(EpochSampler(3, seed=None)) == [(0, 0), (0, 1), (0, 2)]


def test_processes_share_the_samples_evenly(monkeypatch):
    shares = []
    for rank in range(3):
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        shares.append([i for _, i in EpochSampler(10, seed=3, world=3)])
    assert [len(share) for share in shares] == [4, 4, 4]
    assert {i for share in shares for i in share} == set(range(10))
