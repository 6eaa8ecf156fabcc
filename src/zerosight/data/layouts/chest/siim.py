"""SIIM-ACR Pneumothorax: a table of run-length codes (-1 is none) and a tree of DICOM files named by UID.

Read from the owners' table. torchxrayvision's class of this set yields an image once per code, so images with
several count several times; only its copy of the table is used, where the folder has images and no table. The
table names no patients, and the owners publish no labelled test part: all is ``test`` unless lists beside the
table say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zerosight.data.layouts.chest.images import key
from zerosight.data.layouts.chest.layout import ChestLayout
from zerosight.data.layouts.chest.tables import UNLISTED, find_files, find_table, has_table, read_lists
from zerosight.data.layouts.info import DatasetInfo, Scan, TableCase
from zerosight.data.layouts.tree import read_csv
from zerosight.errors import DataError

_TABLES = ("stage_2_train.csv*", "train-rle.csv*", "*train-rle.csv*")
_COLUMNS = ("imageid", "encodedpixels")


def _tells(folder: Path) -> bool:
    images = ("dicom-images-train/*/*/1.2.276.*.dcm", "1.2.276.*.dcm")
    return has_table(folder, _TABLES, _COLUMNS) or any(find_files(folder, images))


def _cases(scan: Scan) -> Iterator[TableCase]:
    table = find_table(scan, _TABLES, _COLUMNS, "siim-pneumothorax-train-rle.csv.gz")
    splits = read_lists(scan.folder)
    found: dict[str, int] = {}
    for line, row in read_csv(table, _COLUMNS):
        code = row["encodedpixels"]
        if code != "-1" and not code.replace(" ", "").isdecimal():
            raise DataError(
                f"{table}:{line}: EncodedPixels should be -1 or a run-length code, got {code[:80]!r}"
            )
        found[row["imageid"]] = max(found.get(row["imageid"], 0), int(code != "-1"))
    for name, value in found.items():
        split = "test" if splits is None else splits.get(key(name), UNLISTED)
        yield TableCase(image=name, labels={"pneumothorax": value}, split=split)


SIIM_INFO = DatasetInfo(
    name="siim_pneumothorax",
    categories=("frontal",),
    layout=ChestLayout(
        "stage_2_train.csv or train-rle.csv with the columns ImageId and EncodedPixels beside "
        "dicom-images-train/…/UID.dcm; test_list.txt, where there is one, names the test images",
        _tells,
        _cases,
    ),
    has_masks=False,
    aliases=("siim", "siim_acr_pneumothorax", "siim_acr_pneumothorax_segmentation"),
    findings=("pneumothorax",),
    test_positives={2317: {"pneumothorax": 647}, 12047: {"pneumothorax": 2669}},
    licence="see source",
    citation="Zawacki et al., SIIM-ACR Pneumothorax Segmentation, Kaggle 2019",
    source="https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation",
)
