"""Generation: the same bytes for any number of workers, resumed, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.data.manifest import read_manifest
from zerosight.data.masks import read_mask
from zerosight.errors import ConfigError, OutputError
from zerosight.synthesis.chests import make_phantom, write_phantoms


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_any_number_of_workers_writes_the_same_bytes(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    write_phantoms(tmp_path / "one", 20, 4, 64, 1, lambda done, total: calls.append((done, total)))
    write_phantoms(tmp_path / "two", 20, 4, 64, 2)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")
    assert calls == [(16, 20), (20, 20)]


def test_manifest_and_pictures_agree(tmp_path: Path) -> None:
    manifest = read_manifest(write_phantoms(tmp_path, 6, 1, 64))
    records = list(manifest.records())
    assert len(records) == len({record.group for record in records}) == 6
    for index, record in enumerate(records):
        phantom = make_phantom(1, index, 64)
        with Image.open(manifest.resolve(record.image)) as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(np.asarray(image), phantom.image)
        assert (record.labels, record.text) == (phantom.labels, phantom.report)
        assert record.label == 1 - (phantom.labels["no finding"] or 0)


def test_an_interrupted_run_goes_on_and_a_larger_count_adds(tmp_path: Path) -> None:
    write_phantoms(tmp_path, 5, 0, 64)
    whole = _bytes(tmp_path)
    kept = tmp_path / "images" / "000001.png"
    before = kept.stat().st_mtime_ns
    (tmp_path / "images" / "000003.png").unlink()
    write_phantoms(tmp_path, 5, 0, 64)
    assert _bytes(tmp_path) == whole
    write_phantoms(tmp_path, 7, 0, 64)
    assert kept.stat().st_mtime_ns == before
    assert len(list((tmp_path / "images").iterdir())) == 7


def test_other_phantoms_or_a_file_in_the_way_are_errors(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "out", 1, 0, 64)
    with pytest.raises(OutputError, match="holds other phantoms"):
        write_phantoms(tmp_path / "out", 1, 1, 64)
    (tmp_path / "out" / "phantoms.json").write_text("{")
    with pytest.raises(OutputError, match="holds other phantoms"):
        write_phantoms(tmp_path / "out", 1, 0, 64)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_phantoms(tmp_path / "file", 1, 0, 64)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((0, 0, 64, 1), "count 0"),
        ((1, -1, 64, 1), "seed -1"),
        ((1, 0, 10, 1), "size 10"),
        ((1, 0, 64, -1), "workers -1"),
    ],
)
def test_numbers_out_of_range_write_nothing(
    tmp_path: Path, numbers: tuple[int, int, int, int], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        write_phantoms(tmp_path / "out", *numbers)
    assert not (tmp_path / "out").exists()


def test_masks_are_written_if_asked_for_and_change_no_picture(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "plain", 12, 3, 64)
    manifest = read_manifest(write_phantoms(tmp_path / "masks", 12, 3, 64, masks=True))
    pictures = {name: content for name, content in _bytes(tmp_path / "masks").items() if "images" in name}
    assert pictures.items() <= _bytes(tmp_path / "plain").items()
    found = set()
    for index, record in enumerate(manifest.records()):
        phantom = make_phantom(3, index, 64)
        truth = dict(phantom.masks) | {f"{side} lung": mask for side, mask in phantom.lungs.items()}
        assert record.regions.keys() == truth.keys()
        for name, path in record.regions.items():
            assert isinstance(path, str)
            np.testing.assert_array_equal(read_mask(manifest.resolve(path)), truth[name])
        found |= phantom.masks.keys()
    assert "lung opacity" in found  # what a finding implies lies where it lies


def test_masks_are_added_to_pictures_that_are_there(tmp_path: Path) -> None:
    write_phantoms(tmp_path, 4, 3, 64)
    write_phantoms(tmp_path, 4, 3, 64, masks=True)
    whole = _bytes(tmp_path)
    (tmp_path / "masks" / "000002" / "left lung.png").unlink()
    write_phantoms(tmp_path, 4, 3, 64, masks=True)
    assert _bytes(tmp_path) == whole
