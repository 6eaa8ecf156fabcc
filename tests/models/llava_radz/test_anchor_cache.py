from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from zerosight.errors import CacheError
from zerosight.models.llava_radz.anchor_cache import AnchorCache, model_key, user_cache, user_folder
from zerosight.models.llava_radz.anchors import anchor_texts
from zerosight.models.llava_radz.descriptions import load_descriptions

TEXTS = anchor_texts(["edema", "mass"], load_descriptions())
KEY = TEXTS.key("model")
VECTORS = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def cache(tmp_path: Path) -> AnchorCache:
    kept = AnchorCache(tmp_path)
    kept.put(KEY, VECTORS, TEXTS)
    return kept


def test_what_is_kept_comes_back(cache):
    found = cache.get(KEY)
    assert found is not None
    assert torch.equal(found, VECTORS)
    assert cache.get(TEXTS.key("other")) is None


def test_a_file_says_what_it_was_made_of(cache):
    with safe_open(cache.path(KEY), framework="pt") as file:
        about = file.metadata()
    assert about["key"] == KEY
    assert json.loads(about["texts"])["names"] == ["edema", "mass"]


@pytest.mark.parametrize("damage", ["cut", "number", "header", "emptied", "folder", "renamed", "foreign"])
def test_a_damaged_file_counts_as_none_and_is_replaced(cache, damage):
    path, key = cache.path(KEY), KEY
    content = bytearray(path.read_bytes())
    if damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "renamed":
        key = TEXTS.key("other")
        shutil.copy(path, cache.path(key))
    elif damage == "foreign":
        path.write_bytes(b"not tensors at all")
    else:
        content[-3 if damage == "number" else 2] ^= 1
        path.write_bytes({"cut": bytes(content[:-3]), "emptied": b""}.get(damage, bytes(content)))
    assert cache.get(key) is None
    cache.put(key, VECTORS, TEXTS)
    assert damage == "folder" or cache.get(key) is not None


def test_writers_and_a_reader_never_meet_a_part(tmp_path):
    caches = [AnchorCache(tmp_path) for _ in range(3)]
    wrong = []

    def write(cache: AnchorCache) -> None:
        for _ in range(20):
            cache.put(KEY, VECTORS, TEXTS)

    def read() -> None:
        seen = False
        for _ in range(60):
            found = caches[2].get(KEY)
            seen = seen or found is not None
            if seen and (found is None or not torch.equal(found, VECTORS)):
                wrong.append(found)

    threads = [threading.Thread(target=write, args=(cache,)) for cache in caches[:2]]
    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [path.name for path in tmp_path.iterdir()] == [f"{KEY}.safetensors"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="the cache of anchors cannot be made"):
        AnchorCache(tmp_path / "file" / "anchors")


def test_the_users_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_folder() == tmp_path / "zerosight" / "anchors"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert user_folder().parts[-3:] == (".cache", "zerosight", "anchors")


def test_a_models_key_changes_with_its_base_and_each_trained_file(tmp_path):
    heads, adapter = tmp_path / "heads", tmp_path / "adapter"
    heads.write_bytes(b"1")
    adapter.write_bytes(b"2")
    keys = {model_key("base", heads, adapter), model_key("base", heads), model_key("other", heads, adapter)}
    adapter.write_bytes(b"3")
    keys.add(model_key("base", heads, adapter))
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)


def test_vectors_used_longest_ago_make_room(tmp_path):
    keys = [TEXTS.key(name) for name in "abcd"]
    probe = AnchorCache(tmp_path)
    probe.put(keys[0], VECTORS, TEXTS)
    cache = AnchorCache(tmp_path, max_bytes=3 * probe.path(keys[0]).stat().st_size)
    for age, key in enumerate(keys[:3]):
        cache.put(key, VECTORS, TEXTS)
        os.utime(cache.path(key), (1000 + age, 1000 + age))
    assert cache.get(keys[0]) is not None  # used: it stays
    cache.put(keys[3], VECTORS, TEXTS)
    assert [key for key in keys if cache.get(key) is not None] == [keys[0], keys[2], keys[3]]


def test_a_part_that_a_killed_run_left_is_swept(cache):
    (cache.folder / ".x.safetensors.part.safetensors").write_bytes(b"half")
    cache.put(TEXTS.key("other"), VECTORS, TEXTS)
    assert not list(cache.folder.glob(".*"))


def test_without_a_place_for_it_there_is_no_cache(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert user_cache() is None
    monkeypatch.delenv("XDG_CACHE_HOME")

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert user_cache() is None
