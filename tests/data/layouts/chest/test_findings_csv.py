"""A folder with a table of one's own: usual column names, both ways to write findings, and their errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zerosight.data.layouts import read_layout
from zerosight.errors import DataError

Tree = Callable[..., Path]


def test_findings_in_one_column(tree: Tree) -> None:
    root = tree(
        "images/a.png",
        "images/b.png",
        "images/c.png",
        "images/d.png",
        "e.png",
        texts={
            "labels.csv": "\ufeffFilename, Finding Labels ,Patient ID,Report,Split,View Position,age\r\n"
            'images/a.png,Effusion|Pleural_Thickening,1,"Some, fluid.",train,PA,7\r\n'
            "/mnt/old/images/B.PNG,No Finding,1,,valid,Lateral,7\r\n"
            'c,"COVID-19, ARDS",2,,TEST,AP,7\r\n'
            "d.png,Unknown,2,,,AP,7\r\n"
            "e.png,,3,,,AP,7\r\n"
            "missing.png,Edema,4,,,AP,7\r\n"
        },
    )
    dataset = read_layout("findings_csv", root)
    assert [(r.image, r.split, r.category, r.group, r.text, r.label) for r in dataset.rows] == [
        ("images/a.png", "train", "frontal", "1", "Some, fluid.", 1),
        ("images/c.png", "test", "frontal", "2", None, 1),
        ("images/d.png", "test", "frontal", "2", None, None),
        ("e.png", "test", "frontal", "3", None, None),
        ("images/b.png", "validation", "lateral", "1", None, 0),
    ]
    known = ["pleural effusion", "edema", "pleural thickening", "no finding", "covid-19", "ards"]
    assert list(dataset.rows[0].labels) == known
    positives = [{name for name, value in row.labels.items() if value} for row in dataset.rows]
    assert positives == [
        {"pleural effusion", "pleural thickening"},
        {"covid-19", "ards"},
        set(),
        set(),
        {"no finding"},
    ]
    assert set(dataset.rows[2].labels.values()) == {None}
    assert dataset.report() == (
        "found 3 test, 1 train, 1 validation images of 3 patients, 1 with a report",
        "test images with covid-19: 1, ards: 1",
        "missing file: missing.png",
        "patient in several splits: 1 (train, validation)",
    )


def test_a_column_per_finding(tree: Tree) -> None:
    table = (
        "image,subject_id,sex,age,Edema,Tree-in-bud,Unnamed: 0\n"
        "a.png,1,0,41,1.0,0,0\nb.png,2,,40,-1,,0\nc.png,3,1,4,,1,0\n"
    )
    dataset = read_layout("findings_csv", tree("a.png", "b.png", "c.png", texts={"metadata.csv": table}))
    assert [row.labels for row in dataset.rows] == [
        {"edema": 1, "tree-in-bud": 0},
        {"edema": None, "tree-in-bud": None},
        {"edema": None, "tree-in-bud": 1},
    ]
    assert {row.text for row in dataset.rows} == {None}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            "image,edema\na.png,1\nb.png,maybe\n",
            r"labels\.csv:3: edema should be 1, 0, -1 \(uncertain\) or blank",
        ),
        (
            "image,findings\na.png,Edema\n,Mass\n",
            r"labels\.csv:3: column 'image' is blank; name the row's image",
        ),
        (
            "image,findings\na.png," + "The heart is large " * 9 + "\n",
            r"labels\.csv:2: findings should be names",
        ),
        (
            "image,label\na.png,1\n",
            r"labels\.csv:2: findings should be names joined by '|', got '1'; values of 0",
        ),
        ("image,findings\na.png,Edema\nb.png\n", r"labels\.csv:3: has 1 values, expected 2"),
        ("image,edema\na.png,1\nb.png\n", r"labels\.csv:3: has 1 values, expected 2"),
        ("image,age\na.png,30\n", "no findings_csv here .* looked for a table such as labels"),
        ("name,findings\na.png,Edema\n", "no findings_csv here"),
        ("image,findings\n", "no findings_csv here"),
        ("image,findings\nz.png,Edema\n", "has no images; looked for a table such as labels"),
    ],
)
def test_a_bad_table_is_explained(tree: Tree, table: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_layout("findings_csv", tree("a.png", texts={"labels.csv": table}))


def test_of_several_tables_the_one_with_findings_is_read(tree: Tree) -> None:
    texts = {
        "labels.csv": "id,note\n1,x\n",
        "mine.csv": "image,findings\na.png,Mass;Nodule\n",
        "z.csv": "\xff\n",
    }
    row = read_layout("findings_csv", tree("a.png", texts=texts)).rows[0]
    assert row.labels == {"mass": 1, "nodule": 1}


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "images", "patients", "texts", "positives"),
    [
        ("nih_subset", 703, 498, 0, {"pneumonia": 345, "no finding": 358, "infiltration": 133}),
        ("covid_notes", 382, 231, 317, {"covid-19": 300, "no finding": 9, "ards": 9}),
    ],
)
def test_real_tables_are_read(
    realdata: Path, name: str, images: int, patients: int, texts: int, positives: dict[str, int]
) -> None:
    dataset = read_layout("findings_csv", realdata / name)
    assert len(dataset.rows) == images
    assert len({row.group for row in dataset.rows}) == patients
    assert sum(row.text is not None for row in dataset.rows) == texts
    for finding, count in positives.items():
        assert sum(row.labels[finding] == 1 for row in dataset.rows) == count
    assert dataset.problems == ()
