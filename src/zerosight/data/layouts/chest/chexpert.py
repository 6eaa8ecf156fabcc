"""CheXpert: train.csv, valid.csv and test.csv, and images by patient, study and view.

Read from the owners' tables. torchxrayvision's class of this set refuses the test table and fills blanks with
0 where there is no finding; here -1 (uncertain) and blank (not mentioned) both stay unknown, as the owners
have them. Only its copy of train.csv is used, where the folder has images and no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from zerosight.data.chest.names import CHEXPERT5, CHEXPERT14, canonical
from zerosight.data.layouts.chest.layout import ChestLayout
from zerosight.data.layouts.chest.tables import find_files, find_table, has_table, mark
from zerosight.data.layouts.info import DatasetInfo, Scan, TableCase
from zerosight.data.layouts.tree import read_csv
from zerosight.errors import DataError

_TABLES = {
    "train": ("train.csv*", "chexpert-v1.0 batch 1*/train.csv*"),
    "validation": ("valid.csv*", "val.csv*", "val_labels.csv*", "chexpert-v1.0 batch 1*/valid.csv*"),
    "test": ("test.csv*", "test_labels.csv*"),
}
_COLUMNS = ("path", *CHEXPERT5)
_PATIENT = re.compile(r"patient\d+", re.IGNORECASE)


def _tells(folder: Path) -> bool:
    return any(has_table(folder, patterns, _COLUMNS) for patterns in _TABLES.values()) or any(
        find_files(folder, ("train/patient*/study*/view*_*.jpg",))
    )


def _cases(scan: Scan) -> Iterator[TableCase]:
    there = [split for split, patterns in _TABLES.items() if has_table(scan.folder, patterns, _COLUMNS)]
    for split in there or ["train"]:
        table = find_table(scan, _TABLES[split], _COLUMNS, "chexpert_train.csv.gz")
        for line, row in read_csv(table, _COLUMNS):
            yield _case(f"{table}:{line}", row, split)


def _case(where: str, row: dict[str, str], split: str) -> TableCase:
    patient = _PATIENT.search(row["path"])
    if patient is None:
        raise DataError(
            f"{where}: Path should be as train/patient00001/study1/view1_frontal.jpg, "
            f"got {row['path'][:200]!r}"
        )
    named = {canonical(column): (column, value) for column, value in row.items()}
    return TableCase(
        image=row["path"],
        labels={name: mark(where, *named[name]) for name in CHEXPERT14 if name in named},
        split=split,
        patient=patient[0].lower(),
        view="lateral" if "lateral" in (row.get("frontal/lateral") or row["path"]).lower() else "frontal",
    )


CHEXPERT_INFO = DatasetInfo(
    name="chexpert",
    categories=("frontal", "lateral"),
    layout=ChestLayout(
        "train.csv, valid.csv or test.csv with the columns Path, Atelectasis, Cardiomegaly … beside "
        "train/patient00001/study1/view1_frontal.jpg …",
        _tells,
        _cases,
        parts=3,
    ),
    has_masks=False,
    aliases=("chexpert_v1.0", "chexpert_v1.0_small", "chexlocalize"),
    findings=CHEXPERT14,
    test_positives={500: {}, 668: {}},
    licence="Stanford research use agreement: no commercial use, no redistribution",
    citation="Irvin et al., CheXpert: A Large Chest Radiograph Dataset with Uncertainty Labels and Expert "
    "Comparison, AAAI 2019",
    source="https://stanfordmlgroup.github.io/competitions/chexpert/",
)
