from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from starlette.testclient import TestClient

from zerosight.serve.app import create_server
from zerosight.serve.pages import palette, static_files
from zerosight.serve.settings import ServeSettings

TOKEN = "a-long-and-secret-token"
PAGES = ("/", "/live", "/api", "/login")


class Links(HTMLParser):
    """Everything that a page loads or runs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.inline += [name for name in values if name.startswith("on") or name == "style"]
        if tag == "style" or (
            tag == "script" and not values.get("src") and values.get("type") != "application/json"
        ):
            self.inline.append(tag)
        self.loaded += [values[key] or "" for key in ("src", "href") if key in values]


@pytest.mark.parametrize("path", PAGES)
def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(client: TestClient, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")
    links = Links(reply.text)
    assert not links.inline
    for link in links.loaded:
        assert link.startswith(("/", "#", "data:,"))
        if link.startswith("/static/"):
            assert client.get(link).status_code == 200


def test_scripts_load_only_each_other() -> None:
    files = static_files()
    for name, content in files.items():
        text = content.decode()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
        if name.endswith(".js"):
            assert not re.search(r"\beval\(|innerHTML|insertAdjacentHTML|document\.write", text)
            for other in re.findall(r'from "\./([^"]+)"', text):
                assert other in files


def test_nothing_but_the_files_can_be_fetched(client: TestClient) -> None:
    for path in (
        "/static/nothing.js",
        "/static/..%2fpages.py",
        "/static/%2e%2e/pages.py",
        "/static//etc/passwd",
    ):
        assert client.get(path).status_code == 404


def test_a_chest_page_needs_a_model_of_findings(client: TestClient) -> None:
    assert client.get("/chest").status_code == 404
    assert 'href="/chest"' not in client.get("/").text


def test_the_palette_is_the_reports() -> None:
    colours = palette()
    assert len(colours) == 256
    assert all(re.fullmatch("[0-9a-f]{6}", colour) for colour in colours)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, command: Any) -> Iterator[TestClient]:
    settings = ServeSettings(
        models=("mean",), token=TOKEN, folder=tmp_path_factory.mktemp("locked"), names=("testserver",)
    )
    with TestClient(create_server(settings, command).app, follow_redirects=False) as client:
        yield client


def test_a_person_logs_in_with_the_token(locked: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zerosight.serve.pages._WRONG_TOKEN_PAUSE", 0.0)
    wrong = locked.post("/login", data={"token": "wrong"})
    assert wrong.status_code == 401
    assert "This is not the token." in wrong.text
    foreign = locked.post("/login", data={"token": TOKEN}, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    right = locked.post("/login", data={"token": TOKEN})
    assert right.status_code == 303
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert locked.get("/").status_code == 200
