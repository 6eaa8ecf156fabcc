"""The industrial layouts, each on a miniature of the real tree with its traps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zerosight.data.layouts import LayoutDataset, read_layout
from zerosight.errors import DataError

Build = Callable[..., Path]


def _rows(dataset: LayoutDataset) -> list[tuple[str, str | None, int | None, str, str]]:
    return [(r.image, r.mask, r.label, r.category, r.split) for r in dataset.rows]


MVTEC = (
    "carpet/train/good/000.png",
    "carpet/test/good/000.png",
    "carpet/test/good/.000.png.swp",
    "carpet/test/good/._000.png",
    "carpet/test/good/Thumbs.db",
    "carpet/test/hole/000.png",
    "carpet/test/hole/001.PNG",
    "carpet/test/hole/003.png",
    "carpet/ground_truth/hole/000_mask.png",
    "carpet/ground_truth/hole/003_mask.PNG",
    "carpet/ground_truth/hole/007_mask.png",
    "carpet/readme.txt",
    "metal nut/test/good/000.png",
    "spoon/test/good/000.png",
    "license.txt",
)


def test_mvtec_pairs_masks_by_name_and_reports_what_is_missing(build: Build) -> None:
    dataset = read_layout("mvtec_ad", build(*MVTEC))
    assert _rows(dataset) == [
        ("carpet/train/good/000.png", None, 0, "carpet", "train"),
        ("carpet/test/good/000.png", None, 0, "carpet", "test"),
        ("carpet/test/hole/000.png", "carpet/ground_truth/hole/000_mask.png", 1, "carpet", "test"),
        ("carpet/test/hole/001.PNG", None, 1, "carpet", "test"),
        ("carpet/test/hole/003.png", "carpet/ground_truth/hole/003_mask.PNG", 1, "carpet", "test"),
        ("metal nut/test/good/000.png", None, 0, "metal_nut", "test"),
    ]
    assert dataset.header.categories == ("carpet", "metal_nut")
    assert dataset.header.licence == "CC BY-NC-SA 4.0"
    report = dataset.report()
    assert report[0] == (
        "found 2 normal and 3 anomalous test images, 2 masks; expected 467 normal and 1258 anomalous"
    )
    assert "category carpet: found 1 normal and 3 anomalous, expected 28 and 89" in report
    assert "category grid is missing" in report
    assert "no mask for carpet/test/hole/001.PNG" in report
    assert "mask without image: carpet/ground_truth/hole/007_mask.png" in report
    assert "extra folder not read: spoon" in report
    assert all(dataset.resolve(row.image).is_file() for row in dataset.records())


def test_a_gap_in_the_numbers_names_the_missing_file(build: Build) -> None:
    names = [f"carpet/test/good/{number:03d}.png" for number in (0, 1, 3)]
    assert (
        "missing by its number: carpet/test/good/002.png" in read_layout("mvtec_ad", build(*names)).report()
    )


def test_many_gaps_are_counted(build: Build) -> None:
    names = [f"carpet/test/good/{number:03d}.png" for number in range(60) if number % 3]
    lines = [line for line in read_layout("mvtec_ad", build(*names)).report() if "missing by" in line]
    assert len(lines) == 11
    assert lines[-1] == "missing by their numbers: 9 more"


def test_exact_case_wins_over_another_case(build: Build) -> None:
    root = build(
        "carpet/test/hole/a.png",
        "carpet/test/hole/A.png",
        "carpet/ground_truth/hole/a.png",
        "carpet/ground_truth/hole/A.png",
    )
    pairs = {row.image: row.mask for row in read_layout("mvtec_ad", root).rows}
    assert pairs == {
        "carpet/test/hole/a.png": "carpet/ground_truth/hole/a.png",
        "carpet/test/hole/A.png": "carpet/ground_truth/hole/A.png",
    }


@pytest.mark.parametrize(
    ("name", "category"), [("mpdd", "bracket_black"), ("dtd_synthetic", "Woven_001"), ("btad", "02")]
)
def test_sets_in_mvtecs_form_are_told_apart_by_their_categories(
    build: Build, name: str, category: str
) -> None:
    normal, defect = ("ok", "ko") if name == "btad" else ("good", "hole")
    root = build(*MVTEC, below="mvtec").parent
    build(
        f"{category}/train/{normal}/000.bmp",
        f"{category}/test/{normal}/0000.png",
        f"{category}/test/{defect}/0001.BMP",
        f"{category}/ground_truth/{defect}/0001.png",
        below=f"{name} data/inner",
    )
    dataset = read_layout(name, root)
    assert Path(dataset.header.root) == root / f"{name} data" / "inner"
    masked = (f"{category}/test/{defect}/0001.BMP", f"{category}/ground_truth/{defect}/0001.png")
    assert set(_rows(dataset)) == {
        (f"{category}/train/{normal}/000.bmp", None, 0, category, "train"),
        (f"{category}/test/{normal}/0000.png", None, 0, category, "test"),
        (*masked, 1, category, "test"),
    }


VISA = (
    "candle/Data/Images/Normal/0000.JPG",
    "candle/Data/Images/Normal/0001.jpg",
    "candle/Data/Images/Normal/0009.JPG",
    "candle/Data/Images/Anomaly/000.JPG",
    "candle/Data/Images/Anomaly/001.JPG",
    "candle/Data/Masks/Anomaly/000.png",
    "candle/image_anno.csv",
)
VISA_TABLE = """object,split,label,image,mask
candle,train,normal,candle/Data/Images/Normal/0000.JPG,
candle,test,normal,candle/Data/Images/Normal/0001.JPG,
candle,test,normal,candle/Data/Images/Normal/0002.JPG,
candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png
candle,test,anomaly,candle/Data/Images/Anomaly/001.JPG,candle/Data/Masks/Anomaly/001.png
"""


def _visa(build: Build, table: str) -> Path:
    root = build(*VISA)
    (root / "split_csv").mkdir()
    (root / "split_csv" / "1cls.csv").write_text(table, encoding="utf-8")
    return root


def test_visa_follows_the_published_split(build: Build) -> None:
    dataset = read_layout("visa", _visa(build, VISA_TABLE))
    images = "candle/Data/Images"
    assert _rows(dataset) == [
        (f"{images}/Normal/0000.JPG", None, 0, "candle", "train"),
        (f"{images}/Normal/0001.jpg", None, 0, "candle", "test"),
        (f"{images}/Anomaly/000.JPG", "candle/Data/Masks/Anomaly/000.png", 1, "candle", "test"),
        (f"{images}/Anomaly/001.JPG", None, 1, "candle", "test"),
    ]
    report = dataset.report()
    assert f"missing file: {images}/Normal/0002.JPG" in report
    assert f"no mask for {images}/Anomaly/001.JPG" in report
    assert f"1 images are not in split_csv/1cls.csv, such as {images}/Normal/0009.JPG" in report


def test_visa_without_its_table_says_so_and_goes_on(build: Build) -> None:
    dataset = read_layout("visa", build(*VISA))
    assert [row.label for row in dataset.rows] == [0, 0, 0, 1, 1]
    assert any("no split_csv/1cls.csv" in line for line in dataset.report())


def test_visa_prepared_in_mvtecs_form_is_read(build: Build) -> None:
    root = build(
        "1cls/candle/train/good/0.JPG",
        "1cls/candle/test/good/1.JPG",
        "1cls/candle/test/bad/2.JPG",
        "1cls/candle/ground_truth/bad/2.png",
    )
    rows = _rows(read_layout("visa", root))
    assert len(rows) == 3
    assert ("candle/test/bad/2.JPG", "candle/ground_truth/bad/2.png", 1, "candle", "test") in rows


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("object,split,image\n", r"1cls\.csv:1: no column 'label'"),
        ("object,split,label,image,mask\ncandle,test,odd,x.JPG,\n", r"1cls\.csv:2: .*'odd' unknown"),
        ("object,split,label,image,mask\ncandle,test,normal\n", r"1cls\.csv:2: has 3 values, expected 5"),
        (
            "object,split,label,image,mask\ncandle,test,normal,../../x.JPG,\n",
            r"1cls\.csv:2: .*leaves the root",
        ),
        ("", r"1cls\.csv:1: no column 'object'; found none"),
    ],
)
def test_a_bad_visa_table_is_named_with_its_line(build: Build, table: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_layout("visa", _visa(build, table))


def test_ksdd_reads_its_labels_from_the_label_pictures(build: Build) -> None:
    root = build(
        "kos01/Part0.jpg",
        "kos01/Part1.JPG",
        "kos01/Part1_label.bmp",
        "kos02/Part0.jpg",
        "kos02/Part3.jpg",
        "notes/readme.txt",
        below="KolektorSDD",
        black=("kos01/Part0_label.bmp",),
    )
    (root / "kos02" / "Part3_label.bmp").write_bytes(b"BM, but no picture")
    dataset = read_layout("ksdd", root.parent)
    assert [(r.image, r.mask, r.label, r.group) for r in dataset.rows] == [
        ("kos01/Part0.jpg", None, 0, "kos01"),
        ("kos01/Part1.JPG", "kos01/Part1_label.bmp", 1, "kos01"),
        ("kos02/Part0.jpg", None, None, "kos02"),
        ("kos02/Part3.jpg", None, None, "kos02"),
    ]
    problems = " | ".join(dataset.report())
    assert "expected 286 to 347 normal and 52 to 54 anomalous" in problems
    assert "no label picture for kos02/Part0.jpg" in problems
    assert "the label of kos02/Part3.jpg is not known" in problems


def test_ksdd_prepared_in_mvtecs_form_is_read(build: Build) -> None:
    root = build("x/test/good/1.png", "x/test/defect/2.png", "x/ground_truth/defect/2_mask.png", below="sdd")
    assert _rows(read_layout("ksdd", root)) == [
        ("x/test/defect/2.png", "x/ground_truth/defect/2_mask.png", 1, "electrical_commutators", "test"),
        ("x/test/good/1.png", None, 0, "electrical_commutators", "test"),
    ]


def test_dagm_takes_a_label_picture_for_a_defect(build: Build) -> None:
    root = build(
        "Class1/Train/0576.PNG",
        "Class1/Train/Label/0576_label.PNG",
        "Class1/Test/0001.PNG",
        "Class1/Test/0002.png",
        "Class1/Test/0003.PNG",
        "Class1/Test/Label/0002_label.PNG",
        "Class1/Test/Label/0009_label.PNG",
        "Class10/Test/0001.PNG",
    )
    (root / "Class1/Test/Label/Labels.txt").write_text(
        "1\n0001\t0\t0001.PNG\t0\t0\n0002\t1\t0002.PNG\t0\t0002_label.PNG\n0003\t1\t0003.PNG\t0\t0003_label.PNG\n"
    )
    dataset = read_layout("dagm", root)
    assert _rows(dataset) == [
        ("Class1/Train/0576.PNG", "Class1/Train/Label/0576_label.PNG", 1, "Class1", "train"),
        ("Class1/Test/0001.PNG", None, 0, "Class1", "test"),
        ("Class1/Test/0002.png", "Class1/Test/Label/0002_label.PNG", 1, "Class1", "test"),
        ("Class1/Test/0003.PNG", None, 1, "Class1", "test"),
        ("Class10/Test/0001.PNG", None, 0, "Class10", "test"),
    ]
    assert "no mask for Class1/Test/0003.PNG" in dataset.report()
    assert "mask without image: Class1/Test/Label/0009_label.PNG" in dataset.report()
    assert "category Class2 is missing" in dataset.report()


def test_magnetic_tile_keeps_masks_beside_images(build: Build) -> None:
    root = build(
        "MT_Free/Imgs/a 1.jpg",
        "MT_Blowhole/Imgs/b.JPG",
        "MT_Blowhole/Imgs/b.png",
        "MT_Crack/Imgs/c.jpg",
        "MT_Crack/Imgs/d.png",
        "README.md",
        black=("MT_Free/Imgs/a 1.png",),
    )
    dataset = read_layout("magnetic_tile", root)
    assert [(r.image, r.mask, r.label) for r in dataset.rows] == [
        ("MT_Blowhole/Imgs/b.JPG", "MT_Blowhole/Imgs/b.png", 1),
        ("MT_Crack/Imgs/c.jpg", None, 1),
        ("MT_Free/Imgs/a 1.jpg", None, 0),
    ]
    assert dataset.header.mask_threshold == 127
    assert {"no mask for MT_Crack/Imgs/c.jpg", "mask without image: MT_Crack/Imgs/d.png"} <= set(
        dataset.problems
    )


def test_neu_seg_has_two_splits(build: Build) -> None:
    root = build(
        "images/test/000001.jpg",
        "images/training/000002.jpg",
        "annotations/test/000001.png",
        "annotations/training/000002.png",
        below="NEU_Seg",
    )
    assert [(r.image, r.mask, r.split) for r in read_layout("neu_seg", root.parent).rows] == [
        ("images/training/000002.jpg", "annotations/training/000002.png", "train"),
        ("images/test/000001.jpg", "annotations/test/000001.png", "test"),
    ]
