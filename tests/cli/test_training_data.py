"""Data are named in one way wherever they are taken: LAYOUT:ROOT, a folder or a manifest."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import draw_squares

TAKERS = [
    ("train", "vip2clip", "DATA", "--out", "out"),
    ("train", "radz", "DATA", "--out", "out", "--start", "radz-tiny"),
    ("evaluate", "--data", "DATA"),
    ("evaluate", "--data", "DATA", "--model", "radz-tiny"),
    ("calibrate", "DATA", "--model", "radz-tiny", "--out", "out"),
    ("ablate", "vip2clip", "--data", "DATA", "--test", "DATA", "--out", "out"),
    ("ablate", "radz", "--data", "DATA", "--test", "DATA", "--out", "out"),
    ("protocol", "vip2clip", "--aux", "DATA", "--test", "DATA", "--out", "out"),
    ("data", "check", "DATA"),
    ("data", "split", "DATA", "train=1", "--out", "out"),
    ("data", "boxes", "DATA", "--out", "out"),
    ("reports", "label", "DATA", "--out", "out"),
]


@pytest.mark.parametrize("words", TAKERS, ids=lambda words: "-".join(words[:2]))
def test_every_command_says_alike_what_it_takes(run, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for data, said in (
        (
            "nowhere",
            "nowhere: cannot be read (no such file or folder); give LAYOUT:ROOT, a folder or a manifest",
        ),
        ("foldr:nowhere", "no layout is called 'foldr' (did you mean 'folder'?)"),
    ):
        status, _, messages = run(*(data if word == "DATA" else word for word in words))
        assert (status, said in messages) == (1, True), messages
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with good and bad images and masks, in folders called so."""
    folder = tmp_path_factory.mktemp("parts")
    for _, image, mask in draw_squares(folder, 6):
        kind = "bad" if mask else "good"
        (folder / kind).mkdir(exist_ok=True)
        (folder / image).rename(folder / kind / Path(image).name)
        if mask:
            (folder / "masks").mkdir(exist_ok=True)
            (folder / mask).rename(folder / "masks" / Path(image).name)
    return folder


@pytest.mark.slow
def test_anomalies_are_learnt_from_a_layout_and_from_a_bare_folder(run, parts, tmp_path):
    cards = []
    for data in (f"folder:{parts}", parts):
        out = tmp_path / f"run{len(cards)}"
        words = ("train", "vip2clip", data, "--out", out, "--backbone", "tiny", "--epochs", 1)
        assert "there are test: try --set 'splits=[test]'" in run(*words)[2]
        status, told, messages = run(*words, "--set", "splits=[test]", "--json")
        assert status == 0, messages
        cards.append(json.loads(told)["training"])
    assert cards[0]["images"] == 6
    assert cards[0]["data"] == cards[1]["data"]
    assert cards[0]["data"][0]["name"] == "folder"
    status, _, messages = run(*words, "--set", "splits=[test]", "--resume", "--device", "auto")
    assert status == 0, messages
    assert re.search(r"done; image AUROC [01]\.\d+, pixel AUROC [01]\.\d+, AUPRO [01]\.\d+, on", messages)
    assert f"next: zerosight predict PHOTOS --model {out}" in messages
    (parts / "good" / "new.png").write_bytes(next((parts / "bad").iterdir()).read_bytes())
    status, _, messages = run(*words, "--set", "splits=[test]", "--resume")
    assert (status, "was started with other data" in messages) == (1, True), messages


@pytest.mark.slow
def test_findings_are_learnt_from_a_layout(run, tmp_path):
    rows, rng = ["image,patient,split,text,Effusion"], np.random.default_rng(0)
    for i in range(8):
        Image.fromarray(rng.integers(0, 256, (20, 20), dtype=np.uint8)).save(tmp_path / f"{i}.png")
        text = "Right pleural effusion." if i % 2 else "Clear lungs."
        rows.append(f"{i}.png,p{i},train,{text},{i % 2}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    small = ("--epochs", 1, "--batch-size", 4, "--micro-batch-size", 2, "--set", "mllm.max_text_tokens=32")
    words = ("train", "radz", f"findings_csv:{tmp_path}", "--mllm", "random:llava", *small)
    status, told, messages = run(*words, "--out", tmp_path / "run", "--json")
    assert status == 0, messages
    assert json.loads(told)["training"]["images"] == 8


def test_a_folder_with_a_manifest_names_it(run, tmp_path):
    (tmp_path / "manifest.jsonl").write_text("{}\n")
    status, _, messages = run("train", "vip2clip", tmp_path, "--out", tmp_path / "run")
    assert status == 1
    assert f"its manifest is {tmp_path / 'manifest.jsonl'}" in messages
