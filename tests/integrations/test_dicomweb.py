"""DICOMweb: an X-ray out of an archive, its results back into the archive's study; Orthanc on loopback."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from dicom_originals import PHOTO, found_in, original
from pydicom import dcmread

from zerosight.report.dicom.results import DicomResults

client = pytest.importorskip("dicomweb_client", reason="needs the package dicomweb-client")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[str]:
    """Return the address of an empty archive."""
    program = shutil.which("Orthanc")
    if program is None or not PLUGIN.is_file():
        pytest.skip("Orthanc is not installed (Debian: orthanc, orthanc-dicomweb)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "StorageDirectory": str(tmp_path / "store"),
        "IndexDirectory": str(tmp_path / "store"),
        "Plugins": [str(PLUGIN)],
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(settings))
    with subprocess.Popen([program, tmp_path / "orthanc.json"], stderr=subprocess.DEVNULL) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(f"{url}/system", server)
            yield f"{url}/dicom-web"
        finally:
            server.terminate()


def _wait(url: str, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Return as soon as the server answers."""
    last = time.monotonic() + seconds
    while time.monotonic() < last and server.poll() is None:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    pytest.fail("Orthanc does not answer")


def test_results_join_the_study_in_the_archive(archive, tmp_path):
    web = client.DICOMwebClient(archive)
    original(tmp_path / "sent.dcm")
    web.store_instances([dcmread(tmp_path / "sent.dcm")])
    [study] = [one["0020000D"]["Value"][0] for one in web.search_for_studies()]
    [image] = web.retrieve_study(study)
    image.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    files = DicomResults(("sc", "sr"), "m", {}).files(found_in(tmp_path / "x.dcm"), PHOTO)
    for kind, one in files.items():
        one.save(tmp_path / f"{kind}.dcm")
    sent = [dcmread(tmp_path / f"{kind}.dcm") for kind in files]
    web.store_instances(sent)
    series = web.search_for_series(study)
    assert {one["00080060"]["Value"][0] for one in series} == {"DX", "OT", "SR"}
    assert len(series) == 3
    back = {one.SOPInstanceUID: one for one in web.retrieve_study(study)}
    assert len(back) == 1 + len(files)
    for one in sent:
        found = back[one.SOPInstanceUID]
        assert (found.SOPClassUID, str(found.PatientName)) == (one.SOPClassUID, str(image.PatientName))
