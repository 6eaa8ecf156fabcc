"""Images and results in Google's store and Azure's, by emulators on loopback. Run by ``make test-stores``."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zerosight
from zerosight.data.pixels import read_image
from zerosight.errors import ImageReadError, ZerosightError
from zerosight.stores import fetch, put, walk

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
AZURITE = Path(__file__).parents[2] / "node_modules" / ".bin" / "azurite-blob"
SECRET = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The key of every emulator of Azure's store, which its makers publish."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def google() -> Iterator[int]:
    pytest.importorskip("gcsfs")
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    port = free_port()
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="photos")
    server.start()
    yield port
    server.stop()


@pytest.fixture(scope="module")
def azure() -> Iterator[int]:
    pytest.importorskip("adlfs")
    if not AZURITE.exists() or not shutil.which("node"):
        pytest.skip("azurite is not installed: npm install --no-save azurite@3")
    port = free_port()
    words = ["--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent"]
    words += ["--skipApiVersionCheck", "--disableTelemetry"]
    process = subprocess.Popen([AZURITE, *words], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.1)  # it is another process, which does not tell
    assert process.poll() is None, "azurite has ended"
    yield port
    process.terminate()
    process.wait(30)


@pytest.fixture(params=["gs", "az"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Give the address of a bucket that is there."""
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("zerosight.stores.PAUSE", 0.01)
    if request.param == "gs":
        port = request.getfixturevalue("google")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
        yield "gs://photos"
    else:
        port = request.getfixturevalue("azure")
        told = {"DefaultEndpointsProtocol": "http", "AccountName": "devstoreaccount1", "AccountKey": SECRET}
        told["BlobEndpoint"] = f"http://127.0.0.1:{port}/devstoreaccount1"
        text = ";".join(f"{key}={value}" for key, value in told.items())
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
        system: Any = fsspec.filesystem("az")
        if not system.exists("photos"):
            system.mkdir("photos")
        yield "az://photos"
    fsspec.get_filesystem_class(request.param).clear_instance_cache()


def test_a_bucket_is_scored_into_a_bucket_and_gone_on_with(run, photos, model_folder, bucket, tmp_path):
    names = [f"{bucket}/line/{path.name}" for path in sorted(photos.iterdir())]
    for name in names:
        put(name, (photos / name.rsplit("/", 1)[1]).read_bytes())
    assert list(walk(f"{bucket}/line")) == names
    words = ("predict", f"{bucket}/line", "--model", model_folder, "--parquet", "rows")
    out = f"{bucket}/results"
    status, _, messages = run(*words, "--out", out)
    assert (status, SECRET in messages) == (0, False), messages
    found = [json.loads(line) for line in fetch(f"{out}/predictions.jsonl").splitlines()]
    local = [p.to_dict() for p in zerosight.load(model_folder).predict(sorted(photos.iterdir()))]
    assert [(line["source"], line["score"]) for line in found] == [
        (name, one["score"]) for name, one in zip(names, local, strict=True)
    ]
    there = {name.removeprefix(f"{out}/").split("/")[0] for name in walk(out)}
    assert {"heatmaps", "outlines", "previews", "predictions.parquet", "report.html", "run.json"} <= there
    assert not list((tmp_path / "cache").rglob("*.*"))
    put(names[0], (photos / "1.png").read_bytes())  # which is replaced
    status, _, messages = run(*words, "--out", out, "--resume")
    assert (status, "1 images scored" in messages) == (0, True), messages
    with pytest.raises(ImageReadError, match="there is no such object or bucket"):
        read_image(f"{bucket}/line/none.png")
    with pytest.raises(ZerosightError, match=r"no such object or bucket|nothing at this address"):
        list(walk(f"{bucket}-of-nobody/line"))


def test_azures_store_without_an_account_is_one_line(monkeypatch):
    pytest.importorskip("adlfs")
    for name in ("CONNECTION_STRING", "ACCOUNT_NAME", "ACCOUNT_KEY"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
    with pytest.raises(
        ZerosightError, match=r"az://photos/a\.png: the store cannot be opened .* set account"
    ):
        fetch("az://photos/a.png")
