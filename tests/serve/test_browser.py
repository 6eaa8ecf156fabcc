"""The pages in a real browser, as people use them; run by ``make test-serve``."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from zerosight.data.manifest import read_manifest

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore")]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
SHOTS = os.environ.get("ZEROSIGHT_SHOTS")
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium()
    if path is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["camera"])
    context.set_default_timeout(60_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.url)
    yield page
    context.close()
    assert not errors


@pytest.fixture
def photos(tmp_path: Path, png: Callable[..., bytes]) -> list[str]:
    """Return five images, the last the brightest, and one that is none."""
    paths = []
    for value in (40, 80, 120, 160, 200):
        (tmp_path / f"{value}.png").write_bytes(png(value, (160, 120)))
        paths.append(str(tmp_path / f"{value}.png"))
    (tmp_path / "broken.png").write_bytes(b"no image")
    return [*paths, str(tmp_path / "broken.png")]


def shoot(page: Any, name: str, whole: bool = False) -> None:
    """Take a picture for the documentation, where ZEROSIGHT_SHOTS names a folder."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=whole)


@pytest.mark.skipif(not SHOTS, reason="ZEROSIGHT_SHOTS names no folder for pictures")
def test_pictures_for_the_documentation(browser: Any, tmp_path: Path) -> None:
    from zerosight.benchmark.serve import running
    from zerosight.synthesis.demo import make_demo_data

    made = make_demo_data(tmp_path / "demo")
    photos = [str(made.resolve(record.image)) for record in made.records()][:9]
    with running("vip2clip-lite", tmp_path, 256) as ((host, port), _):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"http://{host}:{port}")
        page.set_input_files("#files", photos)
        page.locator("#gallery li").nth(len(photos) - 1).wait_for(timeout=120_000)
        page.wait_for_timeout(500)
        shoot(page, "serve-images", whole=True)
        page.locator("#gallery button").first.click()
        page.locator("#large-regions button").first.hover()
        page.wait_for_timeout(500)
        shoot(page, "serve-large")
        page.close()


def drop(page: Any, photos: list[str]) -> None:
    """Add five images and one that is none, and wait until the page has counted them all."""
    page.set_input_files("#files", photos)
    page.locator("#count-all", has_text="6").wait_for()


def becomes(page: Any, expression: str, value: Any) -> None:
    """Wait until a JavaScript expression has the value: pages answer a frame or a promise later.

    Asked from here again and again: the page's policy forbids what Playwright's own waiting would run in it.
    """
    end = time.monotonic() + 30
    while (found := page.evaluate(expression)) != value and time.monotonic() < end:
        time.sleep(0.05)
    assert found == value


def names(page: Any) -> list[str]:
    return page.locator("#gallery li:not([hidden]) .name").all_inner_texts()


def test_images_come_worst_first_and_the_bad_one_is_told(page: Any, photos: list[str]) -> None:
    drop(page, photos)
    assert names(page) == ["200.png", "160.png", "120.png", "80.png", "40.png"]
    assert "is not an image" in page.locator("#failures").inner_text()
    assert page.locator("#count-failed").inner_text() == "1"


def test_the_slider_moves_counts_and_verdicts(page: Any, photos: list[str]) -> None:
    drop(page, photos)
    before = page.locator("#count-bad").inner_text()
    page.locator("#threshold").fill("0.2")
    page.locator("#count-bad", has_text="4").wait_for()
    assert before == "2"
    page.get_by_text("Anomalous", exact=True).nth(1).click()
    page.get_by_role("button", name="the model's own").click()
    page.locator("#count-bad", has_text="2").wait_for()


