"""CheXpert on a miniature of the real tree with its traps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zerosight.data.chest.names import CHEXPERT14
from zerosight.data.layouts import read_layout
from zerosight.errors import DataError

Tree = Callable[..., Path]
NAMES = (
    "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,"
    "Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
HEADER = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{NAMES}\n"
SMALL = "CheXpert-v1.0-small"


def test_uncertain_and_blank_are_unknown_and_prefixes_do_not_count(tree: Tree) -> None:
    root = tree(
        "train/patient00001/study1/view1_frontal.jpg",
        "train/patient00001/study1/view2_lateral.jpg",
        "train/patient00002/study1/view1_frontal.jpg",
        "valid/patient64541/study1/view1_frontal.jpg",
        "test/patient64741/study1/view1_frontal.jpg",
        texts={
            "train.csv": HEADER
            + f"{SMALL}/train/patient00001/study1/view1_frontal.jpg,F,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0\n"
            + f"{SMALL}/train/patient00001/study1/view2_lateral.jpg,Female,68,Lateral,,,,-1.0,1.0,,,,,,,,,,\n"
            + f"{SMALL}/train/patient00003/study1/view1_frontal.jpg,Male,8,Frontal,PA,,,,,,,,,,,,,,\n",
            "valid.csv": HEADER
            + f"/data/{SMALL}/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP"
            + ",0.0,1.0" * 7
            + "\n",
            "test_labels.csv": f"Path,{NAMES}\ntest/patient64741/study1/view1_frontal.jpg"
            + ",1,0" * 7
            + "\n",
        },
        below=SMALL,
    )
    dataset = read_layout("chexpert", root.parent)
    assert [(r.image, r.split, r.group, r.category) for r in dataset.rows] == [
        ("train/patient00001/study1/view1_frontal.jpg", "train", "patient00001", "frontal"),
        ("valid/patient64541/study1/view1_frontal.jpg", "validation", "patient64541", "frontal"),
        ("test/patient64741/study1/view1_frontal.jpg", "test", "patient64741", "frontal"),
        ("train/patient00001/study1/view2_lateral.jpg", "train", "patient00001", "lateral"),
    ]
    first, valid, test, lateral = (row.labels for row in dataset.rows)
    assert tuple(first) == CHEXPERT14
    assert first == dict.fromkeys(CHEXPERT14) | {"no finding": 1, "pneumothorax": 0, "support devices": 1}
    assert list(valid.values()) == [0, 1] * 7
    assert list(test.values()) == [1, 0] * 7
    assert lateral == dict.fromkeys(CHEXPERT14) | {"lung opacity": 1}
    assert [row.label for row in dataset.rows] == [0, 1, 1, 1]
    assert dataset.report()[1:] == (
        f"missing file: {SMALL}/train/patient00003/study1/view1_frontal.jpg",
        "in no table: train/patient00002/study1/view1_frontal.jpg",
    )


def test_the_batches_of_the_full_release_are_read_together(tree: Tree) -> None:
    path = "train/patient00001/study1/view1_frontal.jpg"
    batch = "CheXpert-v1.0 batch 2 (train 1)"
    root = tree(
        f"{batch}/{path}",
        texts={
            "CheXpert-v1.0 batch 1 (validate & csv)/train.csv": HEADER
            + f"CheXpert-v1.0/{path},F,1,Frontal,AP"
            + "," * 14
            + "\n"
        },
    )
    assert [row.image for row in read_layout("chexpert", root).rows] == [f"{batch}/{path}"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "train/patient1/study1/v.jpg,F,1,Frontal,AP,2,,,,,,,,,,,,,",
            r"train\.csv:2: no finding should be 1, 0",
        ),
        ("train/one.jpg,F,1,Frontal,AP,,,,,,,,,,,,,,", r"train\.csv:2: Path should be as train/patient00001"),
    ],
)
def test_a_bad_row_is_named(tree: Tree, row: str, said: str) -> None:
    root = tree("train/patient1/study1/v.jpg", texts={"train.csv": f"{HEADER}{row}\n"})
    with pytest.raises(DataError, match=said):
        read_layout("chexpert", root)


def test_another_train_table_is_not_taken(tree: Tree) -> None:
    root = tree("1.png", texts={"train.csv": "image_id,class_name,rad_id\n1,Edema,R1\n"})
    with pytest.raises(DataError, match="no chexpert here"):
        read_layout("chexpert", root)
