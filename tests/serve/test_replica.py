"""A server that is one of several: it keeps nothing, and its numbers carry its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.testclient import TestClient

from zerosight.serve.app import create_server
from zerosight.serve.shelf import Command

MARK = {"name": "a.png", "verdict": "fine", "model": "mean", "score": 0.1, "threshold": 0.4}


def test_a_replica_answers_and_keeps_nothing(
    make_settings: Callable[..., Any], command: Command, png: Callable[..., bytes]
) -> None:
    server = create_server(make_settings(replica="one"), command)
    with TestClient(server.app, raise_server_exceptions=False) as client:
        files = {"images": ("a.png", png(), "image/png")}
        assert client.post("/v1/predict", files=files).status_code == 200
        assert client.post("/v1/report", files=files).status_code == 200
        asked = [
            client.put(f"/v1/marks/{'a' * 64}", json=MARK),
            client.post("/v1/models/mean/normals", params={"name": "new"}, files=files),
            client.delete("/v1/models/new"),
        ]
        for answer in asked:
            assert answer.status_code == 409
            assert "keep no marks, events or models" in answer.json()["error"]
        assert client.get("/v1/marks").json() == {"marks": []}
        counted = [line for line in client.get("/metrics").text.splitlines() if "requests_total{" in line]
        assert counted
        assert all('replica="one"' in line for line in counted)
