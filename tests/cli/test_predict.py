from __future__ import annotations

import io
import json

import pytest
from PIL import Image

import zerosight


def test_a_folder_gives_results_and_a_report(run, photos, model_folder, tmp_path):
    status, _, messages = run("predict", photos, "--model", model_folder, "--out", tmp_path / "out")
    assert status == 0
    assert "3 images scored" in messages
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"predictions.jsonl", "predictions.csv", "report.html", "heatmaps", "outlines"}
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 3


def test_json_lines_are_what_the_library_says(run, photos, model_folder):
    status, out, _ = run("predict", photos, "--model", model_folder, "--json")
    assert status == 0
    expected = [p.to_dict() for p in zerosight.load(model_folder).predict(sorted(photos.iterdir()))]
    assert [json.loads(line) for line in out.splitlines()] == expected


def test_tiles_and_precision_are_settings_of_a_run(run, photos, model_folder, tmp_path):
    import numpy as np
    from PIL import Image

    large = np.random.default_rng(0).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    Image.fromarray(large).save(photos / "large.png")
    words = ("predict", photos / "large.png", "--model", model_folder, "--precision", "fast", "--tile", "0")
    status, out, _ = run(*words, "--overlap", "0.5", "--json")
    assert status == 0
    [expected] = (
        zerosight.load(model_folder, precision="fast").tiled(overlap=0.5).predict(photos / "large.png")
    )
    assert json.loads(out)["score"] == pytest.approx(expected.score, abs=1e-6)
    assert run(*words, "--out", tmp_path / "out")[0] == 0
    settings = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (settings["precision"], settings["tile"], settings["overlap"]) == ("fast", 0, 0.25)
    status, _, messages = run(*words, "--tile", "5", "--out", tmp_path / "other")
    assert status == 1
    assert "tile: should be at least 16 pixels, got 5" in messages
    status, _, messages = run("predict", photos, "--model", model_folder, "--overlap", "0.5")
    assert (status, "--overlap: means nothing to images that are not cut into tiles" in messages) == (1, True)
    words = ("calibrate", photos, "--model", model_folder, "--tile", "48", "--out", tmp_path / "mine")
    assert run(*words)[0] == 0


def test_a_bad_image_is_recorded_and_the_rest_is_scored(run, photos, model_folder, tmp_path):
    (photos / "1.png").write_bytes(b"")
    status, _, messages = run("predict", photos, "--model", model_folder, "--out", tmp_path / "out")
    assert status == 0
    assert "2 images scored" in messages
    assert "1 could not be read" in messages
    assert "1.png" in (tmp_path / "out" / "report.html").read_text()
    status, _, messages = run(
        "predict", photos, "--model", model_folder, "--on-error", "stop", "--out", tmp_path / "stopped"
    )
    assert status == 1
    assert messages.startswith("error: ")
    assert "1.png" in messages
    assert len((tmp_path / "stopped" / "predictions.jsonl").read_text().splitlines()) <= 1


def test_only_bad_images_is_a_failure(run, photos, model_folder, tmp_path):
    for path in photos.iterdir():
        path.write_text("x")
    assert run("predict", photos, "--model", model_folder, "--out", tmp_path / "out")[0] == 1


def test_an_interrupted_run_resumes(run, photos, model_folder, tmp_path):
    out = tmp_path / "out"
    run("predict", photos / "0.png", "--model", model_folder, "--out", out)
    before = (out / "predictions.jsonl").read_text()
    status, _, messages = run("predict", photos, "--model", model_folder, "--out", out)
    assert status == 1
    assert "holds results already" in messages
    status, _, messages = run("predict", photos, "--model", model_folder, "--out", out, "--resume")
    assert status == 0
    assert "2 images scored" in messages
    after = (out / "predictions.jsonl").read_text()
    assert after.startswith(before)
    assert len(after.splitlines()) == 3


def test_names_come_from_standard_input(run, photos, model_folder, monkeypatch):
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO((f"{photos / '0.png'}\n\n{photos / '2.png'}\n").encode()))
    )
    status, out, _ = run("predict", "-", "--model", model_folder, "--json")
    assert status == 0
    assert [json.loads(line)["source"][-5:] for line in out.splitlines()] == ["0.png", "2.png"]


