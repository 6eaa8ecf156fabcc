"""All 15 benchmarks through the command line, each on a miniature of the tree as its owners publish it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.protocol.published import INDUSTRIAL, MEDICAL

MVTEC = (
    "{c}/train/good/0.png",
    "{c}/test/good/0.png",
    "{c}/test/hole/1.png",
    "{c}/ground_truth/hole/1{m}.png",
)
YES_NO = ("no/1 no.jpg", "yes/Y1.JPG")
COLON = ("images/1.png", "masks/1.png")
TREES: dict[str, tuple[str, ...]] = {
    "mvtec_ad": tuple(name.format(c="carpet", m="_mask") for name in MVTEC),
    "visa": (
        "candle/Data/Images/Normal/0.JPG",
        "candle/Data/Images/Anomaly/1.JPG",
        "candle/Data/Masks/Anomaly/1.png",
    ),
    "mpdd": tuple(name.format(c="bracket_black", m="_mask") for name in MVTEC),
    "ksdd": ("kos01/Part0.jpg", "kos01/Part0_label.bmp", "kos01/Part1.jpg", "kos01/Part1_label.bmp"),
    "btad": ("02/train/ok/0.png", "02/test/ok/0.png", "02/test/ko/1.png", "02/ground_truth/ko/1.png"),
    "dagm": ("Class1/Test/0001.PNG", "Class1/Test/0002.PNG", "Class1/Test/Label/0002_label.PNG"),
    "dtd_synthetic": tuple(name.format(c="Woven_001", m="_mask") for name in MVTEC),
    "head_ct": ("head_ct/head_ct/000.png", "head_ct/head_ct/001.png"),
    "brain_mri": YES_NO,
    "br35h": YES_NO,
    "isic": (
        "ISBI2016_ISIC_Part1_Test_Data/ISIC_1.jpg",
        "ISBI2016_ISIC_Part1_Test_GroundTruth/ISIC_1_Segmentation.png",
    ),
    "cvc_colondb": COLON,
    "cvc_clinicdb": ("Original/1.png", "Ground Truth/1.png"),
    "endo": ("images/1.jpg", "masks/1_mask.jpg"),
    "kvasir": ("images/cju1.jpg", "masks/cju1.jpg"),
}
MASKS = ("ground_truth", "masks/", "Masks", "Ground", "_label", "GroundTruth")


def plant(root: Path, names: tuple[str, ...]) -> Path:
    """Write noise for images, a corner for masks and nothing for KolektorSDD's empty label."""
    rng = np.random.default_rng(0)
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (24, 32)).astype(np.uint8)
        if any(mark in name for mark in MASKS):
            pixels = np.zeros((24, 32), np.uint8)
            pixels[:8, :8] = 0 if name.endswith("Part0_label.bmp") else 255
        Image.fromarray(pixels).save(path, format="JPEG" if path.suffix.lower() == ".jpg" else None)
    if "head_ct" in names[0]:
        (root / "labels.csv").write_text("id, hemorrhage\n0,1\n1,0\n", encoding="utf-8")
    return root


def test_the_paper_has_15_benchmarks():
    assert sorted(TREES) == sorted((*INDUSTRIAL, *MEDICAL))


@pytest.mark.parametrize("name", TREES)
def test_every_benchmark_is_built_and_evaluated(run, model_folder, tmp_path, name):
    root = plant(tmp_path / name, TREES[name])
    manifest = tmp_path / "m.jsonl"
    status, _, said = run("data", "build", name, root, "-o", manifest)
    assert (status, manifest.is_file()) == (0, True), said
    results = []
    for source in (f"{name}:{root}", manifest):
        status, out, said = run("evaluate", "--model", model_folder, "--data", source, "--json", "-")
        assert status == 0, said
        results.append(json.loads(out)["datasets"][0]["mean"])
    assert results[0] == results[1]
    image, pixel = results[0]["image"]["auroc"], results[0]["pixel"]["auroc"]
    without_normal = name in ("isic", "cvc_colondb", "cvc_clinicdb", "endo", "kvasir")
    without_masks = name in ("head_ct", "brain_mri", "br35h")
    assert (image["value"] is None) == without_normal
    assert (pixel["value"] is None) == without_masks
    assert all(metric["reason"] for metric in (image, pixel) if metric["value"] is None)


def test_the_papers_protocol_runs_over_all_of_them(run, tmp_path):
    sources = {name: f"{name}:{plant(tmp_path / name, names)}" for name, names in TREES.items()}
    words = ["protocol", "vip2clip", "--out", tmp_path / "out", "--backbone", "tiny", "--set", "epochs=1"]
    words += ["--aux", sources["mvtec_ad"], "--aux", sources["visa"]]
    words += [
        word
        for name, source in sources.items()
        if name not in ("mvtec_ad", "visa")
        for word in ("--test", source)
    ]
    status, out, said = run(*words, "--json")
    assert status == 0, said
    tables = json.loads(out)
    rows = tables["image"] + tables["pixel"]
    trained_on = {row["name"]: row["auxiliary"] for row in rows if " mean " not in row["name"]}
    assert set(trained_on) == set(TREES)
    assert (trained_on["mvtec_ad"], trained_on["visa"]) == ("visa", "mvtec_ad")
