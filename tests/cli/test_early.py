"""Mistakes are told before anything heavy is imported: no command loads PyTorch or NumPy for a typo."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import json, sys
from zerosight.cli.main import run

told = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["zerosight", *words]
    try:
        run()
    except SystemExit as stopped:
        status = stopped.code
    told.append([" ".join(words), status, [name for name in ("torch", "numpy") if name in sys.modules]])
print(json.dumps(told))
"""
EVERY = """
import json, sys, typer
from zerosight.cli.main import app

def leaves(command, words):
    inner = getattr(command, "commands", None)
    return [one for name in inner for one in leaves(inner[name], [*words, name])] if inner else [words]

whole, told = typer.main.get_command(app), []
for words in leaves(whole, []):
    try:
        whole.main([*words, "--no-such-option"], standalone_mode=False)
    except Exception as error:
        told.append([" ".join(words), type(error).__name__])
print(json.dumps([told, [name for name in ("torch", "numpy") if name in sys.modules]]))
"""


def told(*lines: list[str], folder: Path) -> tuple[list[tuple[str, int, list[str]]], str]:
    """Return, for commands that one process runs one after another, how each ended and what was imported."""
    command = [sys.executable, "-c", CODE, json.dumps(lines)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    return [tuple(one) for one in json.loads(done.stdout.splitlines()[-1])], done.stderr


def test_every_command_refuses_a_bad_option_at_once():
    told, heavy = json.loads(subprocess.check_output([sys.executable, "-c", EVERY], text=True))
    assert len(told) > 30
    assert {error for _, error in told} == {"NoSuchOption"}, told
    assert heavy == []


def test_words_and_devices_that_cannot_be_are_refused_without_numpy(tmp_path: Path):
    lines = [
        ["predict", "x", "--precision", "fats"],
        ["predict", "x", "--device", "cudo"],
        ["predict", "x", "--model", "vip2clip-lit"],
        ["evaluate", "--data", "x", "--device", "cuda:a"],
        ["fit", "x", "--out", "m", "--device", "gpu"],
        ["train", "vip2clip", "x.jsonl"],
    ]
    found, messages = told(*lines, folder=tmp_path)
    assert [status for _, status, _ in found] == [2, 1, 1, 1, 1, 1], messages
    assert found[-1][2] == []
    assert "--device cudo: should be auto, cpu, cuda, cuda:1 or mps (did you mean 'cuda'?)" in messages
    assert "--out must be given, as in: zerosight train" in messages


def test_paths_that_are_not_there_are_refused_without_pytorch(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"")
    lines = [
        ["predict", "nowhere"],
        ["predict", "photos", "--normals", "nowhere"],
        ["predict", "photos", "--alpha", "0.1"],
        ["predict", "photos", "--overlap", "0.5"],
        ["predict", "photos", "--labels", "mass"],
        ["predict", "photos", "--model", "radz-tiny", "--tile", "64"],
        ["predict", "photos", "--model", "radz-tiny", "--descriptions", "nowhere.yaml"],
        ["fit", "nowhere", "--out", "m"],
        ["evaluate", "--data", "nowhere"],
        ["evaluate", "--data", "mvtek:photos"],
        ["evaluate", "--data", "nowhere", "--model", "radz-tiny"],
        ["calibrate", "nowhere", "--out", "m"],
        ["train", "vip2clip", "nowhere.jsonl", "--out", "r"],
        ["train", "vip2clip", "photos", "--out", "r", "--backbone", "lite", "--set", "epocs=3"],
        ["train", "vip2clip", "photos", "--out", "r", "--start", "nowhere"],
        ["train", "radz", "nowhere.jsonl", "--out", "r", "--start", "radz-tiny"],
        ["data", "check", "nowhere"],
    ]
    found, messages = told(*lines, folder=tmp_path)
    assert [(words, status, "torch" in heavy) for words, status, heavy in found] == [
        (" ".join(words), 1, False) for words in lines
    ], messages
    cannot = "cannot be read (no such file or folder); give LAYOUT:ROOT, a folder or a manifest"
    assert f"nowhere.jsonl: {cannot}" in messages


def test_a_folder_of_results_is_known_before_the_model_is_loaded(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "predictions.jsonl").write_text("{}\n")
    [(_, status, heavy)], messages = told(["predict", "a.png", "--out", "out"], folder=tmp_path)
    assert (status, "torch" in heavy) == (1, False)
    assert "out: holds results already; resume or overwrite them (--resume, --overwrite)" in messages


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (("predict", "a.png", "--json", "--masks"), "--masks: means nothing to --json without --out"),
        (("predict", "a.png", "--json", "--resume"), "--resume: means nothing to --json without --out"),
        (("predict", "a.png", "--no-report", "--colour-bar"), "--colour-bar: means nothing to --no-report"),
        (
            ("predict", "a.png", "--no-report", "--pictures", "all"),
            "--pictures: means nothing to --no-report",
        ),
        (
            ("predict", "a.png", "--pictures", "previews", "--colour-bar"),
            "--colour-bar: means nothing to --pictures previews",
        ),
        (
            ("predict", "a.png", "--on", "ray", "--pictures", "none"),
            "--pictures: means nothing to a run with",
        ),
        (
            ("predict", "a.png", "--resume", "--annotations", "coco"),
            "--annotations: means nothing to",
        ),
        (
            ("predict", "a.png", "--model", "radz-tiny", "--maps", "npy"),
            "--maps: means nothing to",
        ),
        (
            ("predict", "a.png", "--model", "radz-tiny", "--no-maps", "--all-maps"),
            "--all-maps: means",
        ),
        (
            ("evaluate", "--data", "folder:x", "--overwrite"),
            "--overwrite: means nothing to an",
        ),
        (
            ("calibrate", "x", "--out", "m", "--overlap", "0.5"),
            "--overlap: means nothing to images",
        ),
        (
            ("export", "--out", "x.onnx", "--calibration", "x"),
            "--calibration: means nothing to",
        ),
        (("models", "vip2clip-lite", "--private"), "--private: means nothing to models that are not pushed"),
        (("models", "vip2clip-lite", "--backbones"), "--backbones: lists them all"),
        (("serve", "--webhook", "http://x"), "--webhook: means nothing to a server that watches no folder"),
    ],
)
def test_options_that_would_change_nothing_are_refused(run, words, refused):
    status, _, messages = run(*words)
    assert status == 1
    assert refused in messages
