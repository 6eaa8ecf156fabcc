"""Images are found by what tables call them, whatever the case, the suffix and the folders above."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosight.data.layouts.chest.images import ImageIndex, key, walk

Build = Callable[..., Path]


def test_walk_yields_images_in_natural_order_without_hidden_ones(build: Build) -> None:
    root = build("b/10.png", "b/2.PNG", "a/1.dcm", "a/1.txt", ".cache/x.png", "__MACOSX/y.png", "c/._z.png")
    assert [path.relative_to(root).as_posix() for path in walk(root)] == ["a/1.dcm", "b/2.PNG", "b/10.png"]
    assert [path.name for path in walk(root, (".txt",))] == ["1.txt"]


def test_walk_follows_links_but_not_back_up(build: Build) -> None:
    root = build("store/1.png", below="here")
    (root / "images").symlink_to(root / "store")
    (root / "store" / "up").symlink_to(root)
    assert sorted(path.relative_to(root).as_posix() for path in walk(root)) == [
        "images/1.png",
        "store/1.png",
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("A.png", "images/a.PNG"),
        ("a", "images/a.PNG"),
        ("a.jpg", "images/a.PNG"),
        ("/home/me/old/images/a.png", "images/a.PNG"),
        ("C:\\old\\images\\a.png", "images/a.PNG"),
        ("1.2.840.10008", "dicom/1.2.840.10008.dcm"),
        ("train/b.png", "train/b.png"),
        ("test/b.png", "test/b.png"),
        ("elsewhere/b.png", "test/b.png"),
        ("c.jpg", "train/c.jpg"),
        ("images/c.jpg", None),  # that folder is here, and has no such image
        ("d.png", None),
        ("", None),
    ],
)
def test_images_are_found_by_their_name(build: Build, asked: str, found: str | None) -> None:
    root = build(
        "images/a.PNG",
        "dicom/1.2.840.10008.dcm",
        "test/b.png",
        "train/b.png",
        "train/c.jpg",
    )
    image = ImageIndex(root).find(asked)
    assert (image and image.relative_to(root).as_posix()) == found


def test_more_parts_tell_images_of_one_name_apart(build: Build) -> None:
    root = build("p1/s1/v.jpg", "p2/s1/v.jpg")
    index = ImageIndex(root, parts=3)
    assert index.find("set/p2/s1/v.jpg") == root / "p2/s1/v.jpg"
    assert index.find("set/p3/s1/v.jpg") is None
    assert list(index.names()) == ["p1/s1/v.jpg", "p2/s1/v.jpg"]


def test_the_same_suffix_comes_first(build: Build) -> None:
    root = build("a.jpg", "a.png")
    assert ImageIndex(root).find("a.png") == root / "a.png"
    assert ImageIndex(root).find("a.jpg") == root / "a.jpg"


@given(st.text())
def test_a_key_is_its_own_key_unless_it_ends_in_a_suffix(name: str) -> None:
    assert key(name) == key(name.replace("/", "\\"))
    assert key(name + ".png") == key(name + ".PNG")
