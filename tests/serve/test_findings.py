"""Findings in chest images over HTTP, in the form of ``/v1`` and of the Open Inference Protocol."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from zerosight.serve.answers import FindingPredictions
from zerosight.serve.app import create_server
from zerosight.serve.tensors import InferAnswer

SECRET = "DOE^JANE"
INFER = "/v2/models/chest/infer"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chest")


@pytest.fixture(scope="module")
def chest(folder: Path, settings_of: Callable[..., Any], command: Any) -> Iterator[TestClient]:
    """Return a client of a server that keeps what it may keep."""
    settings = settings_of(folder, models=("chest",), keep=True)
    with TestClient(create_server(settings, command).app) as client:
        yield client


@pytest.fixture(scope="module")
def dicom() -> bytes:
    """Return an image of 30 by 20, half as bright as can be, of a patient with a name."""
    pydicom = pytest.importorskip("pydicom")
    data = pydicom.dataset.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.PatientName = data.PatientID = SECRET
    data.Rows, data.Columns, data.SamplesPerPixel, data.PixelRepresentation = 20, 30, 1, 0
    data.PhotometricInterpretation, data.BitsAllocated, data.BitsStored, data.HighBit = "MONOCHROME2", 8, 8, 7
    data.PixelData = bytes([128]) * 600
    data["PixelData"].VR = "OB"
    content = io.BytesIO()
    pydicom.dcmwrite(content, data, enforce_file_format=True)
    return content.getvalue()


def test_findings_come_with_notice_maps_and_preview(chest: TestClient, png: Any) -> None:
    reply = chest.post("/v1/findings?map=npy&preview=true", files={"images": ("a.png", png(100))})
    answer = FindingPredictions.model_validate(reply.json())
    [found] = answer.predictions
    assert "Research use only" in answer.notice
    assert [finding.name for finding in found.findings] == ["effusion", "mass", "nodule"]
    assert [finding.is_present for finding in found.findings] == [True, False, False]
    assert found.maps is not None
    assert found.maps.keys() == {"effusion", "mass", "nodule"}
    map_ = np.load(io.BytesIO(base64.b64decode(found.maps["mass"].data)), allow_pickle=False)
    assert map_.shape == (30, 40)
    assert found.preview is not None


def test_what_the_model_was_not_made_for_is_said(chest: TestClient, png: Any) -> None:
    files = [("images", ("grey.png", png(100))), ("images", ("black.png", png(0)))]
    grey, black = chest.post("/v1/findings?below=true", files=files).json()["predictions"]
    assert (grey["is_familiar"], black["is_familiar"]) == (True, False)
    assert black["limitation"] == "Knows grey squares only."


def test_labels_and_threshold_are_the_clients_to_choose(chest: TestClient, png: Any) -> None:
    labels = {"labels": " free  air, mass,"}
    reply = chest.post("/v1/findings?threshold=0.9", files={"images": png()}, data=labels)
    [found] = reply.json()["predictions"]
    assert [(f["name"], f["is_present"]) for f in found["findings"]] == [("free air", False), ("mass", False)]
    wrong = chest.post("/v1/findings", files={"images": png()}, data={"labels": "nonsense"})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "labels: no finding is called 'nonsense'")


def test_nothing_of_a_patient_is_told_or_kept(chest: TestClient, folder: Path, dicom: bytes) -> None:
    reply = chest.post("/v1/findings?preview=true&map=png", files={"images": ("image 1", dicom)})
    [found] = reply.json()["predictions"]
    assert found["findings"][0]["probability"] == pytest.approx(128 / 255, abs=0.01)
    pictures = [found["preview"], *found["maps"].values()]
    contents = [base64.b64decode(picture["data"]) for picture in pictures]
    assert {Image.open(io.BytesIO(content)).size for content in contents} == {(30, 20)}
    assert not any(SECRET.encode() in content for content in [reply.content, *contents])
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert kept
    assert not any(SECRET.encode() in path.read_bytes() for path in kept)
    assert not (folder / "images").exists()
    broken = chest.post("/v1/findings", files={"images": ("image 2", dicom[:200])})
    assert broken.status_code == 422
    assert SECRET not in broken.text


def test_a_model_of_findings_says_what_it_takes_and_gives(chest: TestClient) -> None:
    model = chest.get("/v2/models/chest").json()
    assert [one["name"] for one in model["inputs"]] == ["image", "pixels", "labels"]
    assert [one["name"] for one in model["outputs"]] == ["probability", "label", "prediction"]
    assert chest.get("/v2/models/chest/config").json()["name"] == "chest"
    assert chest.get("/chest").status_code == 200


def test_findings_as_tensors(chest: TestClient, png: Any) -> None:
    labels = {"name": "labels", "shape": [2], "datatype": "BYTES", "data": ["mass", "edema"]}
    pixels = {"name": "pixels", "shape": [2, 1, 1, 3], "datatype": "UINT8", "data": [0, 0, 0, 255, 255, 255]}
    answer = InferAnswer.model_validate(chest.post(INFER, json={"inputs": [pixels, labels]}).json())
    table, names, told = answer.outputs
    assert (table.shape, table.data) == ([2, 2], pytest.approx([0, 0, 0.9, 1], abs=1e-6))
    assert names.data == ["edema", "mass"]
    assert told.data is not None
    assert json.loads(told.data[1])["findings"][0]["is_present"]
    file = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(png()).decode()]}
    wanted = [{"name": "label"}]
    one = InferAnswer.model_validate(chest.post(INFER, json={"inputs": [file], "outputs": wanted}).json())
    assert [output.data for output in one.outputs] == [["effusion", "mass", "nodule"]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outputs": [{"name": "map"}]}, "no output is called 'map'"),
        ({"labels": "nonsense"}, "no finding is called 'nonsense'"),
    ],
)
def test_wrong_questions_for_findings_are_one_line(
    chest: TestClient, changes: dict[str, Any], words: str
) -> None:
    pixels = {"name": "pixels", "shape": [1, 1, 1, 3], "datatype": "UINT8", "data": [0, 0, 0]}
    inputs: list[dict[str, Any]] = [pixels]
    if labels := changes.pop("labels", None):
        inputs.append({"name": "labels", "shape": [1], "datatype": "BYTES", "data": [labels]})
    reply = chest.post(INFER, json={"inputs": inputs} | changes)
    assert reply.status_code == 400
    assert words in reply.json()["error"]


def test_labels_that_are_no_names_are_refused(chest: TestClient) -> None:
    pixels = {"name": "pixels", "shape": [1, 1, 1, 3], "datatype": "UINT8", "data": [0, 0, 0]}
    labels = {"name": "labels", "shape": [1], "datatype": "UINT8", "data": [3]}
    reply = chest.post(INFER, json={"inputs": [pixels, labels]})
    assert reply.status_code == 400
    assert "'labels': should be BYTES" in reply.json()["error"]
