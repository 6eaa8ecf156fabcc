"""ChestX-ray14 on a miniature of the real tree with its traps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zerosight.data.layouts import read_layout
from zerosight.data.manifest import read_manifest, write_manifest
from zerosight.errors import DataError

Tree = Callable[..., Path]
HEADER = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
TABLE = (
    f"\ufeff{HEADER},OriginalImage[Width,Height],\r\n"
    "00000001_000.png,Cardiomegaly|Effusion,0,1,058Y,M,PA,2682,2749,\r\n"
    "00000001_001.png,No Finding,1,1,058Y,M,PA,2682,2749,\r\n"
    "00000002_000.png,Pleural_Thickening,0,2,081Y,M,AP,2500,2048,\r\n"
    "00000003_000.png,Hernia,0,3,081Y,F,PA,2500,2048,\r\n"
    "00000004_000.png,Mass|Nodule,0,4,082Y,M,AP,2500,2048,\r\n"
)


def test_official_lists_give_the_splits(tree: Tree) -> None:
    root = tree(
        "images_001/images/00000001_000.png",
        "images_001/images/00000001_001.PNG",
        "images_002/images/00000002_000.png",
        "images_002/images/00000003_000.png",
        "images_002/images/00009999_000.png",
        "images_002/images/._00000001_000.png",
        texts={
            "Data_Entry_2017.csv": TABLE,
            "test_list.txt": "00000001_000.png\n00000001_001.png\n",
            "train_val_list.txt": "00000002_000.png\n",
            "BBox_List_2017.csv": "Image Index,x\n00000001_000.png,1,2\n",
        },
        below="nih/CXR8",
    )
    dataset = read_layout("chestxray14", root.parent)
    assert Path(dataset.header.root) == root
    assert [(r.image[11:], r.split, r.group, r.label, r.category) for r in dataset.rows] == [
        ("images/00000001_000.png", "test", "1", 1, "frontal"),
        ("images/00000001_001.PNG", "test", "1", 0, "frontal"),
        ("images/00000002_000.png", "train", "2", 1, "frontal"),
        ("images/00000003_000.png", "unlisted", "3", 1, "frontal"),
    ]
    first = dataset.rows[0].labels
    assert len(first) == 15
    assert {name for name, value in first.items() if value} == {"cardiomegaly", "pleural effusion"}
    assert dataset.rows[1].labels["no finding"] == 1
    assert sum(value or 0 for value in dataset.rows[1].labels.values()) == 1
    assert dataset.report() == (
        "found 2 test, 1 train, 1 unlisted images of 3 patients; expected 25596 test images",
        "missing file: 00000004_000.png",
        "in no table: images_002/images/00009999_000.png",
    )


def test_the_rows_survive_a_manifest(tree: Tree, tmp_path: Path) -> None:
    root = tree("images/00000001_000.png", texts={"Data_Entry_2017.csv": TABLE}, below="nih")
    dataset = read_layout("chestxray14", root)
    write_manifest(tmp_path / "m.jsonl", dataset.header, dataset.records())
    assert list(read_manifest(tmp_path / "m.jsonl").records()) == list(dataset.rows)
    assert "no test_list.txt: the split of all images is 'unlisted'" in dataset.report()


def test_the_newer_table_comes_first(tree: Tree) -> None:
    newer = TABLE.replace("Hernia", "Edema")
    root = tree(
        "images/00000003_000.png", texts={"Data_Entry_2017.csv": TABLE, "Data_Entry_2017_v2020.csv": newer}
    )
    assert read_layout("chestxray14", root).rows[0].labels["edema"] == 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            TABLE.replace("Hernia", "Hernja"),
            r"\.csv:5: finding 'hernja' is not known \(did you mean 'hernia'",
        ),
        (TABLE.replace(",081Y,F", ""), r"\.csv:5: has 8 values, expected 10"),
    ],
)
def test_a_bad_table_is_named_with_its_line(tree: Tree, table: str, said: str) -> None:
    root = tree("images/00000001_000.png", texts={"Data_Entry_2017.csv": table})
    with pytest.raises(DataError, match=said):
        read_layout("chestxray14", root)


def test_another_table_is_not_taken(tree: Tree) -> None:
    root = tree("images/1.png", texts={"Data_Entry_2017.csv": "id,label\n1,2\n"})
    with pytest.raises(DataError, match=r"no chestxray14 here .* looked for Data_Entry_2017"):
        read_layout("chestxray14", root)
