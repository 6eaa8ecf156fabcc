"""VinDr-CXR on miniatures of PhysioNet's and Kaggle's trees with their traps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zerosight.data.layouts import read_layout
from zerosight.errors import DataError

Tree = Callable[..., Path]
TRAIN = (
    "image_id,rad_id,Aortic enlargement,Pleural effusion,Other disease,No finding\n"
    "a,R1,1,0,0,0\na,R2,1,1,0,0\nb,R1,0,0,0,1\na,R3,0,1,1,0\nb,R2,0,0,0,1\nb,R3,0,0,1,0\nc,R1,1,0,0,0\nc,R2,0,0,0,1\n"
)


def test_the_majority_decides_and_a_tie_does_not(tree: Tree) -> None:
    root = tree(
        *(f"train/{name}.dicom" for name in "abc"),
        "test/a.dicom",
        "test/e.dicom",
        texts={
            "annotations/image_labels_train.csv": TRAIN,
            "annotations/image_labels_test.csv": "image_id,Pleural effusion,Other disease,No finding\n"
            "a,1,0,0\nd,0,0,1\n",
        },
        below="vindr-cxr",
    )
    dataset = read_layout("vindr_cxr", root)
    names = ("aortic enlargement", "pleural effusion", "other diseases", "no finding")
    assert [(r.image, r.split, [r.labels.get(name) for name in names]) for r in dataset.rows] == [
        ("train/a.dicom", "train", [1, 1, 0, 0]),
        ("train/b.dicom", "train", [0, 0, 0, 1]),
        ("train/c.dicom", "train", [None, 0, 0, None]),
        ("test/a.dicom", "test", [None, 1, 0, 0]),
    ]
    assert dataset.rows[3].labels == {"pleural effusion": 1, "other diseases": 0, "no finding": 0}
    assert [row.label for row in dataset.rows] == [1, 0, None, 1]
    assert dataset.problems == ("missing file: test/d", "in no table: test/e.dicom")


def test_boxes_of_one_reader_are_one_vote(tree: Tree) -> None:
    rows = "a,Cardiomegaly,3,R1,1,2,3,4\na,Cardiomegaly,3,R1,5,6,7,8\n"
    rows += "a,No finding,14,R2,,,,\na,No finding,14,R3,,,,\n"
    header = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"
    root = tree("train/a.dicom", texts={"train.csv": header + rows})
    row = read_layout("vindr_cxr", root).rows[0]
    assert (row.labels["cardiomegaly"], row.labels["no finding"], row.label, row.split) == (0, 1, 0, "train")
    (root / "train.csv").write_text(header + rows.replace("Cardiomegaly", "Kardiomegaly"))
    with pytest.raises(
        DataError, match=r"train\.csv:2: class_name 'Kardiomegaly' is not known \(did you mean"
    ):
        read_layout("vindr_cxr", root)


def test_a_bad_vote_is_named(tree: Tree) -> None:
    root = tree("train/a.dicom", texts={"image_labels_train.csv": TRAIN.replace("a,R1,1", "a,R1,x")})
    with pytest.raises(DataError, match=r"image_labels_train\.csv:2: aortic enlargement should be 1, 0"):
        read_layout("vindr_cxr", root)
