"""MIMIC-CXR: MIMIC-CXR-JPG's images and tables, and MIMIC-CXR's reports, as PhysioNet publishes them.

Read from the owners' tables. torchxrayvision's class of this set knows neither reports nor the official
split and keeps one image per patient unless told otherwise, and the package carries none of the tables; it is
not used. Labels are the study's (uncertain and blank stay unknown), and all its images share its report.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zerosight.data.chest.names import CHEXPERT14, canonical
from zerosight.data.layouts.chest.images import key, walk
from zerosight.data.layouts.chest.layout import MAX_TEXT, ChestLayout, note
from zerosight.data.layouts.chest.tables import find_files, find_table, has_table, mark, view_of
from zerosight.data.layouts.info import DatasetInfo, Scan, TableCase
from zerosight.data.layouts.tree import read_csv
from zerosight.errors import DataError

_BELOW = (
    "",
    "mimic-cxr-jpg*/",
    "mimic-cxr-jpg*/*/",
    "files/mimic-cxr-jpg*/*/",
    "physionet.org/files/mimic-cxr-jpg*/*/",
)
_SPLIT = tuple(f"{folder}mimic-cxr-2*-split.csv*" for folder in _BELOW)
_LABELS = tuple(f"{folder}mimic-cxr-2*-{name}.csv*" for name in ("chexpert", "negbio") for folder in _BELOW)
_VIEWS = tuple(f"{folder}mimic-cxr-2*-metadata.csv*" for folder in _BELOW)
_SPLIT_COLUMNS = ("dicom_id", "study_id", "subject_id", "split")
_LABEL_COLUMNS = ("subject_id", "study_id", "cardiomegaly")
_VIEW_COLUMNS = ("dicom_id", "viewposition")
_SPLITS = {"train": "train", "validate": "validation", "test": "test"}


def _tells(folder: Path) -> bool:
    return has_table(folder, _SPLIT, _SPLIT_COLUMNS)


def _cases(scan: Scan) -> Iterator[TableCase]:
    splits = find_table(scan, _SPLIT, _SPLIT_COLUMNS)
    labels = _labels(find_table(scan, _LABELS, _LABEL_COLUMNS))
    views = _views(scan)
    reports = {key(path.name): path for path in walk(scan.folder, (".txt",))}
    texts: dict[str, str | None] = {}
    for line, row in read_csv(splits, _SPLIT_COLUMNS):
        if row["split"] not in _SPLITS:
            raise DataError(
                f"{splits}:{line}: split should be one of {', '.join(_SPLITS)}, got {row['split'][:80]!r}"
            )
        study, patient = row["study_id"], row["subject_id"]
        if study not in texts:
            texts[study] = _report(reports.get(f"s{study}.txt"))
        yield TableCase(
            image=f"p{patient[:2]}/p{patient}/s{study}/{row['dicom_id']}.jpg",
            labels=labels.get(study) or dict.fromkeys(CHEXPERT14),
            split=_SPLITS[row["split"]],
            patient=patient,
            text=texts[study],
            view=views.get(row["dicom_id"], "other"),
        )
    note(scan, "study without a report", [f"s{study}" for study, text in texts.items() if text is None])
    note(scan, "study without labels", [f"s{study}" for study in texts if study not in labels])


def _labels(table: Path) -> dict[str, dict[str, int | None]]:
    """Return the labels of every study."""
    studies = {}
    for line, row in read_csv(table, _LABEL_COLUMNS):
        named = {canonical(column): (column, value) for column, value in row.items()}
        studies[row["study_id"]] = {
            name: mark(f"{table}:{line}", *named[name]) for name in CHEXPERT14 if name in named
        }
    return studies


def _views(scan: Scan) -> dict[str, str]:
    """Return the view of every image, where the table of them is there."""
    if not any(find_files(scan.folder, _VIEWS)):
        scan.problems.append("no mimic-cxr-2.0.0-metadata.csv: views are not known; the category is 'other'")
        return {}
    table = find_table(scan, _VIEWS, _VIEW_COLUMNS)
    return {row["dicom_id"]: view_of(row["viewposition"]) for _, row in read_csv(table, _VIEW_COLUMNS)}


def _report(path: Path | None) -> str | None:
    """Return a report as it was written, its bytes that are no UTF-8 replaced; None where there is none."""
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return file.read(MAX_TEXT + 1).strip() or None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


MIMIC_INFO = DatasetInfo(
    name="mimic_cxr",
    categories=("frontal", "lateral", "other"),
    layout=ChestLayout(
        "mimic-cxr-2.0.0-split.csv and mimic-cxr-2.0.0-chexpert.csv (here or in mimic-cxr-jpg/2.0.0; packed "
        "or not), mimic-cxr-2.0.0-metadata.csv for the views, p10/p10000032/s50414267/*.jpg, and the reports "
        "p10/p10000032/s50414267.txt somewhere below",
        _tells,
        _cases,
    ),
    has_masks=False,
    aliases=("mimic", "mimic_cxr_jpg"),
    findings=CHEXPERT14,
    test_positives={5159: {}},
    has_reports=True,
    licence="PhysioNet credentialed health data licence 1.5.0",
    citation="Johnson et al., MIMIC-CXR, a de-identified publicly available database of chest radiographs "
    "with free-text reports, Scientific Data 2019",
    source="https://physionet.org/content/mimic-cxr-jpg/2.1.0/",
)