def test_the_large_view_by_keys_marks_learning_and_downloads(
    page: Any, photos: list[str], tmp_path: Path
) -> None:
    drop(page, photos)
    page.keyboard.press("j")
    page.keyboard.press("d")
    page.keyboard.press("Enter")
    page.locator("#large").wait_for()
    assert page.locator("#large-defect").get_attribute("aria-pressed") == "true"
    page.keyboard.press(" ")
    assert page.locator("#layer").input_value() == "0"
    page.keyboard.press(" ")
    page.locator("#large-regions button").first.hover()
    page.locator("#box").wait_for()
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("f")
    assert page.locator("#large-name").inner_text() == "80.png"
    page.keyboard.press("j")
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    page.locator("#fine-good", has_text="2").wait_for()
    assert page.locator("#defect-bad").inner_text() == "1"
    assert "0 of 2 images marked fine" in page.locator("#alarms").inner_text()

    page.locator("#learn-name").fill("parts")
    page.locator("#learn-button").click()
    page.locator("#comparison").wait_for()
    assert "0 before, 0 after, of 3" in page.locator("#comparison").inner_text()
    shoot(page, "serve-learnt", whole=True)
    page.get_by_role("button", name="Use parts from now on").click()
    page.locator("#get-model").wait_for()

    for button, check in (
        ("#get-csv", lambda text: "200.png" in text and "broken.png" in text),
        ("#get-json", lambda text: len(json.loads(text)["predictions"]) == 5),
        ("#get-report", lambda text: "200.png" in text and "<!doctype html>" in text),
    ):
        with page.expect_download() as waiting:
            page.locator(button).click()
        assert check(Path(waiting.value.path()).read_text())
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Marks").click()
    waiting.value.save_as(tmp_path / "marks.jsonl")
    rows = {row.image: row.label for row in read_manifest(tmp_path / "marks.jsonl").records()}
    assert rows == {"200.png": 1, "80.png": 0, "40.png": 0}


def test_the_page_survives_the_servers_end(page: Any, server: Any, photos: list[str]) -> None:
    drop(page, photos)
    server.kill()
    page.set_input_files("#files", photos[:1])
    page.locator("#away").wait_for()
    server.start()
    page.locator("#gallery li").nth(5).wait_for()
    page.locator("#away").wait_for(state="hidden")


def test_results_survive_a_reload_of_the_page_until_they_are_cleared(page: Any, photos: list[str]) -> None:
    drop(page, photos)
    page.locator("#threshold").fill("0.2")
    page.locator("#count-bad", has_text="4").wait_for()
    page.reload()
    page.locator("#count-all", has_text="6").wait_for()
    assert names(page) == ["200.png", "160.png", "120.png", "80.png", "40.png"]
    page.locator("#count-bad", has_text="4").wait_for()
    page.locator("#gallery button").first.click()
    page.locator("#large-regions button").first.wait_for()
    page.keyboard.press("Escape")
    page.locator("#clear").click()
    page.locator("#results").wait_for(state="hidden")
    page.reload()
    page.locator("#drop").wait_for()
    page.wait_for_timeout(500)
    assert page.locator("#gallery li").count() == 0


def test_a_new_tab_shows_nothing_of_another_and_sweeps_up_after_it(
    browser: Any, server: Any, photos: list[str]
) -> None:
    context = browser.new_context()
    context.set_default_timeout(60_000)
    count = """() => new Promise((resolve) => { const opening = indexedDB.open("zerosight", 1);
        opening.onsuccess = () => { const store = opening.result.transaction("shown").objectStore("shown");
        store.count().onsuccess = (event) => resolve(event.target.result); }; })"""

    def holds(number: int) -> None:
        becomes(second, count, number)

    first = context.new_page()
    first.goto(server.url)
    drop(first, photos)
    second = context.new_page()
    second.goto(server.url)
    second.wait_for_timeout(500)
    assert second.locator("#gallery li").count() == 0
    holds(6)
    first.close()
    second.wait_for_timeout(300)
    second.reload()
    holds(0)
    context.close()


