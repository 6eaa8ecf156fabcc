"""Stores: listing, reading and what they refuse, in memory; a real server is in ``tests/stores``."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from zerosight import stores
from zerosight.data.find import find_images, listed_images
from zerosight.data.layouts import open_dataset
from zerosight.data.manifest import fingerprint, located, rows_sha256
from zerosight.data.pages import pages
from zerosight.data.pixels import read_image
from zerosight.errors import DataError, ImageReadError
from zerosight.identity import holds, seal, stamp
from zerosight.stores import StoreError, fetch, walk

fsspec = pytest.importorskip("fsspec")


def png(value: int = 7) -> bytes:
    content = io.BytesIO()
    Image.new("L", (5, 4), value).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("zerosight.stores.PAUSE", 0)
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    for name in ("/in/b/2.png", "/in/a.png", "/in/A.png", "/in/notes.txt", "/in/.hidden.png"):
        system.pipe(name, png())
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def test_images_below_an_address_are_found_and_read(memory):
    found = list(find_images(["memory://in"]))
    assert found == ["memory://in/A.png", "memory://in/a.png", "memory://in/b/2.png"]
    assert np.asarray(read_image(found[0])).tolist() == [[7] * 5] * 4
    assert list(find_images(["memory://in/notes.txt"])) == ["memory://in/notes.txt"]  # as it is named
    assert list(listed_images(b"memory://in/b\n")) == ["memory://in/b/2.png"]
    assert list(pages("memory://in/a.png")) == ["memory://in/a.png"]


def test_pages_have_addresses(memory):
    content = io.BytesIO()
    Image.new("L", (5, 4), 1).save(content, "TIFF", save_all=True, append_images=[Image.new("L", (5, 4), 2)])
    memory.pipe("/in/scan.tif", content.getvalue())
    named = list(pages("memory://in/scan.tif"))
    assert named == ["memory://in/scan.tif#page=1", "memory://in/scan.tif#page=2"]
    assert [read_image(name).getpixel((0, 0)) for name in named] == [1, 2]
    assert list(find_images(named)) == named


def test_an_object_that_is_replaced_is_known_as_another(memory):
    kept = seal(stamp("memory://in/a.png"), "memory://in/a.png")
    assert holds(kept, "memory://in/a.png")
    memory.pipe("/in/a.png", png(8))
    assert not holds(kept, "memory://in/a.png")


def test_what_is_missing_or_empty_is_said(memory):
    with pytest.raises(ImageReadError, match=r"memory://in/c\.png: there is no such object"):
        read_image("memory://in/c.png")
    with pytest.raises(StoreError, match="no such object"):
        list(walk("memory://nowhere"))
    memory.pipe("/words/a.txt", b"")
    with pytest.raises(DataError, match="no image in there"):
        list(find_images(["memory://words"]))
    memory.pipe("/in/a.png", b"")
    with pytest.raises(ImageReadError, match=r"a\.png: is empty"):
        read_image("memory://in/a.png")


def test_what_fails_now_and_then_is_asked_again(memory, monkeypatch):
    asked = []

    def failing(path: str) -> bytes:
        asked.append(path)
        if len(asked) < stores.TRIES:
            raise ConnectionResetError("secret_key=abc")
        return png()

    monkeypatch.setattr(type(memory), "cat_file", lambda _, path: failing(path))
    assert fetch("memory://in/a.png") == png()
    assert len(asked) == stores.TRIES
    asked.clear()
    monkeypatch.setattr("zerosight.stores.PATIENCE", 0)  # of a package that has asked for long on its own
    with pytest.raises(StoreError, match="cannot be read"):
        fetch("memory://in/a.png")
    assert len(asked) == 1
    monkeypatch.setattr(type(memory), "cat_file", lambda *_: png()[:-5])  # cut short on its way
    with pytest.raises(StoreError, match=r"cannot be read \(\d+ of \d+ bytes came\)"):
        fetch("memory://in/a.png")


@pytest.mark.parametrize(
    "address",
    ["https://me:word@host/a.png", "https://host/a.png?X-Amz-Signature=abc", "s3://me:word@bucket/a.png"],
)
def test_an_address_that_holds_a_secret_is_refused_without_telling_it(address):
    with pytest.raises(StoreError, match="holds a secret") as caught:
        fetch(address)
    assert "word" not in str(caught.value).replace("password", "")
    assert "abc" not in str(caught.value)


def test_no_such_kind_of_store_and_secrets_in_reasons():
    with pytest.raises(StoreError, match="no such kind of store"):
        fetch("nothing://a/b.png")
    assert stores._reason(ValueError("aws_secret_access_key=abc refused")).endswith("key=… refused")


def test_a_manifest_in_a_store_names_images_beside_it(memory):
    rows = b'{"schema": 1, "name": "set", "root": "../in"}\n{"image": "a.png", "label": 0}\n'
    memory.pipe("/data/sets/manifest.jsonl", rows)
    for text in ("memory://data/sets/manifest.jsonl", "manifest:memory://data/sets/manifest.jsonl"):
        dataset = open_dataset(text)
        [record] = dataset.records()
        assert located(dataset, record.image) == "memory://data/in/a.png"
    memory.pipe("/data/sets/manifest.jsonl", rows.replace(b"../in", b"."))
    memory.pipe("/data/sets/a.png", png())
    dataset = open_dataset("memory://data/sets/manifest.jsonl")
    before = [fingerprint(dataset, read=read) for read in (False, True)]
    memory.pipe("/data/sets/a.png", png(8))
    assert [fingerprint(dataset, read=read) != one for read, one in zip((False, True), before, strict=True)]
    assert len(rows_sha256(dataset)) == 64
    with pytest.raises(DataError, match=r"memory://data/sets: lies in a store, and this reads files"):
        dataset.resolve("a.png")
    with pytest.raises(DataError, match=r"leaves the root"):
        located(dataset, "../a.png")
    memory.pipe("/data/sets/manifest.jsonl", rows.replace(b"../in", b"../../../x"))
    with pytest.raises(DataError, match=r"manifest\.jsonl:1: root '\.\./.*' should be relative"):
        located(open_dataset("memory://data/sets/manifest.jsonl"), "a.png")
    memory.pipe("/data/sets/manifest.jsonl", rows + b"{}\n")
    with pytest.raises(DataError, match=r"memory://data/sets/manifest\.jsonl:3: key 'image' is missing"):
        list(open_dataset("memory://data/sets/manifest.jsonl").records())
    with pytest.raises(DataError, match=r"no such object .*give the address of a manifest"):
        open_dataset("memory://data/none.jsonl")
    with pytest.raises(DataError, match=r"layouts are read from folders"):
        open_dataset("mvtec_ad:memory://data")
