"""Stamps, refusals and locks, on which everything that can be resumed stands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zerosight.errors import OutputError
from zerosight.identity import FolderLock, check_same, holds, scratch_folder, seal, stamp


def test_stamp_holds_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    before = stamp(path)
    assert stamp(path) == before
    assert len(before) == 16
    path.write_bytes(b"other")
    assert stamp(path) != before


def test_stamp_tells_a_replaced_file_of_the_same_size(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    before = stamp(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 2))
    assert stamp(path) != before


def test_stamp_tells_files_of_one_relative_name_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "a.png").write_bytes(b"x")
        os.utime(tmp_path / day / "a.png", ns=(1, 1))
        monkeypatch.chdir(tmp_path / day)
        seen.append(stamp(Path("a.png")))
    assert seen[0] != seen[1]


def test_stamp_of_several_files_depends_on_each_and_on_their_order(tmp_path: Path) -> None:
    image, mask = tmp_path / "i", tmp_path / "m"
    image.write_bytes(b"i")
    mask.write_bytes(b"m")
    assert len({stamp(image), stamp(image, None), stamp(image, mask), stamp(mask, image)}) == 4


def test_stamp_of_what_is_not_there_is_its_place(tmp_path: Path) -> None:
    assert stamp(tmp_path / "a") != stamp(tmp_path / "b")
    assert stamp(tmp_path / "a") == stamp(tmp_path / "a")
    assert stamp(Path("nul\0l")) != stamp(None)


def test_a_sealed_stamp_holds_for_a_copy_and_for_the_same_bytes_again(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.png", tmp_path / "b.png"
    path.write_bytes(b"one")
    quick = stamp(path)
    kept = seal(quick, path)
    shutil.copy(path, copy)
    os.utime(path, ns=(1, 1))
    assert not holds(quick, path)
    assert [holds(kept, path), holds(kept, copy)] == [True, True]
    copy.write_bytes(b"two")
    assert not holds(kept, copy)


def test_what_changed_while_it_was_read_is_not_sealed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    before = stamp(path)
    path.write_bytes(b"other")
    assert seal(before, path) == before
    assert not holds(before, path)
    path.unlink()
    assert seal(stamp(path), path) == stamp(path)


def test_differences_are_named_with_both_values() -> None:
    with pytest.raises(
        OutputError, match=r"another threshold; use .* \(threshold was 0.5, is 0.6\)$"
    ) as caught:
        check_same(Path("out"), {"threshold": 0.5, "model": "m"}, {"threshold": 0.6, "model": "m"})
    assert "\n" not in str(caught.value)


def test_long_values_are_named_without_being_shown() -> None:
    with pytest.raises(OutputError, match="another images, weights;"):
        check_same(Path("out"), {"weights": "a" * 64, "images": ["x" * 99]}, {"weights": "b" * 64})


def test_the_same_is_no_difference() -> None:
    check_same(Path("out"), {"a": [1, 2]}, {"a": [1, 2]})


def test_a_second_run_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(OutputError, match="another run is writing here"):
        FolderLock(tmp_path)
    FolderLock(tmp_path).release()
    assert not list(tmp_path.iterdir())


@contextmanager
def said(code: str, folder: Path, word: str) -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that runs some code on a folder, once it has said a word; it ends at the end."""
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == f"{word}\n".encode()
        yield child


def test_a_killed_process_releases_its_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from zerosight.identity import FolderLock\n"
        "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); input()"
    )
    with said(code, tmp_path, "held") as child:
        with pytest.raises(OutputError, match="another run"):
            FolderLock(tmp_path)
        child.kill()
    FolderLock(tmp_path).release()


def test_what_a_killed_process_left_of_its_scratch_is_removed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from zerosight.identity import scratch_folder\n"
        "with scratch_folder(Path(sys.argv[1]), 'm[1].onnx') as folder:\n"
        "    (folder / 'part').write_text('x'); print('there', flush=True); input()"
    )
    with said(code, tmp_path, "there") as child:
        with scratch_folder(tmp_path, "m[1].onnx") as mine, scratch_folder(tmp_path, "other") as others:
            assert (mine.exists(), others.exists(), len(list(tmp_path.iterdir()))) == (True, True, 3)
        (theirs,) = tmp_path.iterdir()
        assert (theirs / "work" / "part").read_text() == "x"
        child.kill()
    with scratch_folder(tmp_path, "m[1].onnx") as mine:
        assert list(tmp_path.iterdir()) == [mine.parent]
    assert not list(tmp_path.iterdir())
    begun = tmp_path / ".a.scratch123"  # of someone who is about to lock it
    begun.mkdir()
    with scratch_folder(tmp_path, "a"):
        assert begun.exists()
    with pytest.raises(OutputError, match="cannot be written"), scratch_folder(tmp_path / "none", "a"):
        pass


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    lock = FolderLock(folder)
    lock.release()
    shutil.rmtree(folder)
    folder.write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        FolderLock(folder)
