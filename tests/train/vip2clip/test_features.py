from __future__ import annotations

import os
import threading
import time

import pytest
import torch

from zerosight.backbones.dual_encoder import ImageFeatures
from zerosight.backbones.tiny import tiny_encoder
from zerosight.errors import CacheError
from zerosight.train.vip2clip.features import FeatureCache

ENCODER = tiny_encoder()


def features(seed: int = 0) -> ImageFeatures:
    generator = torch.Generator().manual_seed(seed)
    return ImageFeatures(
        torch.randn(1, 48, generator=generator), torch.randn(4, 1, 36, 48, generator=generator)
    )


def key(i: int) -> str:
    return f"{i:064x}"


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_is_kept_comes_back_as_round_says(tmp_path, dtype):
    cache = FeatureCache(tmp_path, ENCODER, dtype)
    cache.put(key(1), features())
    found, expected = cache.get(key(1)), cache.round(features())
    assert torch.equal(found.pooled, expected.pooled)
    assert torch.equal(found.patches, expected.patches)
    assert cache.get(key(2)) is None
    if dtype == "float32":
        assert torch.equal(found.patches, features().patches)


def test_another_backbone_or_size_or_precision_never_meets_the_entry(tmp_path):
    FeatureCache(tmp_path, ENCODER).put(key(1), features())
    for other in (tiny_encoder(1), tiny_encoder(0, 32)):
        assert FeatureCache(tmp_path, other).get(key(1)) is None
    assert FeatureCache(tmp_path, ENCODER, "float32").get(key(1)) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_entry_is_as_good_as_none_and_is_replaced(tmp_path, damage):
    cache = FeatureCache(tmp_path, ENCODER)
    cache.put(key(1), features())
    [path] = tmp_path.rglob("*.features")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes({"cut": bytes(content[:-3]), "flipped": bytes(content), "emptied": b""}[damage])
    assert cache.get(key(1)) is None
    cache.put(key(1), features())
    assert cache.get(key(1)) is not None


def test_the_folder_stays_below_its_bound_and_entries_of_this_run_stay(tmp_path):
    probe = FeatureCache(tmp_path, ENCODER)
    cache = FeatureCache(tmp_path, ENCODER, max_bytes=3 * probe.arrays.entry_bytes + 10)
    for i in range(10):
        cache.put(key(i), features(i))
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.features"))
    assert size <= cache.arrays.max_bytes
    assert [i for i in range(10) if cache.get(key(i)) is not None] == [0, 1, 2]


def test_entries_that_no_run_uses_any_more_make_room_oldest_first(tmp_path):
    old = FeatureCache(tmp_path, ENCODER)
    for i in range(3):
        old.put(key(i), features(i))
        then = time.time() - 1000 + i
        os.utime(old.arrays.path(key(i)), (then, then))
    cache = FeatureCache(tmp_path, ENCODER, max_bytes=3 * old.arrays.entry_bytes)
    assert cache.get(key(0)) is not None  # used: it stays
    cache.put(key(9), features(9))
    assert [i for i in (0, 1, 2, 9) if cache.get(key(i)) is not None] == [0, 2, 9]


def test_two_writers_and_a_reader_never_meet_a_part(tmp_path):
    caches = [FeatureCache(tmp_path, ENCODER) for _ in range(3)]
    wrong = []

    def write(cache: FeatureCache) -> None:
        for _ in range(30):
            cache.put(key(1), features())

    def read() -> None:
        for _ in range(60):
            found = caches[2].get(key(1))
            if found is not None and not torch.equal(found.pooled, caches[2].round(features()).pooled):
                wrong.append(found)

    threads = [threading.Thread(target=write, args=(cache,)) for cache in caches[:2]]
    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert caches[2].get(key(1)) is not None
    assert len(list(tmp_path.rglob("*.features*"))) == 1


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="the feature cache cannot be made"):
        FeatureCache(tmp_path / "file", ENCODER)
