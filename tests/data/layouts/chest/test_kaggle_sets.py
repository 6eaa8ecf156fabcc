"""RSNA, SIIM and COVIDx on miniatures of the real trees with their traps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zerosight.data.layouts import read_layout
from zerosight.errors import DataError

Tree = Callable[..., Path]
RSNA = "patientId,x,y,width,height,Target\naa,,,,,0\nbb,1.0,2.0,3.0,4.0,1\nbb,5.0,6.0,7.0,8.0,1\ncc,,,,,0\n"
UID = "1.2.276.0.7230010.3.1.4.8323329.{}.1517875201.850819"


def test_rsna_boxes_of_one_image_are_one_row(tree: Tree) -> None:
    images = (f"stage_2_train_images/{name}.dcm" for name in ("aa", "bb", "cc"))
    root = tree(*images, "stage_2_test_images/zz.dcm", texts={"stage_2_train_labels.csv": RSNA}, below="rsna")
    dataset = read_layout("rsna_pneumonia", root)
    assert [(r.image, r.labels, r.label, r.split, r.group) for r in dataset.rows] == [
        ("stage_2_train_images/aa.dcm", {"pneumonia": 0}, None, "test", "aa"),
        ("stage_2_train_images/bb.dcm", {"pneumonia": 1}, 1, "test", "bb"),
        ("stage_2_train_images/cc.dcm", {"pneumonia": 0}, None, "test", "cc"),
    ]
    assert dataset.report() == (
        "found 3 test images of 3 patients; expected 5337 or 26684 test images",
        "in no table: stage_2_test_images/zz.dcm",
    )


def test_rsna_classes_tell_the_healthy_from_the_otherwise_ill(tree: Tree) -> None:
    images = (f"stage_2_train_images/{name}.dcm" for name in ("aa", "bb", "cc"))
    info = "patientId,class\naa,Normal\nbb,Lung Opacity\ncc,No Lung Opacity / Not Normal\n"
    texts = {
        "stage_2_train_labels.csv": RSNA,
        "stage_2_detailed_class_info.csv": info,
        "test_list.txt": "aa.dcm\nbb.dcm\n",
    }
    dataset = read_layout("rsna_pneumonia", tree(*images, texts=texts))
    assert [(row.labels["no finding"], row.label, row.split) for row in dataset.rows] == [
        (1, 0, "test"),
        (0, 1, "test"),
        (0, None, "unlisted"),
    ]


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (
            "stage_2_train_labels.csv",
            "aa,,,,,0",
            "aa,,,,,?",
            r"labels\.csv:2: Target should be 0 or 1, got '\?'",
        ),
        ("stage_2_detailed_class_info.csv", "Normal", "Fine", r"class_info\.csv:2: class should be one of"),
    ],
)
def test_a_bad_rsna_table_is_named(tree: Tree, name: str, old: str, new: str, said: str) -> None:
    texts = {
        "stage_2_train_labels.csv": RSNA,
        "stage_2_detailed_class_info.csv": "patientId,class\naa,Normal\n",
    }
    root = tree("images/aa.dcm", texts=texts | {name: texts[name].replace(old, new)})
    with pytest.raises(DataError, match=said):
        read_layout("rsna_pneumonia", root)


def test_siim_codes_of_one_image_are_one_row(tree: Tree) -> None:
    one, two, three = (UID.format(number) for number in (1, 2, 3))
    root = tree(
        f"dicom-images-train/x/y/{one}.dcm",
        f"dicom-images-test/x/y/{two}.dcm",
        f"dicom-images-test/x/y/{UID.format(4)}.dcm",
        texts={
            "train-rle.csv": "ImageId, EncodedPixels\n" + f"{one}, -1\n",
            "stage_2_train.csv": "ImageId,EncodedPixels\n"
            + f"{two},10 2 30 4\n{one},-1\n{two},50 1\n{three},-1\n",
        },
        below="siim",
    )
    dataset = read_layout("siim_pneumothorax", root)
    assert [(r.image, r.labels, r.label, r.group) for r in dataset.rows] == [
        (f"dicom-images-test/x/y/{two}.dcm", {"pneumothorax": 1}, 1, None),
        (f"dicom-images-train/x/y/{one}.dcm", {"pneumothorax": 0}, None, None),
    ]
    assert f"missing file: {three}" in dataset.report()
    assert f"in no table: dicom-images-test/x/y/{UID.format(4)}.dcm" in dataset.report()


def test_a_bad_siim_code_is_named(tree: Tree) -> None:
    root = tree("a.dcm", texts={"train-rle.csv": "ImageId, EncodedPixels\na,none\n"})
    with pytest.raises(DataError, match=r"train-rle\.csv:2: EncodedPixels should be -1 or a run-length code"):
        read_layout("siim_pneumothorax", root)


def test_covidx_lists_are_read_with_patients_across_splits(tree: Tree) -> None:
    root = tree(
        "train/1.jpg",
        "train/MIDRC a.png",
        "train/only here.png",
        "test/1.jpg",
        texts={
            "train.txt": "7 1.jpg negative rsna\n8 MIDRC a.png positive ricord\n8 only.png positive ricord\n",
            "test.txt": "\ufeff8 1.jpg positive cohen\r\n\r\n9 only here.png negative rsna\r\n",
        },
        below="covidx-cxr2",
    )
    dataset = read_layout("covidx_cxr2", root)
    assert [(r.image, r.labels, r.split, r.group) for r in dataset.rows] == [
        ("train/1.jpg", {"covid-19": 0}, "train", "7"),
        ("train/MIDRC a.png", {"covid-19": 1}, "train", "8"),
        ("test/1.jpg", {"covid-19": 1}, "test", "8"),
    ]
    assert [row.label for row in dataset.rows] == [None, 1, 1]
    assert dataset.problems == (
        "missing file: train/only.png",
        "missing file: test/only here.png",
        "in no table: train/only here.png",
        "patient in several splits: 8 (test, train)",
    )


def test_older_covidx_classes_say_more(tree: Tree) -> None:
    lines = "1 a.png normal rsna\n2 b.png pneumonia rsna\n3 c.png COVID-19 cohen\n"
    root = tree("test/a.png", "test/b.png", "test/c.png", texts={"test_COVIDx9A.txt": lines})
    assert [
        (row.labels["covid-19"], row.labels["pneumonia"], row.label)
        for row in read_layout("covidx_cxr2", root).rows
    ] == [
        (0, 0, 0),
        (0, 1, 1),
        (1, None, 1),
    ]


@pytest.mark.parametrize("line", ["2 b.png maybe rsna", "2 b.png positive", "b.png"])
def test_a_bad_covidx_line_is_named(tree: Tree, line: str) -> None:
    root = tree("test/a.png", texts={"test.txt": f"1 a.png positive rsna\n{line}\n"})
    with pytest.raises(DataError, match=r"test\.txt:2: should be 'patient file class source'"):
        read_layout("covidx_cxr2", root)
