"""The medical layouts, each on a miniature of the real tree with its traps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zerosight.data.layouts import read_layout
from zerosight.errors import DataError

Build = Callable[..., Path]


@pytest.mark.parametrize("deep", ["head_ct", "head_ct/head_ct", "."])
def test_head_ct_takes_the_number_for_the_id(build: Build, deep: str) -> None:
    root = build(f"{deep}/000.png", f"{deep}/001.PNG", f"{deep}/010.png", f"{deep}/readme.png")
    (root / "labels.csv").write_text("id, hemorrhage\n0,1\n1,0\n\n7,1\n", encoding="utf-8")
    dataset = read_layout("head_ct", root)
    prefix = "" if deep == "." else f"{deep}/"
    assert [(r.image, r.label, r.category) for r in dataset.rows] == [
        (f"{prefix}000.png", 1, "brain"),
        (f"{prefix}001.PNG", 0, "brain"),
    ]
    assert "missing file: 007.png" in dataset.report()
    assert f"not in labels.csv: {prefix}010.png" in dataset.report()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("id,bleeding\n0,1\n", "no column 'hemorrhage'; found id, bleeding"),
        ("id,hemorrhage\n0,maybe\n", r"labels\.csv:2: id should be a number and hemorrhage 0 or 1"),
        ("id,hemorrhage\nx,1\n", r"labels\.csv:2: id should be a number"),
        ('id,hemorrhage\n"0,1\n', r"labels\.csv:2: has 1 values"),
        ("id,hemorrhage\n\xff,1\n", "is not UTF-8 text"),
    ],
)
def test_a_bad_head_ct_table_is_named(build: Build, table: str, said: str) -> None:
    root = build("head_ct/000.png")
    (root / "labels.csv").write_bytes(table.encode("latin-1"))
    with pytest.raises(DataError, match=said):
        read_layout("head_ct", root)


@pytest.mark.parametrize("name", ["brain_mri", "br35h"])
def test_yes_and_no_are_the_labels(build: Build, name: str) -> None:
    root = build(
        "no/1 no.jpeg",
        "No/ignored.txt",
        "no/.hidden.jpg",
        "YES/Y1.JPG",
        "YES/Y2.png",
        "pred/pred0.jpg",
        "brain_tumor_dataset/no/1 no.jpeg",
    )
    dataset = read_layout(name, root)
    assert [(r.image, r.label, r.mask) for r in dataset.rows] == [
        ("no/1 no.jpeg", 0, None),
        ("YES/Y1.JPG", 1, None),
        ("YES/Y2.png", 1, None),
    ]


def test_sets_of_one_layout_are_told_apart_by_name(build: Build) -> None:
    build("no/a.jpg", "yes/b.jpg", below="archive/brain_tumor_dataset")
    build("no/c.jpg", "yes/d.jpg", below="Br35H")
    root = build("no/e.jpg", "yes/f.jpg", below="a third").parent
    assert Path(read_layout("brain_mri", root).header.root) == root / "archive" / "brain_tumor_dataset"
    assert Path(read_layout("br35h", root).header.root) == root / "Br35H"


def test_a_folder_named_for_another_set_is_not_taken(build: Build) -> None:
    root = build("images/1.jpg", "masks/1.jpg", below="Kvasir-SEG").parent
    with pytest.raises(DataError, match="no endo here or in the 3 folders below"):
        read_layout("endo", root)
    assert len(read_layout("endo", root / "Kvasir-SEG").rows) == 1


@pytest.mark.parametrize(
    ("name", "images", "masks", "image", "mask", "category"),
    [
        (
            "isic",
            "ISBI2016_ISIC_Part1_Test_Data",
            "ISBI2016_ISIC_Part1_Test_GroundTruth",
            "ISIC_{}.jpg",
            "ISIC_{}_Segmentation.png",
            "skin",
        ),
        ("isic", "images", "masks", "ISIC_{}.JPG", "ISIC_{}_segmentation.PNG", "skin"),
        ("cvc_colondb", "images", "masks", "{}.png", "{}.png", "colon"),
        ("cvc_clinicdb", "Original", "Ground Truth", "{}.tif", "{}.tif", "colon"),
        ("cvc_clinicdb", "PNG/Original", "PNG/Ground Truth", "{}.png", "{}.png", "colon"),
        ("cvc_clinicdb", "images", "masks", "{}.png", "{}.png", "colon"),
        ("kvasir", "images", "masks", "cju{}.jpg", "cju{}.jpg", "colon"),
        ("endo", "images", "masks", "{}.jpg", "{}_mask.jpg", "colon"),
        ("tn3k", "test-image", "test-mask", "{}.jpg", "{}.jpg", "thyroid"),
    ],
)
def test_images_and_masks_pair_by_name(
    build: Build, name: str, images: str, masks: str, image: str, mask: str, category: str
) -> None:
    # sorted by position the pairs would be (1, 10), (2, 2), (10, 9): the traps are the count and the order
    root = build(
        *(f"{images}/{image.format(number)}" for number in (1, 2, 10)),
        *(f"{masks}/{mask.format(number)}" for number in (2, 9, 10)),
        f"{images}/.DS_Store",
        f"{images}/ATTRIBUTION.txt",
        "extra/whatever.png",
    )
    dataset = read_layout(name, root)
    inner = images.removeprefix("PNG/"), masks.removeprefix("PNG/")
    assert [(r.image, r.mask, r.label, r.category, r.split) for r in dataset.rows] == [
        (
            f"{inner[0]}/{image.format(number)}",
            f"{inner[1]}/{mask.format(number)}" if number > 1 else None,
            1,
            category,
            "test",
        )
        for number in (1, 2, 10)
    ]
    assert f"no mask for {inner[0]}/{image.format(1)}" in dataset.report()
    assert f"mask without image: {inner[1]}/{mask.format(9)}" in dataset.report()
    assert dataset.header.mask_threshold == (127 if mask.endswith(".jpg") or name == "kvasir" else 0)


def test_clinicdb_in_two_formats_reads_one_and_says_so(build: Build) -> None:
    root = build(
        "PNG/Original/1.png", "PNG/Ground Truth/1.png", "TIF/Original/1.tif", "TIF/Ground Truth/1.tif"
    )
    dataset = read_layout("cvc_clinicdb", root)
    assert [row.image for row in dataset.rows] == ["Original/1.png"]
    assert any(str(root / "TIF") in line and "looks alike" in line for line in dataset.problems)


def test_training_parts_are_kept_apart(build: Build) -> None:
    root = build(
        "test-image/1.jpg", "test-mask/1.jpg", "trainval-image/1.jpg", "trainval-mask/1.jpg", below="tn3k"
    )
    assert [(r.image, r.split) for r in read_layout("tn3k", root).rows] == [
        ("test-image/1.jpg", "test"),
        ("trainval-image/1.jpg", "train"),
    ]


@pytest.mark.parametrize(
    ("normal", "disease", "inside"), [("NORMAL", "COVID-19", ""), ("Normal", "COVID", "images/")]
)
def test_covid_is_anomalous_whatever_the_disease_and_lungs_are_no_masks(
    build: Build, normal: str, disease: str, inside: str
) -> None:
    root = build(
        f"{normal}/{inside}Normal-1.png",
        f"{disease}/{inside}COVID-1.png",
        f"Viral Pneumonia/{inside}Viral Pneumonia-1.png",
        *((f"{disease}/masks/COVID-1.png", f"{normal}/masks/Normal-1.png") if inside else ()),
        "COVID.metadata.xlsx",
        below="COVID-19_Radiography_Dataset",
    )
    dataset = read_layout("covid_radiography", root.parent)
    assert [(row.image, row.label, row.mask, row.category) for row in dataset.rows] == [
        (f"{normal}/{inside}Normal-1.png", 0, None, "chest"),
        (f"{disease}/{inside}COVID-1.png", 1, None, "chest"),
        (f"Viral Pneumonia/{inside}Viral Pneumonia-1.png", 1, None, "chest"),
    ]
    assert "expected 1341 to 10192 normal and 219 to 10973 anomalous" in dataset.report()[0]


def test_one_kind_alone_is_no_covid_set(build: Build) -> None:
    root = build("COVID/images/1.png", below="COVID-19_Radiography_Dataset")
    with pytest.raises(DataError, match=r"no covid_radiography here .*show lungs and are not read"):
        read_layout("covid_radiography", root)
