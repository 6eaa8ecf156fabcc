"""Why there is nothing to evaluate: one line that says what there is."""

from __future__ import annotations

import pytest

from zerosight.data.choice import check_categories, nothing_chosen
from zerosight.data.manifest import Manifest, ManifestHeader, Record, write_manifest
from zerosight.errors import DataError


def dataset(folder, *records):
    header = ManifestHeader("chests", ".")
    write_manifest(folder / "m.jsonl", header, records)
    return Manifest(folder / "m.jsonl", header)


@pytest.mark.parametrize(
    ("splits", "wanted", "said"),
    [
        (("val",), None, "chests: no images in split val; splits: test; choose with --val-split"),
        (("test",), ("frontl",), "no category frontl (did you mean 'frontal'?); categories: frontal"),
    ],
)
def test_what_there_is_is_said(tmp_path, splits, wanted, said):
    chests = dataset(tmp_path, Record("a.png", category="frontal"))
    assert said in nothing_chosen(chests, splits, wanted, "--val-split")
    assert nothing_chosen(dataset(tmp_path), splits, wanted) == "chests: has no images"


def test_a_category_that_no_row_has_is_refused(tmp_path):
    chests = dataset(tmp_path, Record("a.png", category="frontal"), Record("b.png", category="lateral"))
    check_categories(chests, ("test",), ("frontal",), {"frontal"})
    check_categories(chests, ("test",), None, {"frontal"})
    with pytest.raises(DataError, match="no category 'side' in split test; categories: frontal, lateral"):
        check_categories(chests, ("test",), ("frontal", "side"), {"frontal"})
