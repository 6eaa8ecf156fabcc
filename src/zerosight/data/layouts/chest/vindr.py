"""VinDr-CXR: what three radiologists each say of an image, and a consensus for the test part; DICOM files.

Read from the owners' tables, PhysioNet's image_labels_train.csv and image_labels_test.csv or Kaggle's
train.csv of boxes. A finding is present where more than half of an image's readers say so, absent where fewer
do, unknown in between. torchxrayvision's class of this set takes one reader's word and leaves out a third of
PhysioNet's findings; only its copy of Kaggle's table is used, where the folder has images and no table. The
tables name no patients.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from zerosight.data.chest.names import NO_FINDING, canonical
from zerosight.data.layouts.chest.layout import ChestLayout
from zerosight.data.layouts.chest.tables import find_files, find_table, has_table, mark
from zerosight.data.layouts.info import DatasetInfo, Scan, TableCase
from zerosight.data.layouts.tree import read_csv
from zerosight.errors import DataError, did_you_mean

_VOTES = {
    "train": ("annotations/image_labels_train.csv*", "image_labels_train.csv*"),
    "test": ("annotations/image_labels_test.csv*", "image_labels_test.csv*"),
}
_BOXES = ("train.csv*",)
_VOTE_COLUMNS = ("image_id", "no finding")
_BOX_COLUMNS = ("image_id", "class_name", "rad_id")
_KAGGLE = (
    *("aortic enlargement", "atelectasis", "calcification", "cardiomegaly", "consolidation", "ild"),
    *("infiltration", "lung opacity", "nodule/mass", "other lesion", "pleural effusion"),
    *("pleural thickening", "pneumothorax", "fibrosis", NO_FINDING),
)
_FINDINGS = (
    *_KAGGLE[:-1],
    *("clavicle fracture", "edema", "emphysema", "enlarged pa", "lung cavity", "lung cyst"),
    *("mediastinal shift", "rib fracture", "copd", "lung tumor", "pneumonia", "tuberculosis"),
    *("other diseases", NO_FINDING),
)
_Votes = dict[str, list[dict[str, int | None]]]
"""Per image what each reader says of each finding."""
_SPELT = {"other disease": "other diseases"}


def _tells(folder: Path) -> bool:
    votes = any(has_table(folder, patterns, _VOTE_COLUMNS) for patterns in _VOTES.values())
    image = "[0-9a-f]" * 32 + ".dicom"
    return (
        votes
        or has_table(folder, _BOXES, _BOX_COLUMNS)
        or any(find_files(folder, (f"train/{image}", f"test/{image}", image)))
    )


def _cases(scan: Scan) -> Iterator[TableCase]:
    found = False
    for split, patterns in _VOTES.items():
        if has_table(scan.folder, patterns, _VOTE_COLUMNS):
            found = True
            yield from _count(_votes(find_table(scan, patterns, _VOTE_COLUMNS)), split)
    if not found:
        table = find_table(scan, _BOXES, _BOX_COLUMNS, "vinbigdata-train.csv.gz")
        yield from _count(_boxes(table), "train")


def _votes(table: Path) -> _Votes:
    """Return the votes of a table with a row per image and reader and a column per finding."""
    votes: _Votes = defaultdict(list)
    for line, row in read_csv(table, _VOTE_COLUMNS):
        names = {name: _SPELT.get(canonical(name), canonical(name)) for name in row}
        values = {
            names[name]: mark(f"{table}:{line}", name, cell)
            for name, cell in row.items()
            if names[name] in _FINDINGS
        }
        votes[row["image_id"]].append(values)
    return votes


def _boxes(table: Path) -> _Votes:
    """Return the votes of a table with a row per image, reader and box."""
    said: dict[tuple[str, str], set[str]] = defaultdict(set)
    for line, row in read_csv(table, _BOX_COLUMNS):
        name = canonical(row["class_name"])
        if name not in _KAGGLE:
            hint = did_you_mean(name, _KAGGLE)
            raise DataError(f"{table}:{line}: class_name {row['class_name'][:80]!r} is not known{hint}")
        said[row["image_id"], row["rad_id"]].add(name)
    votes: _Votes = defaultdict(list)
    for (image, _), names in said.items():
        votes[image].append({name: int(name in names) for name in _KAGGLE})
    return votes


def _count(votes: _Votes, split: str) -> Iterator[TableCase]:
    """Yield the cases that the votes decide."""
    for image, readers in votes.items():
        labels: dict[str, int | None] = {}
        for name in (name for name in _FINDINGS if name in readers[0]):
            given = [value for reader in readers if (value := reader.get(name)) is not None]
            share = sum(given) / len(given) if given else 0.5
            labels[name] = None if share == 0.5 else int(share > 0.5)
        yield TableCase(f"{split}/{image}", labels, split)


VINDR_INFO = DatasetInfo(
    name="vindr_cxr",
    categories=("frontal",),
    layout=ChestLayout(
        "annotations/image_labels_train.csv and image_labels_test.csv with the columns image_id, rad_id and "
        "one per finding, or train.csv with image_id, class_name and rad_id, beside train/ID.dicom and "
        "test/ID.dicom",
        _tells,
        _cases,
    ),
    has_masks=False,
    aliases=("vindr", "vinbigdata", "vinbigdata_chest_xray_abnormalities_detection"),
    findings=_FINDINGS,
    test_positives={3000: {}},
    licence="PhysioNet credentialed health data licence 1.5.0",
    citation="Nguyen et al., VinDr-CXR: An open dataset of chest X-rays with radiologist's annotations, "
    "Scientific Data 2022",
    source="https://physionet.org/content/vindr-cxr/1.0.0/",
)