def test_a_closed_standard_input_is_one_line(run, model_folder, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    status, _, messages = run("predict", "-", "--model", model_folder, "--json")
    assert (status, messages) == (
        1,
        "error: -: standard input is closed; give it a list of images, or name them\n",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predict", "nowhere/", "--json"), "nowhere"),
        (("predict", ".", "--model", "vip2clip-light", "--json"), "did you mean 'vip2clip-lite'?"),
        (("train", "vip2clip", "--set", "epocs=3"), "did you mean 'epochs'?"),
        (("train", "vip2clip", "--set", "epochs"), "should be NAME=VALUE"),
        (("train", "vip2clip", "none.jsonl", "--out", "run", "--backbone", "tiny"), "none.jsonl"),
        (("import", "vip2clip", "none.pth", "--out", "m", "--backbone", "tiny"), "no such file"),
        (("benchmark", "--case", "tini"), "did you mean 'tiny'?"),
        (("verify", "vip2clip", "nothing"), "nothing.json"),
    ],
)
def test_known_errors_are_one_line(run, words, message, tmp_path, monkeypatch, model_folder):
    monkeypatch.chdir(tmp_path)
    if words[0] == "predict" and "--model" not in words:
        words = (*words, "--model", model_folder)
    status, _, messages = run(*words)
    assert status == 1
    assert message in messages
    assert messages.startswith("error: ")
    assert messages.count("\n") == 1


def test_ctrl_c_keeps_what_was_done(run, photos, model_folder, tmp_path, monkeypatch):
    from zerosight.journal import LineJournal

    add = LineJournal.add

    def interrupted(self, *given):
        add(self, *given)
        raise KeyboardInterrupt

    monkeypatch.setattr(LineJournal, "add", interrupted)
    status, _, messages = run("predict", photos, "--model", model_folder, "--out", tmp_path / "out")
    assert status == 130
    assert "what was finished is kept" in messages
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 1
    assert (tmp_path / "out" / "predictions.csv").exists()


def test_a_full_disk_is_one_line(run, photos, model_folder):
    status, _, messages = run("predict", photos, "--model", model_folder, "--out", "/dev/full/out")
    assert status == 1
    assert messages.count("\n") == 1


def test_every_page_has_its_own_line_and_pictures(run, photos, model_folder, tmp_path):
    from PIL import Image

    first, *others = (Image.open(path) for path in sorted(photos.iterdir()))
    scan = tmp_path / "scan.tif"
    first.save(scan, save_all=True, append_images=others)
    words = ("predict", scan, "--model", model_folder, "--out", tmp_path / "out")
    assert run(*words)[0] == 0
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [line["source"] for line in lines] == [f"{scan}#page={page}" for page in (1, 2, 3)]
    assert lines[2]["files"]["heatmap"] == "heatmaps/scan-page-3.png"
    assert run(*words, "--resume")[0] == 0
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 3
    with pytest.raises(zerosight.errors.ConfigError, match="holds several images"):
        zerosight.load(model_folder).predict_one(scan)
    assert run(*words, "--overwrite", "--every", "soon")[0] == 1
    status, _, messages = run("predict", scan, "--model", model_folder, "--out", "nothing://bucket/results")
    assert (status, "nothing://bucket/results/predictions.jsonl: no such kind of store" in messages) == (
        1,
        True,
    )


def test_masks_maps_and_annotations_are_written_and_corrected_ones_come_back(
    run, photos, model_folder, tmp_path
):
    out = tmp_path / "out"
    asked = ("--masks", "--maps", "npy", "--annotations", "coco", "--pixel-threshold", 0, "--no-report")
    status, _, messages = run("predict", photos, "--model", model_folder, "--out", out, *asked)
    assert (status, f"annotations: {out / 'annotations'}" in messages) == (0, True)
    assert sorted(path.name for path in (out / "maps").iterdir()) == ["0.npy", "1.npy", "2.npy"]
    with Image.open(out / "masks" / "0.png") as mask:
        assert mask.getextrema() == (255, 255)
    file = out / "annotations" / "coco.json"
    assert len(json.loads(file.read_text())["annotations"]) == 3
    status, told, _ = run("import", "coco", file, "--images", photos, "--out", tmp_path / "back", "--json")
    assert (status, json.loads(told)["images"], json.loads(told)["anomalous"]) == (0, 3, 3)
    assert (tmp_path / "back" / "masks").is_dir()
