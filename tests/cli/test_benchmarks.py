"""All 15 benchmarks through the command line, each on a miniature of the tree as its owners publish it."""

from __future__ import annotations

import json

import pytest

from zerosight.protocol.miniatures import TREES, plant
from zerosight.protocol.published import INDUSTRIAL, MEDICAL

pytestmark = pytest.mark.slow


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
        status, out, said = run("evaluate", "--model", model_folder, "--data", source, "--json")
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
