"""``zerosight fit`` and ``predict --normals``: the commands do what the library does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zerosight


@pytest.fixture
def good(tmp_path: Path) -> Path:
    folder = tmp_path / "good"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for i in range(5):
        pixels = (120 + rng.normal(0, 8, (30, 40, 3))).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def test_fit_writes_what_predict_with_normals_uses(run, good, photos, model_folder, tmp_path):
    mine = tmp_path / "mine"
    code, _, text = run("fit", good, "--out", mine, "--model", model_folder)
    assert code == 0
    assert "5 normal images: fewer than 20" in text
    assert "expected false alarms: at most 16.7%" in text
    again = [photos, "--json", "--batch-size", 2]
    fitted = run("predict", *again, "--model", mine)[1]
    direct = run("predict", *again, "--model", model_folder, "--normals", good)[1]
    lines = [
        [json.loads(line) for line in text.splitlines() if line.startswith("{")] for text in (fitted, direct)
    ]
    assert [one["score"] for one in lines[0]] == pytest.approx([one["score"] for one in lines[1]], abs=1e-5)
    found = zerosight.load(mine).predict(sorted(photos.iterdir()))
    assert [p.score for p in found] == pytest.approx([one["score"] for one in lines[0]], abs=1e-5)


def test_more_images_later(run, good, photos, model_folder, tmp_path):
    mine = tmp_path / "mine"
    run("fit", good, "--out", mine, "--model", model_folder)
    code, _, _ = run("fit", photos, good, "--model", mine)
    card = json.loads((mine / "card.json").read_text())
    assert code == 0
    assert len(card["normals"]) == 8
    assert sum("there already" in note for note in card["notes"]) == 5


def test_normals_that_are_judged_as_well_are_told(run, good, photos, model_folder, tmp_path):
    mine = tmp_path / "mine"
    run("fit", good, "--out", mine, "--model", model_folder)
    assert "among the normal ones" not in run("predict", photos, "--json", "--model", mine)[2]
    assert "5 of the images are among the normal ones (0.png)" in run(
        "predict", good, "--json", "--model", mine
    )[2].replace("\n", " ")
    (tmp_path / "set" / "test").mkdir(parents=True)
    (good).rename(tmp_path / "set" / "test" / "good")
    photos.rename(tmp_path / "set" / "test" / "bad")
    text = run("evaluate", "--data", f"folder:{tmp_path / 'set'}", "--model", mine, "--resamples", 0)[2]
    assert "5 of the images are among the normal ones" in text.replace("\n", " ")


def test_damage_and_other_backbones_are_one_line(run, good, photos, model_folder, tmp_path):
    mine = tmp_path / "mine"
    run("fit", good, "--out", mine, "--model", model_folder)
    card = json.loads((mine / "card.json").read_text())
    card["base"]["backbone_fingerprint"] = "0123456789abcdef"
    (mine / "card.json").write_text(json.dumps(card))
    code, _, text = run("predict", photos, "--json", "--model", mine)
    assert (code, text.count("\n")) == (1, 1)
    assert "another backbone" in text
    weights = mine / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-50])
    code, _, text = run("predict", photos, "--json", "--model", mine)
    assert (code, text.count("\n")) == (1, 1)
    assert "damaged" in text
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.png").write_bytes(b"nothing")
    for words in (
        ("fit", broken, "--out", tmp_path / "no"),
        ("predict", photos, "--json", "--normals", broken),
    ):
        code, _, text = run(*words, "--model", model_folder)
        assert (code, text.count("\n")) == (1, 1)
        assert "no normal image could be read" in text


def test_what_is_wrong_is_one_line(run, good, model_folder, tmp_path):
    assert "--out: name the model folder" in run("fit", good, "--model", model_folder)[2]
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    assert "did not write" in run("fit", good, "--out", other, "--model", model_folder)[2]
    assert "did not write" in run("fit", good, "--out", model_folder, "--model", model_folder)[2]
    mine = tmp_path / "mine"
    run("fit", good, "--out", mine, "--model", model_folder)
    assert "--overwrite" in run("fit", good, "--out", mine, "--model", model_folder)[2]
    assert run("fit", good, "--out", mine, "--model", model_folder, "--overwrite")[0] == 0
    assert "alpha" in run("fit", good, "--out", mine, "--model", model_folder, "--overwrite", "--alpha", 2)[2]
    assert "--alpha: is for --normals" in run("predict", good, "--alpha", 0.1, "--json")[2]


def test_an_image_tower_takes_normal_images_and_nothing_else(run, good, photos, tmp_path):
    tower = "timm:test_efficientnet@random:0#48"
    mine = tmp_path / "mine"
    assert run("fit", good, "--backbone", tower, "--out", mine)[0] == 0
    fitted = run("predict", photos, "--json", "--model", mine)[1]
    direct = run("predict", photos, "--json", "--backbone", tower, "--normals", good)[1]
    scores = [[json.loads(line)["score"] for line in text.splitlines()] for text in (fitted, direct)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    for words in (["predict", photos], ["evaluate", "--data", f"folder:{good}"]):
        status, _, text = run(*words, "--backbone", tower)
        assert (status, text.count("\n")) == (1, 1)
        assert "knows no words, so it has no zero-shot map" in text
    assert not (tmp_path / "zerosight-results").exists()
    assert "should be an image tower of timm" in run("predict", photos, "--backbone", "lite")[2]
    assert "one of the two" in run("predict", photos, "--backbone", tower, "--model", mine)[2]
    calibrated = run("calibrate", good, "--model", tower, "--out", tmp_path / "calibrated")
    assert "knows no words" in calibrated[2]


def test_a_report_shows_the_nearest_normal_patch_where_it_is_at_hand(run, good, photos, tmp_path):
    tower = ["--backbone", "timm:test_efficientnet@random:0#48"]
    mine, out = tmp_path / "mine", tmp_path / "out"
    run("fit", good, *tower, "--out", mine)
    asked = ["predict", photos, "--model", mine, "--threshold", 0, "--out", out]
    assert run(*asked)[0] == 0
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert all(Path(row["normal"]["source"]).parent == good for row in rows)
    for row in rows:
        with Image.open(out / row["files"]["normal"]) as picture:
            assert picture.size == (486, 240)
    page = (out / "report.html").read_text()
    assert page.count("nearest normal patch:") == len(rows)
    again = tmp_path / "elsewhere"
    good.rename(again)
    assert run(*asked, "--overwrite")[0] == 0
    assert "nearest normal patch:" not in (out / "report.html").read_text()
    assert not list((out / "normals").iterdir())
    assert run(*asked, "--overwrite", "--normals-folder", again)[0] == 0
    assert "nearest normal patch:" in (out / "report.html").read_text()
    assert "none of the images" in run(*asked, "--overwrite", "--normals-folder", photos)[2]
    assert (out / "report.html").is_file()  # a refused run removes nothing
    assert "a run without a report" in run(*asked[:-2], "--json", "--normals-folder", again)[2]
    assert (
        "normals-folder: means nothing"
        in run(*asked, "--overwrite", "--tile", 24, "--normals-folder", again)[2]
    )


def test_a_photo_of_another_world_gets_a_note(run, good, model_folder, tmp_path):
    rng = np.random.default_rng(2)
    for i in range(5, 12):
        pixels = (120 + rng.normal(0, 8, (30, 40, 3))).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(good / f"{i}.png")
    other = tmp_path / "other.png"
    Image.fromarray(np.tile(np.uint8([[0, 255], [255, 0]]).repeat(5, 0).repeat(5, 1), (3, 4))).save(other)
    mine = tmp_path / "mine"
    run("fit", good, "--out", mine, "--model", model_folder)
    assert "at most 7.7% of normal images are expected to be marked" in (mine / "README.md").read_text()
    out = tmp_path / "out"
    code, _, text = run("predict", other, good / "3.png", "--model", mine, "--out", out)
    said = " ".join(text.split())
    assert code == 0
    assert "1 of 2 images are unlike the images that this model was made from" in said
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert [row["is_familiar"] for row in rows] == [False, True]
    tiled = run("predict", other, "--model", mine, "--tile", 0, "--json")
    assert "unfamiliar images are not marked" in " ".join(tiled[2].split())
    assert "is_familiar" not in tiled[1]
