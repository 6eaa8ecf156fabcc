"""Marks, models learnt from good images, reports, kept images and events, over HTTP."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from zerosight.data.manifest import read_manifest
from zerosight.serve.app import create_server
from zerosight.serve.settings import ServeSettings

HASH = hashlib.sha256(b"x").hexdigest()
SAID = {"name": "good/a.png", "verdict": "fine", "model": "mean", "score": 0.25, "threshold": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keeping")


@pytest.fixture(scope="module")
def keeping(folder: Path, command: Any, make_model: Callable[[Path], None]) -> Iterator[TestClient]:
    """Return a client of a server that keeps images, watches a folder and has a model that can learn."""
    make_model(folder / "tiny")
    (folder / "watched").mkdir()
    settings = ServeSettings(
        models=(str(folder / "tiny"),),
        folder=folder / "server",
        names=("testserver",),
        keep=True,
        watch=folder / "watched",
    )
    with TestClient(create_server(settings, command).app) as client:
        yield client


def files(*contents: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("images", (f"{i}.png", content)) for i, content in enumerate(contents)]


def test_marks_are_kept_and_become_a_manifest(client: TestClient, tmp_path: Path) -> None:
    assert client.put(f"/v1/marks/{HASH}", json=SAID).status_code == 204
    assert client.put(f"/v1/marks/{'b' * 64}", json=SAID | {"name": "/etc/b.png", "verdict": "defect"})
    assert [mark["verdict"] for mark in client.get("/v1/marks").json()["marks"]] == ["fine", "defect"]
    reply = client.get("/v1/marks/manifest")
    assert "attachment" in reply.headers["content-disposition"]
    (tmp_path / "marks.jsonl").write_bytes(reply.content)
    rows = list(read_manifest(tmp_path / "marks.jsonl").records())
    assert [(row.image, row.label, row.hash) for row in rows] == [
        ("good/a.png", 0, HASH),
        ("b.png", 1, "b" * 64),
    ]
    assert client.delete(f"/v1/marks/{HASH}").status_code == 204
    assert client.delete(f"/v1/marks/{HASH}").status_code == 404
    assert client.delete(f"/v1/marks/{'b' * 64}").status_code == 204


@pytest.mark.parametrize(
    ("digest", "changes"),
    [("ABC", {}), (HASH, {"verdict": "ugly"}), (HASH, {"score": 2}), (HASH, {"name": "x" * 301})],
)
def test_wrong_marks_are_refused(client: TestClient, digest: str, changes: dict[str, object]) -> None:
    assert client.put(f"/v1/marks/{digest}", json=SAID | changes).status_code == 400


def test_nothing_is_kept_unless_asked(client: TestClient, png: Any, tmp_path_factory: Any) -> None:
    client.post("/v1/predict", files=files(png()))
    assert not list(tmp_path_factory.getbasetemp().glob("serve*/images"))


def test_kept_images_lie_under_their_hash_and_lead_the_manifest(
    keeping: TestClient, folder: Path, png: Any
) -> None:
    keeping.post("/v1/predict", files=[("images", ("../../evil.png", png(7)))])
    digest = hashlib.sha256(png(7)).hexdigest()
    assert (folder / "server" / "images" / f"{digest}.png").read_bytes() == png(7)
    keeping.put(f"/v1/marks/{digest}", json=SAID)
    assert f"images/{digest}.png" in keeping.get("/v1/marks/manifest").text
    keeping.delete(f"/v1/marks/{digest}")


def test_a_model_learns_from_good_images_and_is_served_at_once(
    keeping: TestClient, folder: Path, png: Any
) -> None:
    good = [png(value) for value in (90, 95, 100, 105)]
    reply = keeping.post(
        "/v1/models/tiny/normals?name=parts&false_alarms=0.01", files=files(*good, b"broken")
    )
    assert reply.status_code == 201
    learnt = reply.json()
    assert learnt["images"] == 4
    assert [failure["source"] for failure in learnt["failures"]] == ["4.png"]
    assert learnt["model"]["learnt"]
    before = keeping.post("/v1/predict?model=tiny", files=files(png(120))).json()["predictions"][0]
    after = keeping.post("/v1/predict?model=parts", files=files(*good, png(120))).json()["predictions"]
    assert not before["is_anomalous"]
    assert [one["is_anomalous"] for one in after] == [False] * 4 + [True]
    zipped = keeping.get("/v1/models/parts/folder")
    names = zipfile.ZipFile(io.BytesIO(zipped.content)).namelist()
    assert {"parts/card.json", "parts/model.safetensors"} <= set(names)
    assert keeping.delete("/v1/models/parts").status_code == 204
    assert not (folder / "server" / "models" / "parts").exists()
    assert keeping.get("/v1/models/parts/folder").status_code == 404


@pytest.mark.parametrize(
    ("query", "contents", "status"),
    [
        ("name=tiny", (b"x",), 409),
        ("name=../x", (b"x",), 400),
        ("name=.x", (b"x",), 400),
        ("name=new", (b"broken",), 422),
        ("name=new", (), 400),
        ("name=new&false_alarms=0.9", (b"x",), 400),
    ],
)
def test_what_cannot_be_learnt_is_one_line(
    keeping: TestClient, query: str, contents: tuple[bytes, ...], status: int
) -> None:
    reply = keeping.post(f"/v1/models/tiny/normals?{query}", files=files(*contents) or None)
    assert reply.status_code in (status, 415 if not contents else status)
    assert reply.json()["error"]


def test_the_report_holds_images_and_results(keeping: TestClient, png: Any) -> None:
    result = keeping.post("/v1/predict", files=[("images", ("far.png", png(30)))]).json()["predictions"][0]
    reply = keeping.post(
        "/v1/report?threshold=0.3",
        files=[("images", ("<b>near.png", png(200)))],
        data={"results": json.dumps([result])},
    )
    assert reply.status_code == 200
    assert "far.png" in reply.text
    assert "&lt;b&gt;near.png" in reply.text
    assert "<b>near.png" not in reply.text
    assert keeping.post("/v1/report", files=files(png()), data={"results": "[5]"}).status_code == 400


def test_a_watched_file_becomes_an_event_with_pictures(keeping: TestClient, folder: Path, png: Any) -> None:
    (folder / "watched" / "new.png").write_bytes(png(220))
    end = time.monotonic() + 20
    while not (events := keeping.get("/v1/events").json()["events"]) and time.monotonic() < end:
        time.sleep(0.1)
    [event] = events
    assert event["source"] == "new.png"
    assert event["values"]["is_anomalous"]
    assert keeping.get(f"/v1/events/{event['id']}/map").headers["content-type"] == "image/png"
    assert keeping.get(f"/v1/events/{event['id']}/preview").headers["content-type"] == "image/jpeg"
    (folder / "watched" / "new.png").unlink()
    assert keeping.get(f"/v1/events/{event['id']}/map").status_code == 404
    assert keeping.get("/v1/events/999/map").status_code == 404


def test_the_camera_tells_events(client: TestClient, png: Any) -> None:
    seen = client.post("/v1/predict", files=files(png())).json()["predictions"][0]
    reply = client.post("/v1/events", json={"model": "mean", "prediction": seen})
    assert reply.status_code == 201
    [event] = client.get("/v1/events").json()["events"]
    assert (event["id"], event["origin"]) == (reply.json()["id"], "camera")
    assert client.get(f"/v1/events/{event['id']}/map").status_code == 404
    assert client.post("/v1/events", json={"model": "no", "prediction": seen}).status_code == 404
