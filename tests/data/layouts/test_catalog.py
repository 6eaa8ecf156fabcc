"""The doors: every layout is listed, wrong roots are explained, and real data is read as counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zerosight.data.layouts import LayoutDataset, find_layout, list_layouts, open_dataset, read_layout
from zerosight.data.manifest import Manifest, read_manifest, write_manifest
from zerosight.errors import DataError

Build = Callable[..., Path]
BENCHMARKS = {"mvtec_ad", "visa", "mpdd", "btad", "ksdd", "dagm", "dtd_synthetic", "head_ct", "brain_mri"} | {
    "br35h",
    "isic",
    "cvc_colondb",
    "cvc_clinicdb",
    "kvasir",
    "endo",
}
CHEST = {"chestxray14", "chexpert", "rsna_pneumonia", "siim_pneumothorax", "covidx_cxr2", "padchest"} | {
    "open_i",
    "vindr_cxr",
    "mimic_cxr",
    "cxr_lt",
    "cxr_lt_gold",
}


def test_all_benchmarks_are_listed_with_licence_citation_and_source() -> None:
    infos = {info.name: info for info in list_layouts()}
    assert BENCHMARKS | CHEST | {"tn3k", "folder", "findings_csv"} <= set(infos)
    for info in infos.values():
        own = info.name in ("folder", "findings_csv")
        assert own or (info.licence and info.citation and info.source)
        uncounted = own or info.name == "cxr_lt_unseen"  # how many images it has could not be found
        assert uncounted or (info.test_positives if info.name in CHEST else info.expected)
        assert info.layout.looks_for
        if info.expected and info.expected.categories:
            assert tuple(info.expected.categories) == info.categories
            normal = sum(count for count, _ in info.expected.categories.values())
            anomalous = sum(count for _, count in info.expected.categories.values())
            assert (normal, anomalous) == (info.expected.normal[0], info.expected.anomalous[0])


def test_a_wrong_root_says_what_was_looked_for_and_what_was_found(build: Build) -> None:
    root = build("holiday/beach.jpg", "notes.txt")
    with pytest.raises(DataError) as caught:
        read_layout("mvtec_ad", root)
    message = str(caught.value)
    assert message.startswith(
        f"{root}: no mvtec_ad here or in the 1 folders below; looked for category folders"
    )
    assert message.endswith("found holiday/, notes.txt")
    with pytest.raises(DataError, match="no such folder; give the folder of visa"):
        read_layout("visa", root / "nothing")
    (root / "empty").mkdir()
    with pytest.raises(DataError, match="an empty folder"):
        read_layout("kvasir", root / "empty")


def test_an_unknown_layout_names_the_nearest() -> None:
    with pytest.raises(DataError, match=r"no layout is called 'mvtek_ad' \(did you mean 'mvtec_ad'\?\)"):
        find_layout("mvtek_ad")


def test_a_tree_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "carpet" / "test" / "good").mkdir(parents=True)
    with pytest.raises(DataError, match="has no images"):
        read_layout("mvtec_ad", tmp_path)


def test_a_layout_becomes_a_manifest_and_reads_the_same(build: Build, tmp_path: Path) -> None:
    dataset = read_layout("kvasir", build("images/a b.jpg", "masks/a b.jpg", below="data/kvasir"))
    path = tmp_path / "lists" / "kvasir.jsonl"
    assert write_manifest(path, dataset.header, dataset.records()) == 1
    manifest = read_manifest(path)
    assert list(manifest.records()) == list(dataset.rows)
    assert manifest.header.root == "../data/kvasir"
    assert manifest.header.mask_threshold == 127
    row = next(manifest.records())
    assert row.mask is not None
    assert manifest.resolve(row.mask).resolve() == dataset.resolve(row.mask).resolve()


def test_odd_names_stay_in_one_line_and_survive_a_manifest(build: Build, tmp_path: Path) -> None:
    dataset = read_layout("kvasir", build("images/a\nb.jpg", "images/ä 1.jpg", "masks/ä 1.jpg", below="k"))
    assert all("\n" not in line for line in dataset.report())
    path = tmp_path / "k.jsonl"
    write_manifest(path, dataset.header, dataset.records())
    assert list(read_manifest(path).records()) == list(dataset.rows)
    with pytest.raises(DataError, match="no such folder"):
        read_layout("kvasir", Path("a\0b"))


def test_open_dataset_takes_layouts_and_manifests(build: Build, tmp_path: Path) -> None:
    root = build("good/1.png", "bad/2.png", below="parts")
    dataset = open_dataset(f"folder:{root}")
    assert isinstance(dataset, LayoutDataset)
    path = tmp_path / "parts.jsonl"
    write_manifest(path, dataset.header, dataset.records())
    for text in (str(path), f"manifest:{path}"):
        manifest = open_dataset(text)
        assert isinstance(manifest, Manifest)
        assert list(manifest.records()) == list(dataset.records())
    assert open_dataset(str(root)) == dataset
    with pytest.raises(DataError, match="did you mean 'folder'"):
        open_dataset(f"foldr:{root}")
    with pytest.raises(DataError, match="cannot be read"):
        open_dataset(str(tmp_path / "none.jsonl"))


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "normal", "anomalous", "masks"),
    [("brain_mri", 98, 155, 0), ("magnetic_tile", 952, 392, 392), ("neu_seg", 0, 840, 840)],
)
def test_real_data_is_counted_right(
    realdata: Path, name: str, normal: int, anomalous: int, masks: int
) -> None:
    dataset = read_layout(name, realdata)
    labels = [row.label for row in dataset.records()]
    assert (labels.count(0), labels.count(1)) == (normal, anomalous)
    assert sum(row.mask is not None for row in dataset.records()) == masks
    assert len(dataset.report()) == 1


def test_a_bare_folder_with_a_table_is_told_how_it_is_read(tmp_path: Path):
    (tmp_path / "labels.csv").write_text("image,pneumonia\n")
    with pytest.raises(DataError, match=r"a table of findings is read as findings_csv:"):
        open_dataset(str(tmp_path))
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(DataError) as error:
        open_dataset(str(tmp_path))
    assert "findings_csv" not in str(error.value)
