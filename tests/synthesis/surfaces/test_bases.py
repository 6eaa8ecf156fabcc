"""Bases: every procedure draws, photographs of the demo stay unseen, hostile folders are survived."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from zerosight.errors import DataError
from zerosight.synthesis.surfaces import DEMO_PHOTOGRAPHS, TRAINING_PHOTOGRAPHS
from zerosight.synthesis.surfaces.bases import BaseSource, procedures, read_base_image, scan_folders


def _photograph(path: Path, size: tuple[int, int] = (90, 70)) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


@pytest.mark.parametrize("category", [*procedures(), "photo/camera", "photo/rocket"])
def test_every_source_draws_a_repeatable_picture(category: str) -> None:
    for seed in range(2):
        base, again = (BaseSource().draw(np.random.default_rng(seed), category, 96) for _ in range(2))
        assert base.picture.shape == (96, 96, 3)
        assert base.picture.dtype == np.float32
        assert 0 <= base.picture.min() < base.picture.max() <= 1
        assert base.foreground.any()
        np.testing.assert_array_equal(base.picture, again.picture)


def test_photographs_are_shipped_and_kept_apart() -> None:
    stems = {name.partition(".")[0] for name in TRAINING_PHOTOGRAPHS}
    assert not stems & set(DEMO_PHOTOGRAPHS)
    assert len(DEMO_PHOTOGRAPHS) == 8
    folder = Path(str(skimage.data.data_dir))
    assert all((folder / name).is_file() for name in TRAINING_PHOTOGRAPHS)
    assert all(any(folder.glob(f"{stem}.*")) for stem in DEMO_PHOTOGRAPHS)


def test_chosen_categories_cover_all_families() -> None:
    rng = np.random.default_rng(0)
    chosen = {BaseSource().choose(rng).partition("/")[0] for _ in range(300)}
    assert chosen == {"texture", "object", "assembly", "anatomy", "tissue", "photo"}


def test_folders_give_images_and_skip_hostile_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    _photograph(tmp_path / "deep" / "b.tga")
    _photograph(tmp_path / "a.png")
    _photograph(tmp_path / "thin.png", (200, 3))
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much")
    (tmp_path / "cut.tga").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no image", encoding="utf-8")
    scan = scan_folders([tmp_path])
    assert [path.name for path in scan.images] == ["a.png", "b.tga"]
    assert len(scan.skipped) == 3
    source = BaseSource(scan.images, folder_fraction=1.0)
    category = source.choose(np.random.default_rng(0))
    assert category.startswith("folder/")
    assert source.draw(np.random.default_rng(0), category, 64).picture.shape == (64, 64, 3)


def test_large_base_images_are_made_smaller(tmp_path: Path) -> None:
    _photograph(tmp_path / "large.png", (1500, 800))
    assert max(read_base_image(tmp_path / "large.png").size) == 1024


def test_a_folder_that_is_missing_or_empty_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        scan_folders([tmp_path / "none"])
    with pytest.raises(DataError, match="holds no readable image"):
        scan_folders([tmp_path])
