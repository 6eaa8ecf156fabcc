"""ChestX-ray14 (NIH): Data_Entry_2017*.csv, test_list.txt and train_val_list.txt, images_*/images/*.png.

Read from the owners' table and lists. torchxrayvision's class of this set knows no official split, keeps only
PA images of one image per patient unless told otherwise, and nothing at all with ``views=None``; only its
copy of the table is used, where the folder has images and no table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zerosight.data.chest.names import CHESTXRAY14, NO_FINDING
from zerosight.data.layouts.chest.images import key
from zerosight.data.layouts.chest.layout import ChestLayout
from zerosight.data.layouts.chest.tables import (
    UNLISTED,
    find_files,
    find_table,
    has_table,
    present,
    read_lists,
)
from zerosight.data.layouts.info import DatasetInfo, Scan, TableCase
from zerosight.data.layouts.tree import read_csv

_TABLES = ("data_entry_2017_v2020.csv*", "data_entry_2017*.csv*")
_IMAGES = ("[0-9]" * 8 + "_[0-9][0-9][0-9].png",)
_COLUMNS = ("image index", "finding labels", "patient id")
_POSITIVES = (3279, 1069, 4658, 6112, 1748, 1623, 555, 2665, 1815, 925, 1093, 435, 1143, 86)


def _tells(folder: Path) -> bool:
    images = (*_IMAGES, f"images/{_IMAGES[0]}", f"images_*/images/{_IMAGES[0]}")
    return has_table(folder, _TABLES, _COLUMNS) or any(find_files(folder, images))


def _cases(scan: Scan) -> Iterator[TableCase]:
    table = find_table(scan, _TABLES, _COLUMNS, "Data_Entry_2017_v2020.csv.gz")
    splits = read_lists(scan.folder)
    if splits is None:
        scan.problems.append(f"no test_list.txt: the split of all images is {UNLISTED!r}")
    for line, row in read_csv(table, _COLUMNS):
        labels = present(f"{table}:{line}", row["finding labels"].split("|"), (*CHESTXRAY14, NO_FINDING))
        yield TableCase(
            image=row["image index"],
            labels=labels,
            split=(splits or {}).get(key(row["image index"]), UNLISTED),
            patient=row["patient id"],
        )


CHESTXRAY14_INFO = DatasetInfo(
    name="chestxray14",
    categories=("frontal",),
    layout=ChestLayout(
        "Data_Entry_2017*.csv with the columns Image Index, Finding Labels and Patient ID beside "
        "test_list.txt, train_val_list.txt and images_001/images/00000001_000.png …",
        _tells,
        _cases,
    ),
    has_masks=False,
    aliases=("nih", "nih_chest_xrays", "chestx_ray14", "chest_xray14", "cxr8", "chestxray_nihcc"),
    findings=(*CHESTXRAY14, NO_FINDING),
    test_positives={25596: dict(zip(CHESTXRAY14, _POSITIVES, strict=True))},
    licence="no restriction on use; name the source and cite",
    citation="Wang et al., ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks on "
    "Weakly-Supervised Classification and Localization of Common Thorax Diseases, CVPR 2017",
    source="https://nihcc.app.box.com/v/ChestXray-NIHCC",
)
