"""``zerosight train radz`` from flags to a run folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.config import read_mapping
from zerosight.data.manifest import ManifestHeader, Record, write_manifest

pytestmark = pytest.mark.slow

SMALL = ("--epochs", 1, "--batch-size", 4, "--micro-batch-size", 2, "--lora-rank", 2)
LLAVA = ("--mllm", "random:llava", "--set", "mllm.max_text_tokens=32")


@pytest.fixture
def manifest(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    records = []
    for i in range(20):
        Image.fromarray(rng.integers(0, 256, (20, 20), dtype=np.uint8)).save(tmp_path / f"{i}.png")
        text = "" if i == 3 else "Right pleural effusion." if i % 2 else "Clear lungs."
        split = "train" if i < 8 else "val"
        records.append(Record(f"{i}.png", labels={"Effusion": i % 2}, text=text, split=split, group=f"p{i}"))
    write_manifest(tmp_path / "chest.jsonl", ManifestHeader("chest", "."), records)
    return tmp_path / "chest.jsonl"


def test_flags_become_a_run_that_another_goes_on_from(run, manifest, tmp_path):
    status, out, messages = run(
        *("train", "radz", manifest, "--out", tmp_path / "run", *LLAVA, *SMALL, "--cache", tmp_path / "c"),
        *("--set", "mllm.adapt.dropout=0", "--json"),
    )
    assert status == 0, messages
    lines = messages.splitlines()
    assert lines[0] == (
        "7 pairs to train on, 12 held-out images of pleural effusion; skipped: 1 with empty report"
    )
    assert lines[1] == "language model: random:llava; its licence: none (random weights)"
    card = json.loads(out)
    assert card["mllm"]["adapt"] | {"rank": 2, "alpha": 4, "dropout": 0} == card["mllm"]["adapt"]
    assert card["training"]["skipped"] == {"empty report": 1}
    saved = read_mapping(tmp_path / "run" / "config.yaml")
    assert (saved["batch_size"], saved["micro_batch_size"], saved["epochs"]) == (4, 2, 1)
    assert saved["cache"]["folder"] == str(tmp_path / "c")
    status, out, messages = run(
        *("train", "radz", manifest, "--out", tmp_path / "on", "--start", tmp_path / "run", "--epochs", 1)
    )
    assert status == 0, messages
    assert out == ""
    assert "epoch 1 is kept; mean AUROC on held-out images: 0." in messages
    assert f"zerosight predict IMAGES --model {tmp_path / 'on'} --labels" in messages


def test_a_finished_run_resumes_by_its_folder_alone(run, manifest, tmp_path):
    words = ("train", "radz", manifest, "--out", tmp_path / "run", *LLAVA, *SMALL, "--json")
    first = run(*words)[1]
    status, second, _ = run("train", "radz", "--out", tmp_path / "run", "--resume", "--json")
    assert status == 0
    assert json.loads(second) == json.loads(first)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{m}",), "give either 'start' (a LLaVA-RadZ) or 'mllm' (a language model)"),
        (("{m}", *LLAVA, "--start", "radz-tiny"), "give either 'start'"),
        (("{m}", "--start", "radz-tiny", "--lora-rank", 4), "--lora-rank goes with --mllm"),
        (("{m}", *LLAVA, "--lora-rank", 4, "--full"), "give --lora-rank or --full"),
        (("{m}", *LLAVA, "--precision", "16-mixed"), "precision"),
        (("{m}", *LLAVA, "--set", "mllm.adapt.rnk=3"), "did you mean 'rank'?"),
        (("{m}", *LLAVA, "--set", "epochs.x=3"), "epochs"),
        (("{m}", *LLAVA, "--set", "notes=[a"), "is not valid YAML"),
        (("{m}", "--mllm", "random:lava"), "did you mean 'llava'?"),
        (("{m}", *LLAVA, "--set", "val_splits=[train]"), "7 of the held-out patients are"),
        (("{m}", *LLAVA, "--set", "splits=[other]"), "nothing to pair an image with in split other"),
        (("none.jsonl", *LLAVA), "none.jsonl"),
    ],
)
def test_known_errors_are_one_line_and_leave_no_run(run, manifest, tmp_path, words, message):
    words = [str(word).format(m=manifest) for word in words]
    status, _, messages = run("train", "radz", *words, "--out", tmp_path / "run", "--epochs", 1)
    assert status == 1
    error = messages.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_the_help_says_what_rows_hold_and_that_it_is_for_research(run):
    out = " ".join(run("train", "radz", "--help")[1].split())
    assert "'group' (the patient)" in out
    assert "not a medical device" in out
