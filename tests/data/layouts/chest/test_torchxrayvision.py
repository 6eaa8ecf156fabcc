"""torchxrayvision: its copies of the owners' tables are read, and its labels are ours where it knows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torchxrayvision.datasets as xrv

from zerosight.data.chest.names import canonical
from zerosight.data.layouts import find_layout, read_layout
from zerosight.data.layouts.chest.layout import ChestLayout
from zerosight.data.layouts.chest.tables import carried
from zerosight.data.layouts.info import Scan, TableCase

Tree = Callable[..., Path]
NIH_COPY = "Data_Entry_2017_v2020.csv.gz"


def carried_cases(name: str, folder: Path) -> Iterator[TableCase]:
    """Yield what the reader makes of the copy."""
    layout = find_layout(name).layout
    assert isinstance(layout, ChestLayout)
    return iter(layout.cases(Scan(folder, find_layout(name))))


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("chestxray14", "images_001/images/00000001_000.png"),
        ("chexpert", "train/patient00001/study1/view1_frontal.jpg"),
        ("rsna_pneumonia", "stage_2_train_images/0004cfab-14fd-4e49-80ba-63a80b6bddd6.dcm"),
        (
            "siim_pneumothorax",
            "1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm",
        ),
        ("padchest", "0/20536686640136348236148679891455886468_k6ga29.png"),
        ("open_i", "NLMCXR_png/CXR1000_IM-0003-1001.png"),
        ("vindr_cxr", "train/50a418190bc3fb1ef1633bf9678929b3.dicom"),
    ],
)
def test_images_without_a_table_are_read_by_the_copy(tree: Tree, name: str, image: str) -> None:
    root = tree(image, texts={})
    layout = find_layout(name).layout
    assert layout.matches(root)
    case = next(iter(islice(carried_cases(name, root), 1)))
    assert set(case.labels) <= set(find_layout(name).findings or ())
    assert case.view in find_layout(name).categories


def test_the_copies_hold_as_many_images_as_the_field_counts(tmp_path: Path) -> None:
    siim = list(carried_cases("siim_pneumothorax", tmp_path))
    assert (len(siim), sum(case.labels["pneumothorax"] == 1 for case in siim)) == (12047, 2669)
    rsna = list(carried_cases("rsna_pneumonia", tmp_path))
    assert (len(rsna), sum(case.labels["pneumonia"] == 1 for case in rsna)) == (26684, 6012)
    assert sum(1 for _ in carried_cases("vindr_cxr", tmp_path)) == 15000


@pytest.mark.parametrize(
    ("name", "table", "copy", "dataset", "column"),
    [
        (
            "chestxray14",
            "Data_Entry_2017.csv",
            "Data_Entry_2017_v2020.csv.gz",
            xrv.NIH_Dataset,
            "Image Index",
        ),
        ("chexpert", "train.csv", "chexpert_train.csv.gz", xrv.CheX_Dataset, "Path"),
    ],
)
def test_its_labels_are_ours(
    tree: Tree, name: str, table: str, copy: str, dataset: Callable[..., Any], column: str
) -> None:
    whole = carried(copy)
    assert whole is not None
    rows = pd.read_csv(whole, nrows=60)
    if name == "chexpert":
        rows = rows[rows["No Finding"] != 1]  # where it fills in what the owners left blank
    images = [path.removeprefix("CheXpert-v1.0-small/") for path in rows[column]]
    root = tree(*images, texts={})
    rows.to_csv(root / table, index=False)
    theirs = dataset(str(root), csvpath=str(root / table), views=["*"], unique_patients=False)
    ours = {row.image: row.labels for row in read_layout(name, root).rows}
    assert set(ours) == set(images)
    names = [canonical(pathology) for pathology in theirs.pathologies]
    for image, values in zip(images, theirs.labels, strict=True):
        labels = [None if np.isnan(value) else int(value) for value in values]
        assert [ours[image][finding] for finding in names] == labels