def test_the_chest_page_is_for_research_and_shows_maps_of_what_is_present(
    page: Any, server: Any, photos: list[str], tmp_path: Path, png: Callable[..., bytes]
) -> None:
    page.goto(f"{server.url}/chest")
    assert page.get_by_role("note").inner_text().startswith("Research use only.")
    assert page.locator("#files").is_disabled()
    page.locator("#labels").press_sequentially("ef")
    assert page.locator("#known option").first.get_attribute("value") == "effusion"
    page.locator("#labels").fill("")
    page.check("#agree")
    page.set_input_files("#files", photos[2:3])
    study = page.locator("#studies li").first
    study.wait_for()
    assert study.locator("h2").inner_text() == "image 1"
    assert "120.png" not in page.content()
    present, absent = study.get_by_role("button", name="effusion"), study.get_by_role("button", name="nodule")
    assert absent.is_disabled()
    present.click()
    slider = study.get_by_label("Opacity of the map over image 1")
    slider.wait_for()
    strength = "getComputedStyle(document.querySelector('#studies canvas')).opacity"
    becomes(page, strength, "0.5")
    slider.fill("0.1")
    becomes(page, strength, "0.1")
    width = "document.querySelector('#studies canvas').width"
    becomes(page, width, 160)
    page.check("#every")
    absent.click()
    study.locator("button[aria-pressed=true]", has_text="nodule").wait_for()
    becomes(page, width, 160)
    page.uncheck("#every")
    becomes(page, width, 1)
    shoot(page, "serve-chest")
    (tmp_path / "black.png").write_bytes(png(0, (160, 120)))
    page.set_input_files("#files", str(tmp_path / "black.png"))
    strange = page.locator("#studies li").nth(1)
    strange.wait_for()
    assert "Unlike anything this model was trained on" in strange.inner_text()
    assert "Knows grey squares only." in strange.inner_text()
    page.reload()
    page.wait_for_timeout(500)
    assert page.locator("#studies li").count() == 0


def test_images_are_kept_where_the_server_was_started_so_and_those_of_chests_are_not(
    browser: Any, start_server: Callable[..., Any], photos: list[str], tmp_path: Path
) -> None:
    server = start_server(tmp_path, "mean", "--keep")
    page = browser.new_page()
    try:
        page.goto(server.url)
        assert "Images are kept in the server's folder" in page.locator("#drop").inner_text()
        page.set_input_files("#files", photos[0])
        page.locator("#gallery li").first.wait_for()
        page.goto(f"{server.url}/chest")
        page.check("#agree")
        page.set_input_files("#files", photos[1])
        page.locator("#studies li").first.wait_for()
        [kept] = (tmp_path / "server" / "images").iterdir()
        assert kept.read_bytes() == Path(photos[0]).read_bytes()
    finally:
        page.close()
        server.kill()


def test_the_camera_is_looked_at_and_tells_events(page: Any, server: Any) -> None:
    page.goto(f"{server.url}/live")
    page.locator("#threshold").fill("0.01")
    page.locator("#camera").click()
    page.locator("#events li").first.wait_for()
    page.locator("#camera-score", has_text="anomalous").wait_for()
    shoot(page, "serve-live")
    page.locator("#camera").click()


def test_names_are_shown_as_text(page: Any, png: Callable[..., bytes]) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    page.set_input_files("#files", [{"name": name, "mimeType": "image/png", "buffer": png()}])
    page.locator("#gallery li").first.wait_for()
    assert names(page) == [name]
    assert page.locator("#gallery img[src=x]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_its_window_or_inaccessible(
    browser: Any, server: Any, photos: list[str], scheme: str, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, bypass_csp=True
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    for path in ("/", "/live", "/chest", "/api", "/login"):
        page.goto(server.url + path)
        if path == "/chest":
            page.check("#agree")
            page.set_input_files("#files", photos[2:3])
            page.locator("#studies button:enabled").first.click()
            page.locator(".opacity").wait_for()
        if path == "/":
            drop(page, photos)
            shoot(page, f"serve-{scheme}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        if AXE.is_file():
            page.add_script_tag(path=str(AXE))
            found = page.evaluate("axe.run()")["violations"]
            serious = [one for one in found if one["impact"] in ("serious", "critical")]
            told = [(one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in serious]
            assert not told, (path, told)
    with suppress(Exception):
        context.close()
