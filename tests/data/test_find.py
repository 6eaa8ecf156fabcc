"""Finding images: natural order, hidden files, loops, patterns, and what is not there."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosight.data.find import find_images, listed_images, natural_key
from zerosight.errors import DataError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a folder with images, other files and hidden ones."""
    for name in ["10.png", "2.PNG", "notes.txt", ".hidden.png", "b/1.jpg", ".cache/9.png", "b/c/x[1].tif"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def names(root: Path, *paths: str | Path) -> list[str]:
    """Return what is found, relative to the root."""
    return [str(path.relative_to(root)) for path in find_images(paths)]


def test_a_folder_in_natural_order(tree: Path) -> None:
    assert names(tree, tree) == ["2.PNG", "10.png", "b/1.jpg", "b/c/x[1].tif"]


def test_a_link_back_up_is_not_followed(tree: Path) -> None:
    (tree / "b" / "up").symlink_to(tree)
    assert names(tree, tree) == ["2.PNG", "10.png", "b/1.jpg", "b/c/x[1].tif"]


def test_files_are_taken_at_their_word_and_in_their_order(tree: Path) -> None:
    files = [tree / "notes.txt", tree / ".hidden.png", tree / "b/c/x[1].tif", tree / "10.png"]
    assert list(find_images(files)) == files


def test_patterns(tree: Path) -> None:
    assert names(tree, f"{tree}/*") == ["2.PNG", "10.png", "b/1.jpg", "b/c/x[1].tif"]
    assert names(tree, f"{tree}/b/**/*.tif", f"{tree}/1?.png") == ["b/c/x[1].tif", "10.png"]


@pytest.mark.parametrize("path", ["none.png", "none/", "", "*.gif", "a\0b", "two\nlines"])
def test_what_is_not_there(tree: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tree)
    with pytest.raises(DataError) as caught:
        list(find_images([path]))
    assert str(caught.value).isprintable()


def test_a_missing_path_is_found_out_before_the_first_image(tree: Path) -> None:
    with pytest.raises(DataError, match="none"):
        find_images([tree, tree / "none"])


def test_a_folder_without_images_names_the_suffixes(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"no image in there; looked for names ending in \.png \.jpg"):
        list(find_images([tmp_path]))


def test_an_unreadable_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied"):
        list(find_images([tree]))


def test_a_broken_link_is_left_for_the_reader_to_report(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to("nowhere")
    assert names(tmp_path, tmp_path) == ["gone.png"]


def test_an_endless_list_is_streamed(tree: Path) -> None:
    endless = itertools.repeat(tree / "10.png")
    assert len(list(itertools.islice(find_images(endless), 1000))) == 1000


def test_numbers_count_and_letters_do_not_mind_their_case() -> None:
    ordered = ["0", "00", "1", "A2b", "a02c", "a2", "a10", "A", "a", "a 1", "a-1", "ab", "B1"]
    mixed = random.Random(0).sample(ordered, len(ordered))
    assert sorted(mixed, key=natural_key) == ordered
    assert natural_key("x" + "9" * 5000) < natural_key("x1" + "0" * 5000)


@given(st.lists(st.text(alphabet="aB01٣².", max_size=6)))
def test_natural_order_is_total(texts: list[str]) -> None:
    backwards = texts[::-1]
    assert sorted(texts, key=natural_key) == sorted(backwards, key=natural_key)


def test_pictures_that_a_folder_of_results_has_drawn_are_left_out(tree: Path) -> None:
    for name in (
        "results/predictions.jsonl",
        "results/heatmaps/b/1.png",
        "results/maps/mass/1.png",
        "maps/1.png",
    ):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    photographs = ["2.PNG", "10.png", "b/1.jpg", "b/c/x[1].tif", "maps/1.png"]
    assert names(tree, tree) == photographs
    assert sorted(names(tree, f"{tree}/**/*.png")) == ["10.png", "maps/1.png"]
    assert names(tree, tree / "results" / "heatmaps") == ["results/heatmaps/b/1.png"]  # asked for by name


@pytest.mark.parametrize(
    "content",
    [
        b"10.png\nb\n",
        b"10.png\r\nb\r\n",
        b"\xef\xbb\xbf10.png\n\nb",
        "\ufeff10.png\r\nb\r\n".encode("utf-16-le"),
    ],
)
def test_lists_of_any_system(tree: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.chdir(tree)
    assert list(map(str, listed_images(content))) == ["10.png", "b/1.jpg", "b/c/x[1].tif"]


def test_a_listed_name_that_is_not_utf8_or_not_there_is_left_for_the_reader(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    Path(os.fsdecode(b"teil_\xe4.png")).touch()
    found = list(listed_images(b"teil_\xe4.png\ngone.png\nb/none/\n"))
    assert [os.fsencode(path) for path in found] == [b"teil_\xe4.png", b"gone.png", b"b/none"]


@pytest.mark.parametrize("content", [b"", b"\n\r\n", b"\xef\xbb\xbf"])
def test_a_list_that_names_nothing_is_an_error(content: bytes) -> None:
    with pytest.raises(DataError, match="names no image"):
        list(listed_images(content))
