from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zerosight.errors import OutputError
from zerosight.files import (
    inside,
    open_lines,
    packaged,
    refuse_links,
    replacing,
    sha256,
    sweep,
    write_atomically,
)


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch):
    path = tmp_path / "card.json"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["card.json"]


def test_the_hash_is_that_of_the_content(tmp_path: Path):
    (tmp_path / "empty").touch()
    assert sha256(tmp_path / "empty").startswith("e3b0c44298fc1c14")


def test_work_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text("old")

    def fill() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyError("a row")

    with pytest.raises(KeyError):
        fill()
    said = r"rows\.jsonl: cannot be written \(full\); free space$"
    with pytest.raises(OutputError, match=said), replacing(path, "free space"):
        raise OSError("full")
    with pytest.raises(OutputError, match="cannot be written"), replacing(path / "below.jsonl"):
        pass
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["rows.jsonl"]


def test_what_comes_with_the_package_is_found():
    assert packaged("report", "inferno.json").is_file()


def killed_while_writing(work: Callable[[], object]) -> None:
    """Run the work in a child that is killed between writing a file and renaming it."""
    child = os.fork()
    if not child:
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        work()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path):
    path = tmp_path / "card.json"
    for _ in range(3):
        killed_while_writing(lambda: write_atomically(path, b"lost"))
    assert len(os.listdir(tmp_path)) == 1
    write_atomically(path, b"kept")
    assert os.listdir(tmp_path) == ["card.json"]
    assert path.read_bytes() == b"kept"


def test_a_sweep_takes_leftovers_and_nothing_that_is_being_written(tmp_path: Path):
    killed_while_writing(lambda: write_atomically(tmp_path / "maps" / "a.png", b"lost"))
    (tmp_path / ".hidden").touch()
    with replacing(tmp_path / "maps" / "b.png") as temporary:
        sweep(tmp_path, "", "*/")
        assert os.listdir(tmp_path / "maps") == [temporary.name]
    assert sorted(os.listdir(tmp_path)) == [".hidden", "maps"]


def test_writers_of_one_file_wait_for_each_other(tmp_path: Path):
    path = tmp_path / "a.txt"

    def write(word: str) -> None:
        for _ in range(50):
            write_atomically(path, word.encode() * 1000)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert len(set(path.read_text())) == 1
    assert os.listdir(tmp_path) == ["a.txt"]


def test_links_are_replaced_and_not_written_through(tmp_path: Path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"old")
    out = tmp_path / "out"
    out.mkdir()
    for name in ("a.csv", ".a.csv.part.csv", "lines.jsonl"):
        (out / name).symlink_to(precious)
    write_atomically(out / "a.csv", b"new")
    assert not (out / "a.csv").is_symlink()
    with pytest.raises(OutputError, match=r"lines\.jsonl: is a link, and nothing is written through links"):
        open_lines(out / "lines.jsonl")
    assert precious.read_bytes() == b"old"


@pytest.mark.parametrize(
    "place", ["elsewhere", "elsewhere/x.png", "../x.png", "a/../../x.png", "/etc/passwd"]
)
def test_a_place_that_leads_out_of_its_folder_is_refused(tmp_path: Path, place: str):
    (tmp_path / "elsewhere").symlink_to("/tmp")
    with pytest.raises(OutputError, match=r"is a link|lies outside"):
        inside(tmp_path, place)


def test_a_link_anywhere_below_a_folder_is_found(tmp_path: Path):
    (tmp_path / "checkpoints").mkdir()
    refuse_links(tmp_path)
    (tmp_path / "checkpoints" / "epoch=0001.ckpt").symlink_to("/dev/null")
    with pytest.raises(OutputError, match=r"epoch=0001\.ckpt: is a link"):
        refuse_links(tmp_path)


def test_an_open_file_is_added_to(tmp_path: Path):
    for line in (b"a\n", b"b\n"):
        with open_lines(tmp_path / "lines") as file:
            file.write(line)
    assert (tmp_path / "lines").read_bytes() == b"a\nb\n"
