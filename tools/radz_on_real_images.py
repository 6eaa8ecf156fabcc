"""Hold a fine-tuned radz-tiny to a logistic regression on the same image tower, on real chest X-rays.

    python tools/radz_on_real_images.py prepare NIH COVID_NOTES WORK     # folders with images and a table
    zerosight train radz WORK/train.jsonl WORK/notes.jsonl --start radz-tiny --out WORK/run …
    python tools/radz_on_real_images.py baseline WORK
    python tools/radz_on_real_images.py stages WORK          # what a regression finds behind each part
    python tools/radz_on_real_images.py folds WORK           # the training half, to choose settings by
    zerosight evaluate --model WORK/run --data WORK/test.jsonl --labels pneumonia --out WORK/evaluation
    python tools/radz_on_real_images.py boxes WORK WORK2     # maps of both halves held to boxes together

Half of the patients train, the other half is only scored; ``prepare --swap`` changes the halves over. Notes
lose every word that names the diagnosis.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import zerosight
from zerosight.data.layouts import read_layout
from zerosight.data.manifest import Manifest, Record, read_manifest, write_manifest
from zerosight.data.pixels import read_image
from zerosight.data.split import split_records
from zerosight.evaluate.findings import ModelEvaluationConfig
from zerosight.evaluate.findings.localisation import Judge, find_truths
from zerosight.evaluate.findings.selection import Asked, Omissions, read_rows
from zerosight.evaluate.findings.tables import localisation_notes, localisation_table

TARGET = "pneumonia"
WAYS = ("contrast", "steps", "projector", "gradient", "relevance", "joint", "occlusion")
SEED = 0
DIAGNOSES = re.compile(
    r"\b\w*(covid|corona|sars|mers|pneumoni|pneumocyst|klebsiella|legionell|streptococ|influenza|varicella"
    r"|tubercul|mycoplasm|chlamyd|aspergill|herpes|coli|nocardi|fung|viral|virus|bacteri)\w*(-\w+)*",
    re.IGNORECASE,
)


def prepare(nih: Path, notes: Path, work: Path, swap: bool = False) -> None:
    """Write train.jsonl (with a held-out part for choosing the epoch), test.jsonl and notes.jsonl.

    And the notes once more by halves of their patients: notes_half.jsonl and, with labels, notes_test.jsonl.

    Args:
        nih: ChestX-ray14's images, or some of them.
        notes: Images with clinical notes.
        work: Folder to write to.
        swap: Train on the half that is otherwise scored, and score the other.
    """
    work.mkdir(parents=True, exist_ok=True)
    dataset = read_layout("findings_csv", nih)
    rows = list(split_records(dataset, {"train": 0.4, "val": 0.1, "test": 0.5}, SEED))
    parts = {"train": [r for r in rows if r.split != "test"], "test": [r for r in rows if r.split == "test"]}
    if swap:
        now = [replace(row, split="test") for row in parts["train"]]
        write_manifest(work / "train.jsonl", dataset.header, parts["test"])
        halved = read_manifest(work / "train.jsonl")
        parts = {"train": list(split_records(halved, {"train": 0.8, "val": 0.2}, SEED)), "test": now}
    for name, part in parts.items():
        print(name, write_manifest(work / f"{name}.jsonl", dataset.header, part))
    covid = read_layout("findings_csv", notes)
    halves = list(split_records(covid, {"train": 0.5, "test": 0.5}, SEED))
    kept = {"notes_half": [row for row in halves if row.split == "train"]}
    for name, part in ({"notes": covid.rows} | kept).items():
        print(name, write_manifest(work / f"{name}.jsonl", covid.header, masked(part)))
    test = [row for row in halves if row.split == "test"]
    print("notes_test", write_manifest(work / "notes_test.jsonl", covid.header, test))


def masked(rows: Iterable[Record]) -> Iterator[Record]:
    """Yield the images with a note, all for training, without labels and without the diagnosis' name."""
    for row in rows:
        if row.text:
            text = " ".join(DIAGNOSES.sub(" ", row.text).split())
            yield replace(row, text=text, labels={}, label=None, split="train")


def baseline(work: Path) -> None:
    """Print the AUROC of a logistic regression on the tower's mean token, C chosen on held-out patients."""
    train, test = (read_manifest(work / f"{name}.jsonl") for name in ("train", "test"))
    x, y, _ = features(train)
    parts = [row.split for row in train.records()]
    inner, held = np.array([p == "train" for p in parts]), np.array([p == "val" for p in parts])
    strengths = 10.0 ** np.arange(-5, 2)
    best = max(strengths, key=lambda c: roc_auc_score(y[held], fit(x[inner], y[inner], c)(x[held])))
    unseen, truth, patients = features(test)
    for said, part in (("the training half", slice(None)), ("its part that is trained on", inner)):
        found = fit(x[part], y[part], best)(unseen)
        print(
            f"logistic regression on {said}, C = {best:g}: AUROC {roc_auc_score(truth, found):.4f}",
            interval(found, truth, patients),
        )


