"""DICOM results: what they refer to, what they say, what they leave out, and that others read them."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from dicom_originals import GRID, PHOTO, found_in, original
from pydicom import dcmread

from zerosight.data.find import find_images
from zerosight.errors import ConfigError, ImageReadError
from zerosight.report.dicom.origin import PATIENT, Pseudonyms, read_origin
from zerosight.report.dicom.picture import NOTICE, draw_capture
from zerosight.report.dicom.results import DicomResults, dicom_kinds
from zerosight.report.dicom.structured import outlines
from zerosight.report.findings import FindingFormat, parse_finding_row
from zerosight.report.findings_html import write_finding_report
from zerosight.report.writer import ResultWriter
from zerosight.types import FindingPrediction

SECRETS = ("Müller", "4711-secret", "19500101", "20200102", "Hospital X", "Secret Street")
SETTINGS = {"weights": "0123abcd", "maps": "contrast"}


def objects_of(path: Path, out: Path, result: FindingPrediction | None = None, **how: Any) -> dict[str, Path]:
    """Write the results of one image, and return its DICOM files by kind."""
    documents = DicomResults(("sc", "sr"), "radz-tiny", SETTINGS, **how)
    found = result or found_in(path)
    with ResultWriter(out, format=FindingFormat([f.name for f in found.findings], documents)) as writer:
        writer.add(found, PHOTO)
    row = parse_finding_row((out / "predictions.jsonl").read_bytes().splitlines()[0])
    return {kind: out / file for kind, file in row.files.items() if kind.startswith("dicom ")}


def test_captures_and_report_refer_to_the_original_and_say_what_was_found(tmp_path):
    data = original(tmp_path / "x.dcm")
    files = objects_of(tmp_path / "x.dcm", tmp_path / "out")
    assert list(files) == ["dicom sc 1", "dicom sc 2", "dicom sr"]
    captures = [dcmread(files[kind]) for kind in ("dicom sc 1", "dicom sc 2")]
    assert [capture.InstanceNumber for capture in captures] == [1, 2]
    assert len({capture.SeriesInstanceUID for capture in captures}) == 1
    for one in captures:
        assert one.StudyInstanceUID == data.StudyInstanceUID
        assert one.SourceImageSequence[0].ReferencedSOPInstanceUID == data.SOPInstanceUID
        assert {key: str(one[key].value) for key in PATIENT} == {key: str(data[key].value) for key in PATIENT}
        assert tuple(one.pixel_array[0, 0]) == (176, 0, 32)  # the strip of the notice
        assert "PixelSpacing" not in one
    report = hd.sr.srread(files["dicom sr"])
    assert report.PatientName == "Müller^Jörg"
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0]
    assert evidence.StudyInstanceUID == data.StudyInstanceUID
    groups = report.content.get_image_measurement_groups()
    assert [group.finding_type.meaning for group in groups][:2] == ["Pleural effusion", "pneumonia"]
    assert groups[0].finding_type.value == "60046008"
    assert [number.value for number in groups[0].get_measurements()] == [75, 50]
    assert [one.value.meaning for one in groups[2].get_qualitative_evaluations()] == ["Absent"]
    regions = report.content.get_planar_roi_measurement_groups()
    assert [region.get_measurements()[0].value for region in regions[:2]] == [90, 60]
    points = np.asarray(regions[0].roi.value)
    assert np.allclose([*points.min(0), *points.max(0)], [20, 10, 50, 30], atol=0.5)
    words = files["dicom sr"].read_bytes().decode("utf-8", "replace")
    assert all(text in words for text in (NOTICE, "Drawn only.", "anchors=train-only", "weights=0123abcd"))
    written = b"".join(file.read_bytes() for file in files.values()).decode("utf-8", "replace")
    assert not any(word in written for word in SECRETS[4:])


def test_deidentified_objects_hold_nothing_of_the_patient(tmp_path):
    data = original(tmp_path / "x.dcm")
    files = objects_of(tmp_path / "x.dcm", tmp_path / "out", deidentify=True)
    written = b"".join(file.read_bytes() for file in files.values()).decode("utf-8", "replace")
    old = (data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID)
    assert not any(word in written for word in (*SECRETS, "Doc^Tor", "070Y", *old))
    report, capture = dcmread(files["dicom sr"]), dcmread(files["dicom sc 1"])
    assert report.StudyInstanceUID == capture.StudyInstanceUID
    assert (report.PatientIdentityRemoved, capture.PatientIdentityRemoved) == ("YES", "YES")
    origin = read_origin(tmp_path / "x.dcm")
    assert origin is not None
    names, others = Pseudonyms(), Pseudonyms()
    same = [names.apply(origin).dataset.StudyInstanceUID for _ in range(2)]
    assert same[0] == same[1] != others.apply(origin).dataset.StudyInstanceUID


@pytest.mark.parametrize("deidentify", [False, True], ids=["named", "deidentified"])
def test_dciodvfy_finds_no_error(tmp_path, deidentify):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: dicom3tools)")
    original(tmp_path / "x.dcm")
    for file in objects_of(tmp_path / "x.dcm", tmp_path / "out", deidentify=deidentify).values():
        said = subprocess.run(["dciodvfy", file], capture_output=True, text=True, check=False).stderr
        lines = [line for line in said.splitlines() if line.startswith(("Error", "Warning"))]
        fine = ("99ZEROSIGHT", "to build DICOMDIR")  # our own names; a study without a date
        assert [line for line in lines if not any(word in line for word in fine)] == []


def test_what_cannot_be_referred_to_or_shown_is_counted(tmp_path):
    documents = DicomResults(("sc", "sr"), "m", {}, deidentify=True)
    PHOTO.save(tmp_path / "a.png")
    assert documents.files(found_in(tmp_path / "a.png"), PHOTO) == {}
    original(tmp_path / "b.dcm", StudyInstanceUID="")
    assert documents.files(found_in(tmp_path / "b.dcm"), PHOTO) == {}
    original(tmp_path / "c.dcm", BurnedInAnnotation="YES")
    assert list(documents.files(found_in(tmp_path / "c.dcm"), PHOTO)) == ["dicom sr"]
    assert documents.left_out == {
        "that are no DICOM files": 1,
        "without the UIDs of a study": 1,
        "whose pixels show the patient (no picture of them)": 1,
    }
    with pytest.raises(ImageReadError, match="is no DICOM file"):
        read_origin(tmp_path / "a.png")


def test_values_against_the_standard_are_left_empty(tmp_path):
    original(tmp_path / "x.dcm")
    bad = dcmread(tmp_path / "x.dcm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of what is wrong on purpose
        bad.PatientID, bad.PatientSex, bad.PatientOrientation = "9" * 900, "W", []
        bad.PatientBirthDate, bad.StudyTime = "20201399", "996161"
        bad.save_as(tmp_path / "bad.dcm")
    origin = read_origin(tmp_path / "bad.dcm")
    assert origin is not None
    assert (origin.dataset.PatientID, origin.dataset.PatientSex, origin.orientation) == ("", "", None)
    assert (origin.dataset.PatientBirthDate, origin.dataset.StudyTime) == ("", "")
    assert origin.dataset.StudyDate == "20200102"
    capture = dcmread(objects_of(tmp_path / "bad.dcm", tmp_path / "out")["dicom sc 1"])
    assert (capture.PatientID, capture.PatientOrientation or "") == ("", "")


def test_of_an_unfamiliar_image_no_finding_is_reported(tmp_path):
    original(tmp_path / "x.dcm")
    result = found_in(tmp_path / "x.dcm", is_familiar=False)
    files = objects_of(tmp_path / "x.dcm", tmp_path / "out", result)
    assert list(files) == ["dicom sc 1", "dicom sr"]
    report = hd.sr.srread(files["dicom sr"])
    [group] = report.content.get_image_measurement_groups()
    assert group.get_qualitative_evaluations()[0].value.value == "unlike"
    words = files["dicom sr"].read_bytes()
    assert b"unlike anything this model was trained on" in words
    assert b"pneumonia" not in words
    assert np.array_equal(draw_capture(result, PHOTO, "m"), draw_capture(result, PHOTO, "m"))


def test_page_links_objects_and_the_folder_is_no_input(tmp_path):
    original(tmp_path / "x.dcm")
    out = tmp_path / "out"
    objects_of(tmp_path / "x.dcm", out)
    page = write_finding_report(out, "t", {"name": "m"}, None).read_text()
    assert 'href="dicom/sr/x.dcm"' in page
    assert 'data-map="dicom' not in page
    assert not [path for path in find_images([tmp_path]) if "out" in path.parts]


def test_outlines_are_closed_scaled_and_leave_out_specks():
    found = outlines(GRID, scale=(2.0, 2.0))
    assert [round(peak, 1) for _, peak in found] == [0.9, 0.6]
    points = found[0][0]
    assert np.array_equal(points[0], points[-1])
    assert np.allclose(points.max(0), [100, 60], atol=1)
    assert outlines(np.zeros((5, 5), np.float32)) == []
    speck = np.zeros((100, 100), np.float32)
    speck[3, 3] = 1
    assert outlines(speck) == []


@pytest.mark.parametrize(("text", "why"), [("sx", "is not known"), (" , ", "names nothing")])
def test_unknown_kinds_are_refused(text, why):
    with pytest.raises(ConfigError, match=why):
        dicom_kinds(text)
