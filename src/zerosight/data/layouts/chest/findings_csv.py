"""Any folder of images with a table: a row per image, its findings in one column or a column per finding.

Columns go by their usual names (image, filename, Image Index …; findings, labels …; patient, subject_id …;
text, report …; split; view). Findings in one cell are joined by a bar or a semicolon, or by commas where
there is neither; a finding that other rows name and this one does not is absent, and a blank or ``unknown``
cell says nothing. A column per finding holds 1, 0, -1 (uncertain) or blank.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zerosight.data.chest.names import FINDINGS, canonical
from zerosight.data.layouts.chest.layout import ChestLayout
from zerosight.data.layouts.chest.tables import find_files, mark, view_of
from zerosight.data.layouts.info import DatasetInfo, Scan, TableCase
from zerosight.data.layouts.tree import read_csv
from zerosight.errors import DataError

_TABLES = ("labels.csv*", "metadata.csv*", "findings.csv*", "*.csv", "*.csv.gz")
_COLUMNS = {
    "image": (
        *("image", "image_path", "image_file", "image index", "image_name", "image_id", "imageid"),
        *("filename", "file_name", "file", "path", "dicom", "dicom_id"),
    ),
    "findings": (
        *("findings", "finding", "finding labels", "finding_labels", "labels", "label"),
        *("pathologies", "pathology", "diseases", "disease", "diagnosis"),
    ),
    "patient": ("patient", "patient_id", "patientid", "patient id", "subject", "subject_id", "subjectid"),
    "text": ("text", "report", "reports", "clinical_notes", "notes", "caption"),
    "split": ("split", "subset", "part"),
    "view": ("view", "view position", "view_position", "viewposition", "projection", "frontal/lateral"),
}
_SPLITS = {"training": "train", "testing": "test"} | dict.fromkeys(("val", "valid", "validate"), "validation")
_UNKNOWN = {"", "unknown", "todo", "nan", "none given", "n/a"}
_ABOUT = {"sex", "gender", "male", "female", "age", "smoker", "height", "weight", "index", "id"}
"""Columns about the patient that may hold nothing but 0 and 1."""
_MARKS = {"", "0", "1", "-1", "0.0", "1.0", "-1.0"}
MAX_NAME = 60
"""Longest name of a finding; longer ones are free text."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How one table is to be read.

    Attributes:
        columns: The column of each role that the table has.
        marks: Columns that are findings, by their canonical names.
    """

    columns: Mapping[str, str]
    marks: Mapping[str, str]


def _tells(folder: Path) -> bool:
    return any(_form(path) is not None for path in find_files(folder, _TABLES))


def _cases(scan: Scan) -> Iterator[TableCase]:
    for table in find_files(scan.folder, _TABLES):
        form = _form(table)
        if form is not None:
            break
    else:
        raise DataError(
            f"{scan.folder}: no table of images and findings; looked for {FINDINGS_CSV.layout.looks_for}"
        )
    image = form.columns["image"]
    known = _vocabulary(table, form)
    for line, row in read_csv(table, (image,)):
        where = f"{table}:{line}"
        if not row[image]:
            raise DataError(f"{where}: column {image!r} is blank; name the row's image")
        cells = {role: row[column] for role, column in form.columns.items()}
        split = cells.get("split", "").lower() or "test"
        yield TableCase(
            image=row[image],
            labels=_labels(where, row, form, known),
            split=_SPLITS.get(split, split),
            patient=cells.get("patient") or None,
            text=cells.get("text") or None,
            view=view_of(cells["view"]) if "view" in cells else "frontal",
        )


def _form(table: Path) -> _Form | None:
    """Return how to read a table, or None where it names no images or no findings.

    Raises:
        DataError: It names images, but a row is not as wide as its header or no text.
    """
    try:
        header = tuple(next(read_csv(table, ()), (0, dict[str, str]()))[1])
    except DataError:
        return None
    there = ((role, [name for name in names if name in header]) for role, names in _COLUMNS.items())
    columns = {role: names[0] for role, names in there if names}
    if "image" not in columns or "findings" in columns:
        return _Form(columns, {}) if "image" in columns else None
    marks = _mark_columns(table, [name for name in header if name not in columns.values()])
    return _Form(columns, marks) if marks else None


def _mark_columns(table: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the columns that are findings: known ones, and others that hold nothing but marks."""
    plain = dict.fromkeys(names, False)  # whether any value was seen
    for _, row in read_csv(table, ()):
        for name in list(plain):
            if row[name] not in _MARKS:
                del plain[name]
            elif row[name]:
                plain[name] = True
    return {
        name: canonical(name)
        for name in names
        if canonical(name) in FINDINGS
        or (plain.get(name) and name not in _ABOUT and not name.startswith("unnamed"))
    }


def _vocabulary(table: Path, form: _Form) -> tuple[str, ...]:
    """Return all findings of a table, the known ones first, in the order of the field's tables."""
    found = set(form.marks.values())
    if not form.marks:
        for line, row in read_csv(table, ()):
            found.update(_names(f"{table}:{line}", row[form.columns["findings"]]))
    order = {name: position for position, name in enumerate(FINDINGS)}
    return tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))


def _labels(where: str, row: Mapping[str, str], form: _Form, known: Sequence[str]) -> dict[str, int | None]:
    """Return the labels of one row."""
    if form.marks:
        given = {name: mark(where, column, row[column]) for column, name in form.marks.items()}
        return {name: given[name] for name in known}
    named = _names(where, row[form.columns["findings"]])
    return {name: int(name in named) if named else None for name in known}


def _names(where: str, cell: str) -> set[str]:
    """Return the findings that a cell names; none where it says nothing."""
    parts = re.split(r"[|;]", cell) if re.search(r"[|;]", cell) else cell.split(",")
    names = {canonical(part) for part in parts} - _UNKNOWN
    for name in names:
        if len(name) > MAX_NAME or not any(letter.isalpha() for letter in name):
            raise DataError(
                f"{where}: findings should be names joined by '|', got {name[:40]!r}; "
                "values of 0 and 1 belong in a column named after its finding"
            )
    return names


FINDINGS_CSV = DatasetInfo(
    name="findings_csv",
    categories=("frontal", "lateral", "other"),
    layout=ChestLayout(
        "a table such as labels.csv with a column image (or filename, path …) and either findings joined by "
        "'|' or a column of 1, 0, -1 and blank per finding, if you like also patient, text, split and view; "
        "images somewhere below",
        _tells,
        _cases,
    ),
    has_masks=False,
    findings=(),
    licence="",
)