@torch.inference_mode()
def stages(work: Path) -> None:
    """Print the AUROC of a regression behind each part of radz-tiny, cross-validated on the training half."""
    mllm = zerosight.load_findings("radz-tiny").model.mllm
    manifest = read_manifest(work / "train.jsonl")
    rows = list(manifest.records())
    found: dict[str, list[np.ndarray]] = {}
    for row in rows:
        pixels = mllm.preprocess.pixels(read_image(manifest.resolve(row.image)))
        seen = mllm.see(torch.from_numpy(pixels[None]))
        states = mllm.encode_images(seen)
        parts = {"tower": seen, "projector": mllm.project(seen), "image tokens": states.tokens}
        for name, part in (parts | {"special tokens": states.cls}).items():
            found.setdefault(name, []).append(part.mean(1)[0].numpy())
    truth = np.array([row.labels[TARGET] for row in rows])
    divided = by_patient(rows)
    for name, features_here in found.items():
        x = np.stack(features_here)
        best = max(
            (
                [roc_auc_score(truth[b], fit(x[a], truth[a], c)(x[b])) for a, b in divided]
                for c in 10.0 ** np.arange(-5, 2)
            ),
            key=np.mean,
        )
        print(f"{name}: {np.mean(best):.4f}; by fold", *(f"{one:.4f}" for one in best))


def folds(work: Path) -> None:
    """Write the training half five times, in turn with a fifth of its patients to choose by: fold0.jsonl …"""
    manifest = read_manifest(work / "train.jsonl")
    rows = list(manifest.records())
    for number, (_, held) in enumerate(by_patient(rows)):
        chosen = set(held)
        part = [replace(row, split="val" if at in chosen else "train") for at, row in enumerate(rows)]
        print(number, write_manifest(work / f"fold{number}.jsonl", manifest.header, part))


def by_patient(rows: list[Record]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return five times which rows are for training and which are held out."""
    return list(GroupKFold(5).split(rows, groups=[str(row.group) for row in rows]))


def boxes(*works: Path) -> None:
    """Print how maps agree with all boxes, each image's from the run (WORK/run) that was not trained on it.

    The constant prior of an image is made of the boxes of all other patients, of whichever half.
    """
    config = ModelEvaluationConfig(labels=(TARGET,), maps=WAYS)
    asked, left_out = (Asked(TARGET, TARGET, TARGET),), Omissions()
    halves = []
    for work in works:
        manifest = read_manifest(work / "boxes.jsonl")
        rows = read_rows(manifest, ("test",), config)
        halves.append((work, manifest, list(find_truths(manifest, rows, [TARGET], True, left_out))))
    judge = Judge([truth for *_, truths in halves for truth in truths], config, left_out)
    for work, manifest, truths in halves:
        predictor = zerosight.load_findings(work / "run")
        judge.hold(predictor, predictor.ask([TARGET]), manifest, truths, asked)
    found = judge.found()
    assert found is not None
    print(localisation_table(found).markdown(), *localisation_notes(found), sep="\n")


def fit(x: np.ndarray, y: np.ndarray, strength: float):
    """Return a function from features to scores."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5000)).fit(x, y)
    return model.decision_function


@torch.inference_mode()
def features(manifest: Manifest) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return what the tower says of every image, averaged over its tokens, with label and patient."""
    mllm = zerosight.load_findings("radz-tiny").model.mllm
    rows = list(manifest.records())
    pixels = (mllm.preprocess.pixels(read_image(manifest.resolve(row.image))) for row in rows)
    seen = [mllm.see(torch.from_numpy(one[None])).mean(1)[0].numpy() for one in pixels]
    return np.stack(seen), np.array([row.labels[TARGET] for row in rows]), [str(row.group) for row in rows]


def interval(scores: np.ndarray, truth: np.ndarray, patients: Iterable[str]) -> str:
    """Return the 95 % interval over patients."""
    names, index = np.unique(list(patients), return_inverse=True)
    rng = np.random.default_rng(SEED)
    values = []
    for _ in range(1000):
        weights = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))[index]
        if (weights * truth).sum() and (weights * (1 - truth)).sum():
            values.append(roc_auc_score(truth, scores, sample_weight=weights))
    low, high = np.percentile(values, [2.5, 97.5])
    return f"(95 % interval by patient {low:.4f} to {high:.4f})"


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    options = {word.removeprefix("--"): True for word in words if word.startswith("--")}
    paths = [Path(word) for word in words if not word.startswith("--")]
    commands = {"prepare": prepare, "baseline": baseline, "stages": stages, "folds": folds, "boxes": boxes}
    commands[command](*paths, **options)
