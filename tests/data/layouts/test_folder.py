"""The plain folder: labels, kinds, splits, categories and masks from the names of folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zerosight.data.layouts import read_layout
from zerosight.errors import DataError

Build = Callable[..., Path]


def test_two_folders_are_enough_and_a_third_beside_them_is_a_kind_of_defect(build: Build) -> None:
    dataset = read_layout("folder", build("Good/1.png", "anomaly/sub/2.JPG", "dent/3.png", below="my parts"))
    assert [(r.image, r.label, r.category, r.split) for r in dataset.rows] == [
        ("dent/3.png", 1, "my parts", "test"),
        ("Good/1.png", 0, "my parts", "test"),
        ("anomaly/sub/2.JPG", 1, "my parts", "test"),
    ]
    assert dataset.header.categories == ("my parts",)


def test_kinds_splits_categories_and_masks_come_from_the_names(build: Build) -> None:
    root = build(
        "screw/train/good/1.png",
        "screw/test/good/1.png",
        "screw/test/thread/1.png",
        "screw/test/thread/2.png",
        "screw/ground_truth/thread/2_mask.png",
        "nut/test/ok/images/1.png",
        "nut/test/bad/images/1.png",
        "nut/test/bad/masks/1.png",
        "cap/normal/1.png",
        "cap/defect/1.png",
        "cap/masks/1.png",
    )
    found = {(r.image, r.mask, r.label, r.category, r.split) for r in read_layout("folder", root).rows}
    assert found == {
        ("screw/train/good/1.png", None, 0, "screw", "train"),
        ("screw/test/good/1.png", None, 0, "screw", "test"),
        ("screw/test/thread/1.png", None, 1, "screw", "test"),
        ("screw/test/thread/2.png", "screw/ground_truth/thread/2_mask.png", 1, "screw", "test"),
        ("nut/test/ok/images/1.png", None, 0, "nut", "test"),
        ("nut/test/bad/images/1.png", "nut/test/bad/masks/1.png", 1, "nut", "test"),
        ("cap/normal/1.png", None, 0, "cap", "test"),
        ("cap/defect/1.png", "cap/masks/1.png", 1, "cap", "test"),
    }


def test_images_elsewhere_are_counted_not_guessed(build: Build) -> None:
    dataset = read_layout("folder", build("x/bad/1.png", "x/2.png", "x/3.png"))
    assert [row.image for row in dataset.rows] == ["x/bad/1.png"]
    assert dataset.problems == ("2 images in no normal or anomalous folder: x/",)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("bad/2.png", "masks/mask_2.png"),
        ("bad/2.png", "masks/2_seg.tif"),
        ("bad/2.png", "masks/2.png.png"),
        ("bad/2.png", "masks/2/000.bmp"),
        ("bad/2.png", "masks/2_0.png"),
        ("bad/2.png", "bad_masks/2.png"),
        ("bad/2.png", "bad/2_mask.png"),
        ("bad/scratch/2.png", "masks/scratch/2.png"),
        ("bad/scratch/2.png", "masks/bad/scratch/2.png"),
        ("test/bad/2.png", "ground_truth/bad/2.png"),
        ("bad/Geha\u0308use.png", "masks/Geh\u00e4use.png"),
    ],
)
def test_usual_ways_to_name_a_mask(build: Build, image: str, mask: str) -> None:
    dataset = read_layout("folder", build("good/1.png", image, mask))
    assert {row.image: row.mask for row in dataset.rows if row.label == 1} == {image: mask}
    assert not dataset.problems


@pytest.mark.parametrize("masks", [("2_0.png", "2_1.png"), ("2/000.png", "2/001.png")])
def test_several_masks_of_one_image_are_none_and_told(build: Build, masks: tuple[str, str]) -> None:
    dataset = read_layout("folder", build("good/1.png", "bad/2.png", *(f"masks/{name}" for name in masks)))
    assert all(row.mask is None for row in dataset.rows)
    (problem,) = dataset.problems
    assert problem.startswith(f"2 masks for bad/2.png, such as masks/{masks[0]}: none is taken")


def test_every_mask_that_no_image_has_is_told(build: Build) -> None:
    root = build("good/1.png", "bad/2.png", "masks/2.png", "masks/3.png", "masks/good/1.png", "masks/2.npy")
    dataset = read_layout("folder", root)
    assert [row.mask for row in dataset.rows] == ["masks/2.png", None]
    assert sorted(dataset.problems) == [
        "1 masks of normal images are not used, such as masks/good/1.png",
        "mask not read: masks/2.npy; save masks as PNG",
        "mask without image: masks/3.png",
    ]


def test_a_mask_never_serves_two_images_unsaid(build: Build) -> None:
    dataset = read_layout("folder", build("good/1.png", "bad/dent/2.png", "bad/hole/2.png", "masks/2.png"))
    assert [row.mask for row in dataset.rows if row.label == 1] == ["masks/2.png", None]
    assert dataset.problems == (
        "mask masks/2.png is that of bad/dent/2.png, so bad/hole/2.png, which it fits too, has none",
    )


def test_pictures_of_results_are_no_kind_of_defect(build: Build) -> None:
    root = build("good/1.png", "bad/2.png", "results/heatmaps/2.png", "results/maps/mass/2.png")
    (root / "results" / "predictions.jsonl").touch()
    assert {row.image for row in read_layout("folder", root).rows} == {"good/1.png", "bad/2.png"}


def test_a_link_back_up_does_not_run_for_ever(build: Build) -> None:
    root = build("good/1.png", "bad/2.png")
    (root / "bad" / "again").symlink_to(root, target_is_directory=True)
    assert len(read_layout("folder", root).rows) == 2


def test_a_folder_without_such_names_is_refused(build: Build) -> None:
    with pytest.raises(DataError, match=r"no folder here .* looked for a folder of normal images"):
        read_layout("folder", build("pictures/1.png"))
