"""RSNA Pneumonia Detection: stage_2_train_labels.csv (a row per box) and stage_2_train_images/*.dcm.

Read from the owners' tables. torchxrayvision's class of this set does not read
stage_2_detailed_class_info.csv, which tells healthy images from those with another disease; only its copy of
the labels is used, where the folder has images and no table. The owners publish no labelled test part: all is
``test`` unless lists beside the table say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zerosight.data.chest.names import NO_FINDING
from zerosight.data.layouts.chest.images import key
from zerosight.data.layouts.chest.layout import ChestLayout
from zerosight.data.layouts.chest.tables import UNLISTED, find_files, find_table, has_table, read_lists
from zerosight.data.layouts.info import DatasetInfo, Scan, TableCase
from zerosight.data.layouts.tree import read_csv
from zerosight.errors import DataError

_TABLES = ("stage_2_train_labels.csv*", "stage_1_train_labels.csv*")
_CLASSES = ("stage_2_detailed_class_info.csv*", "stage_1_detailed_class_info.csv*")
_COLUMNS = ("patientid", "target")
_HEALTHY = {"normal": 1, "no lung opacity / not normal": 0, "lung opacity": 0}


def _tells(folder: Path) -> bool:
    return has_table(folder, _TABLES, _COLUMNS) or any(find_files(folder, ("stage_2_train_images/*.dcm",)))


def _cases(scan: Scan) -> Iterator[TableCase]:
    table = find_table(scan, _TABLES, _COLUMNS, "kaggle_stage_2_train_labels.csv.zip")
    splits = read_lists(scan.folder)
    healthy = _healthy(scan)
    targets: dict[str, int] = {}
    for line, row in read_csv(table, _COLUMNS):
        if row["target"] not in ("0", "1"):
            raise DataError(f"{table}:{line}: Target should be 0 or 1, got {row['target'][:80]!r}")
        targets[row["patientid"]] = max(targets.get(row["patientid"], 0), int(row["target"]))
    for name, target in targets.items():
        labels: dict[str, int | None] = {"pneumonia": target}
        if healthy:
            labels[NO_FINDING] = healthy.get(name)
        split = "test" if splits is None else splits.get(key(name), UNLISTED)
        yield TableCase(image=name, labels=labels, split=split, patient=name)


def _healthy(scan: Scan) -> dict[str, int]:
    """Return per image whether it shows no disease at all, where the owners' second table is there."""
    healthy = {}
    for table in list(find_files(scan.folder, _CLASSES))[:1]:
        for line, row in read_csv(table, ("patientid", "class")):
            kind = row["class"].casefold()
            if kind not in _HEALTHY:
                raise DataError(
                    f"{table}:{line}: class should be one of {', '.join(_HEALTHY)}, got {row['class'][:80]!r}"
                )
            healthy[row["patientid"]] = _HEALTHY[kind]
    return healthy


RSNA_INFO = DatasetInfo(
    name="rsna_pneumonia",
    categories=("frontal",),
    layout=ChestLayout(
        "stage_2_train_labels.csv with the columns patientId and Target beside stage_2_train_images/*.dcm; "
        "test_list.txt, where there is one, names the test images",
        _tells,
        _cases,
    ),
    has_masks=False,
    aliases=("rsna", "rsna_pneumonia_detection_challenge"),
    findings=("pneumonia", NO_FINDING),
    test_positives={5337: {"pneumonia": 1218}, 26684: {"pneumonia": 6012}},
    licence="see source",
    citation="Shih et al., Augmenting the National Institutes of Health Chest Radiograph Dataset with Expert "
    "Annotations of Possible Pneumonia, Radiology: Artificial Intelligence 2019",
    source="https://www.kaggle.com/c/rsna-pneumonia-detection-challenge",
)
