"""Models on the hub: a stub of its HTTP API on loopback, and what goes wrong between there and here."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import ModelCard

import zerosight
from zerosight.backbones.config import BackboneConfig
from zerosight.errors import ConfigError, OutputError, WeightsError
from zerosight.models import hub
from zerosight.models.catalog import card_of, shipped_models
from zerosight.models.model_card import front_matter, model_card
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import save_model
from zerosight.models.vip2clip.scorer import tiny_scorer

COMMIT = "a" * 40
NAME = "me/parts"


class Stub(ThreadingHTTPServer):
    """A hub with one repository."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.token: str | None = None
        self.cut = 0


class Handler(BaseHTTPRequestHandler):
    """Answers what huggingface_hub asks to fetch and to publish a model."""

    protocol_version = "HTTP/1.1"
    server: Stub

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def allowed(self) -> bool:
        token = self.server.token
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            self.reply(401, headers={"X-Error-Code": "RepoNotFound"})
            return False
        return True

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if not self.allowed():
            return
        path = self.path.split("?")[0]
        if path.startswith(f"/api/models/{NAME}"):
            revision = path.rsplit("/", 1)[-1] if "/revision/" in path else "main"
            if revision not in ("main", "v1", COMMIT):
                self.reply(404, headers={"X-Error-Code": "RevisionNotFound"})
                return
            files = self.server.files
            if "/tree/" in path:
                body = [
                    {"type": "file", "path": n, "size": len(c), "oid": _etag(c)} for n, c in files.items()
                ]
                self.reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
                return
            facts = {"id": NAME, "modelId": NAME, "sha": COMMIT, "private": False, "tags": [], "downloads": 0}
            facts["siblings"] = [{"rfilename": name} for name in files]  # type: ignore[assignment]
            self.reply(200, json.dumps(facts).encode(), {"Content-Type": "application/json"})
        elif path.startswith(f"/{NAME}/resolve/"):
            self.file(path.rsplit("/", 1)[-1])
        else:
            self.reply(404, headers={"X-Error-Code": "RepoNotFound"})

    def file(self, name: str) -> None:
        content = self.server.files.get(name)
        if content is None:
            self.reply(404, headers={"X-Error-Code": "EntryNotFound"})
            return
        headers = {"ETag": f'"{_etag(content)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        start, asked = 0, self.headers.get("Range")
        if asked and self.command == "GET":
            start = int(asked.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        if self.server.cut and self.command == "GET" and name.endswith(".safetensors"):
            self.send_response(206 if asked else 200)
            for key, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body[: self.server.cut])
            self.close_connection = True
            return
        self.reply(206 if start else 200, body, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.allowed():
            return
        if self.path == "/api/repos/create":
            answer: dict[str, object] = {"url": f"http://127.0.0.1/{NAME}", "name": NAME}
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            answer = {"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]}
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            answer = {"commitUrl": f"http://127.0.0.1/{NAME}/commit/{COMMIT}", "commitOid": COMMIT}
        else:
            answer = {}
        self.reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("models") / "tiny"
    save_model(tiny_scorer().model, Vip2ClipCard(name="tiny", backbone=BackboneConfig(kind="tiny")), out)
    return out


@pytest.fixture
def stub(monkeypatch, tmp_path) -> Iterator[Stub]:
    server = Stub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("HF_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    hub._fetched.cache_clear()
    yield server
    hub._fetched.cache_clear()
    server.shutdown()
    server.server_close()


def published(server: Stub, folder: Path) -> None:
    names = ("card.json", "README.md", "model.safetensors")
    server.files = {name: (folder / name).read_bytes() for name in names}


def test_a_model_is_published_and_loaded_again_by_name(stub, folder, monkeypatch):
    named = hub.push(folder, NAME, token="hf_x")
    assert named == f"hf://{NAME}@{COMMIT}"
    assert sorted(stub.files) == ["README.md", "card.json", "model.safetensors"]
    stub.files["evil.bin"] = b"pickle"
    predictor = zerosight.load(f"hf://{NAME}@v1")
    assert predictor.card == card_of(folder)
    assert predictor.identity()["computed"] == f"torch exact {named}"
    fetched = hub.fetch(f"hf://{NAME}")
    assert sorted(path.name for path in fetched.iterdir()) == ["README.md", "card.json", "model.safetensors"]
    stub.shutdown()
    hub._fetched.cache_clear()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert hub.fetch(f"hf://{NAME}") == fetched  # from the cache


def test_a_private_model_needs_a_token(stub, folder):
    published(stub, folder)
    stub.token = "hf_secret"
    with pytest.raises(WeightsError, match=r"private; run `hf auth login`"):
        hub.fetch(f"hf://{NAME}")
    with pytest.raises(OutputError, match="hf auth login"):
        hub.push(folder, NAME, token="hf_other")
    assert hub.fetch(f"hf://{NAME}", "hf_secret").is_dir()


def test_a_revision_that_is_gone_is_told(stub, folder):
    published(stub, folder)
    with pytest.raises(WeightsError, match="no such revision"):
        hub.fetch(f"hf://{NAME}@v2")
    with pytest.raises(WeightsError, match="no such model"):
        hub.fetch("hf://me/other")


def test_a_file_cut_in_the_middle_is_refused_and_then_fetched_whole(stub, folder):
    published(stub, folder)
    stub.cut = 1000
    with pytest.raises(WeightsError, match="cannot be fetched"):
        hub.fetch(f"hf://{NAME}")
    stub.cut = 0
    found = hub.fetch(f"hf://{NAME}")
    assert (found / "model.safetensors").read_bytes() == stub.files["model.safetensors"]


def test_weights_that_are_not_those_of_the_card_are_refused(stub, folder):
    published(stub, folder)
    stub.files["model.safetensors"] = stub.files["model.safetensors"][:-1] + b"!"
    with pytest.raises(WeightsError, match="is not the file that the card describes"):
        hub.fetch(f"hf://{NAME}")


def test_what_is_no_model_is_neither_fetched_nor_published(stub, tmp_path):
    stub.files = {"config.json": b"{}"}
    with pytest.raises(WeightsError, match=r"has no card\.json"):
        hub.fetch(f"hf://{NAME}")
    with pytest.raises(WeightsError, match="not a model folder"):
        hub.push(tmp_path, NAME)
    for name in ("hf://parts", "hf://a/b/c", "hf://a/b@"):
        with pytest.raises(ConfigError, match="OWNER/NAME"):
            hub.fetch(name)


@pytest.mark.parametrize("name", sorted(shipped_models()))
def test_cards_are_valid_model_cards(name):
    card = card_of(name)
    parsed = ModelCard(model_card(card))
    assert parsed.data.library_name == "zerosight"
    assert card.architecture in parsed.data.tags
    assert parsed.data.eval_results
    assert "roc_auc" in parsed.data.metrics
    assert front_matter(card)["license"] == ("apache-2.0" if name == "vip2clip-lite" else "other")
    assert (shipped_models()[name] / "README.md").read_text() == model_card(card)
