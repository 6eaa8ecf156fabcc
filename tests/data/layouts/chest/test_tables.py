"""Tables, lists and marks: what is read, and the one-line errors that name file and line."""

from __future__ import annotations

import gzip
import importlib.util
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from zerosight.data.layouts.catalog import find_layout
from zerosight.data.layouts.chest.tables import (
    find_files,
    find_table,
    has_table,
    mark,
    present,
    read_lines,
    read_lists,
    view_of,
)
from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.tree import read_csv
from zerosight.errors import DataError, MissingExtraError

Tree = Callable[..., Path]


def test_files_are_found_by_pattern_in_any_case(tree: Tree) -> None:
    root = tree(texts={"Data_Entry_2017.CSV": "", "sub/B10.csv": "", "sub/b2.csv": "", ".a.csv": ""})
    found = list(find_files(root, ("sub/b*.csv", "*.csv", "nothing/*")))
    assert [path.relative_to(root).as_posix() for path in found] == [
        "sub/b2.csv",
        "sub/B10.csv",
        "Data_Entry_2017.CSV",
    ]
    assert list(find_files(root / "nothing", ("*",))) == []


def test_a_table_is_told_by_its_columns(tree: Tree) -> None:
    root = tree(texts={"train.csv": "\ufeffPath, Edema \nx,1\n", "other.csv": "Path\n1\n"})
    assert has_table(root, ("train.csv",), ("path", "edema"))
    assert not has_table(root, ("other.csv", "none.csv"), ("path", "edema"))


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zip"])
def test_tables_may_be_packed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    data = "\ufeffA,b\n1,2\n".encode()
    if suffix == "csv.gz":
        path.write_bytes(gzip.compress(data))
    elif suffix == "csv.zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("t.csv", data)
    else:
        path.write_bytes(data)
    assert list(read_csv(path, ("a", "b"))) == [(2, {"a": "1", "b": "2"})]


def test_damaged_packed_tables_are_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "no.csv.gz").write_bytes(b"a,b\n")
    (tmp_path / "no.csv.zip").write_bytes(b"a,b\n")
    with zipfile.ZipFile(tmp_path / "two.csv.zip", "w") as archive:
        archive.writestr("1.csv", "a\n")
        archive.writestr("2.csv", "a\n")
    for name in ("cut.csv.gz", "no.csv.gz", "no.csv.zip"):
        with pytest.raises(DataError, match=f"{name}: cannot be read"):
            list(read_csv(tmp_path / name, ("a",)))
    with pytest.raises(DataError, match="holds 2 files, expected the table alone"):
        list(read_csv(tmp_path / "two.csv.zip", ("a",)))


def test_lists_give_the_splits(tree: Tree) -> None:
    root = tree(texts={"Test_List.txt": "\ufeffa.png\n\nB.PNG\n", "train_val_list.txt": "c.png\n"})
    assert read_lists(root) == {"a": "test", "b": "test", "c": "train"}
    assert read_lists(root / "none") is None
    (root / "val_list.txt").write_text("a\n")
    with pytest.raises(DataError, match=r"Test_List\.txt:1: 'a\.png' is of the validation list too"):
        read_lists(root)


def test_unreadable_lists_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: cannot be read"):
        list(read_lines(tmp_path / "none.txt"))
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        list(read_lines(tmp_path / "latin.txt"))


@pytest.mark.parametrize("value", ["2", "yes", "0.5", "-2", "1.00"])
def test_other_marks_are_refused(value: str) -> None:
    with pytest.raises(DataError, match=r"t\.csv:7: edema should be 1, 0, -1 \(uncertain\) or blank, got"):
        mark("t.csv:7", "edema", value)


def test_named_findings_are_present_and_others_absent() -> None:
    assert present("t:1", ["Effusion", "No Finding"], ("edema", "pleural effusion", "no finding")) == {
        "edema": 0,
        "pleural effusion": 1,
        "no finding": 1,
    }
    with pytest.raises(DataError, match=r"t:1: finding 'edena' is not known \(did you mean 'edema'\?\)"):
        present("t:1", ["Edena"], ("edema",))


def test_views_are_frontal_lateral_or_other() -> None:
    assert {view_of(name) for name in ("PA", "ap", "AP SUPINE", "Frontal", "AP_horizontal")} == {"frontal"}
    assert {view_of(name) for name in ("L", "LL", "RL", "LATERAL", "Left Lateral")} == {"lateral"}
    assert {view_of(name) for name in ("", "UNK", "COSTAL", "SWIMMERS")} == {"other"}


def test_without_a_table_the_copy_is_taken_or_its_package_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = Scan(tmp_path, find_layout("chestxray14"))
    table = find_table(scan, ("data_entry*.csv",), copy="Data_Entry_2017_v2020.csv.gz")
    assert table.is_file()
    assert scan.problems == [
        "no data_entry*.csv here: read the copy that torchxrayvision carries, Data_Entry_2017_v2020.csv.gz"
    ]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"put it there, or run: pip install 'zerosight\[xray\]'"):
        find_table(scan, ("data_entry*.csv",), copy="Data_Entry_2017_v2020.csv.gz")
    with pytest.raises(DataError, match=r"no data_entry\*\.csv; looked for Data_Entry_2017"):
        find_table(scan, ("data_entry*.csv",))
