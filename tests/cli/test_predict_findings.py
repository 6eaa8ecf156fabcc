"""predict with a model of findings: PNG, JPEG and DICOM in, lines, table, maps and a page out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from zerosight.backbones.mllm.adapters import adapt
from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.models.card import save_card
from zerosight.models.catalog import card_of
from zerosight.models.llava_radz.card import MapMeasures, MapRecord, RadzCard
from zerosight.models.llava_radz.folder import save_model
from zerosight.models.llava_radz.model import LlavaRadz

LABELS = "pneumonia, pleural effusion, no finding"
SECRET = "Doe^Jane"


@pytest.fixture(scope="module")
def radz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mllm = adapt(random_mllm())
    folder = tmp_path_factory.mktemp("models") / "radz"
    card = RadzCard(name="tiny-radz", mllm=mllm.config, trained_on=("pneumonia",))
    save_model(LlavaRadz(mllm), card, folder)
    return folder


@pytest.fixture
def chests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a PNG, a JPEG, a DICOM file of a named patient, and a broken file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "chests"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 30)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(pixels).save(folder / "b.jpg")
    (folder / "d.png").write_bytes(b"")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    scan = Dataset()
    scan.file_meta = meta
    scan.SOPClassUID, scan.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    scan.PatientName, scan.PatientID = SECRET, "4711-secret"
    scan.Rows, scan.Columns = pixels.shape
    scan.SamplesPerPixel, scan.PhotometricInterpretation = 1, "MONOCHROME1"
    scan.BitsAllocated, scan.BitsStored, scan.HighBit, scan.PixelRepresentation = 16, 12, 11, 0
    scan.PixelData = (pixels.astype(np.uint16) * 16).tobytes()
    scan.save_as(folder / "c.dcm", enforce_file_format=True)
    return folder


def test_lines_table_maps_and_page_without_patient_data(run, radz, chests, tmp_path):
    out = tmp_path / "results"
    words = ("predict", chests, "--model", radz, "--labels", LABELS, "--out", out, "--all-maps")
    status, _, messages = run(*words)
    assert status == 0
    assert "3 images scored, 1 could not be read; anchors target-aware" in messages
    assert "not for diagnosis" in messages
    assert f"results: {out / 'report.html'}" in messages
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    scored = [row for row in rows if "findings" in row]
    assert {Path(row["source"]).name for row in scored} == {"a.png", "b.jpg", "c.dcm"}
    assert all({f["name"] for f in row["findings"]} == set(LABELS.split(", ")) for row in scored)
    assert (out / "report.html").stat().st_size > 5_000
    assert list(out.glob("maps/pneumonia/*.png"))
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert b"Doe" not in written
    assert b"4711-secret" not in written
    assert SECRET not in messages
    status, _, messages = run(*words)
    assert (status, "resume or overwrite" in messages) == (1, True)
    status, _, messages = run(*words, "--resume")
    assert status == 1  # nothing new could be scored, and one file is still broken
    status, _, messages = run(*words[:-1], "--resume")
    assert (status, "was begun with another maps" in messages) == (1, True)
    status, _, messages = run(*words[:5], "pneumonia", "--out", out, "--resume")
    assert "was begun with another anchors, labels" in messages


def test_findings_whose_maps_point_nowhere_are_told(run, radz, chests, tmp_path):
    poor = MapMeasures(maps=20, auroc=0.6, prior=0.8)
    record = MapRecord(auroc=0.9, prior=0.8, findings={"pneumonia": poor}, source="a test")
    shutil.copytree(radz, tmp_path / "radz")
    save_card(card_of(radz).model_copy(update={"maps": record}), tmp_path / "radz")
    words = ("predict", chests / "a.png", "--model", tmp_path / "radz", "--labels", LABELS)
    status, _, messages = run(*words, "--threshold", 0, "--out", tmp_path / "out")
    assert status == 0
    assert "no map of pneumonia: it points no better than the average place" in " ".join(messages.split())
    assert not (tmp_path / "out" / "maps" / "pneumonia").exists()
    assert list(tmp_path.glob("out/maps/pleural*/*.png"))
    status, _, messages = run(*words, "--threshold", 0, "--out", tmp_path / "all", "--all-maps")
    assert (status, "no map of" in messages) == (0, False)
    assert list((tmp_path / "all" / "maps" / "pneumonia").glob("*.png"))


def test_json_lines_and_other_modes(run, radz, chests):
    words = ("predict", chests / "a.png", "--model", radz, "--labels", "edema", "--mode", "cosine", "--json")
    status, out, _ = run(*words)
    found = json.loads(out)
    assert (status, found["mode"], found["provenance"]) == (0, "cosine", "train-only")
    assert -1 <= found["findings"][0]["score"] <= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--labels", "pneumonnia"), "did you mean 'pneumonia'"),
        (("--labels", ""), "finding"),
        (("--precision", "fast"), "--precision: means nothing to a model of findings"),
        (("--overlap", "0.5"), "--overlap: means nothing to a model of findings"),
        (("--normals", "good"), "--normals: means nothing to a model of findings"),
        (("--labels", "edema", "--tile", "64"), "--tile: means nothing"),
        (("--runtime", "onnx"), "--runtime: means nothing to a model of findings"),
    ],
)
def test_mistakes_are_one_line(run, radz, chests, words, said):
    status, _, messages = run("predict", chests / "a.png", "--model", radz, *words)
    assert status == 1
    assert messages.startswith("error: ")
    assert said in messages
    assert messages.count("\n") == 1


def test_labels_mean_nothing_to_a_model_of_anomalies(run, model_folder, chests):
    status, _, messages = run("predict", chests / "a.png", "--model", model_folder, "--labels", "edema")
    assert (status, "--labels: means nothing" in messages) == (1, True)


@pytest.mark.parametrize("words", [("--map", "joint"), ("--all-maps",), ("--no-maps",)])
def test_maps_of_findings_mean_nothing_to_it_either(run, model_folder, chests, words):
    status, _, messages = run("predict", chests / "a.png", "--model", model_folder, *words)
    assert (status, f"{words[0]}: means nothing to a model of anomalies" in messages) == (1, True)


def test_dicom_results_of_dicom_images_only(run, radz, chests, tmp_path):
    words = ("predict", chests, "--model", radz, "--labels", LABELS, "--dicom", "sc,sr")
    scan = dcmread(chests / "c.dcm")
    scan.StudyInstanceUID, scan.SeriesInstanceUID = generate_uid(), generate_uid()
    scan.save_as(chests / "c.dcm")
    status, _, messages = run(*words, "--deidentify", "--out", tmp_path / "results")
    assert status == 0
    assert "no DICOM results for 2 images that are no DICOM files" in messages
    found = {path.parent.name: path for path in (tmp_path / "results").rglob("*.dcm")}
    assert {path.name for path in found.values()} == {"c.dcm"}
    assert found.keys() >= {"sc-1", "sr"}
    assert not any(b"4711-secret" in path.read_bytes() for path in found.values())
    status, _, messages = run("predict", chests / "a.png", *words[2:], "--out", tmp_path / "other")
    assert (status, "none of the images is a DICOM file" in messages) == (1, True)
    status, _, messages = run(*words, "--json")
    assert (status, "give --out" in messages) == (1, True)
    status, _, messages = run(*words[:-2], "--deidentify", "--out", tmp_path / "other")
    assert (status, "ask for them with --dicom" in messages) == (1, True)
