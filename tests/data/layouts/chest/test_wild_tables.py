"""Whatever a table holds, it is read or refused with an error of one line that names it."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.data.layouts import find_layout
from zerosight.data.layouts.info import Scan
from zerosight.errors import ZerosightError

CELLS = st.one_of(
    st.sampled_from(["", "1", "0", "-1", "a.png", "Edema|Mass", "['nodule']", "[[", "patient1", "x" * 99]),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=12),
)


@pytest.mark.parametrize(
    ("name", "table", "columns"),
    [
        ("chestxray14", "Data_Entry_2017.csv", ["Image Index", "Finding Labels", "Patient ID"]),
        (
            "chexpert",
            "train.csv",
            ["Path", "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion"],
        ),
        ("rsna_pneumonia", "stage_2_train_labels.csv", ["patientId", "Target"]),
        ("siim_pneumothorax", "train-rle.csv", ["ImageId", " EncodedPixels"]),
        ("padchest", "padchest.csv", ["ImageID", "PatientID", "Projection", "Report", "Labels"]),
        ("vindr_cxr", "image_labels_test.csv", ["image_id", "No finding", "Edema"]),
        ("vindr_cxr", "train.csv", ["image_id", "class_name", "rad_id"]),
        ("cxr_lt", "test_labeled_task1.csv", ["dicom_id", "subject_id", "fpath", "Normal", "Mass"]),
        ("findings_csv", "labels.csv", ["image", "findings", "split", "text"]),
        ("findings_csv", "labels.csv", ["image", "edema", "something"]),
    ],
)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_wild_rows_are_read_or_refused(
    name: str, table: str, columns: list[str], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(columns), max_size=len(columns)), max_size=4))
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "a.png").write_bytes(b"")
        (root / table).write_bytes(text.getvalue().encode())
        info = find_layout(name)
        scan = Scan(root, info)
        said = ""
        try:
            info.layout.read(scan)
        except ZerosightError as error:
            said = str(error)
        assert not said or table in said or "no table of images" in said
        assert "\n" not in said
        assert all(row.image == "a.png" for row in scan.rows)
