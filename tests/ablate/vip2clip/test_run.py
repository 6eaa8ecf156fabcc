"""A study of miniatures: what is told of each variant, what is kept, what is done again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import zerosight
from zerosight.ablate.vip2clip import Request, Vip2Study, read_sets, run, shipped_study
from zerosight.data.manifest import read_manifest
from zerosight.errors import ConfigError, DataError

VARIANTS = [
    {"name": "ViP²", "group": "whole", "seeds": [1, 2]},
    {"name": "heads", "group": "others", "set": {"detector.method": {"kind": "heads", "hidden": 4}}},
    {
        "name": "no steel",
        "group": "kinds",
        "set": {"without": ["steel"], "detector.method": {"kind": "heads"}},
    },
    *(
        {
            "name": f"linear, {wording}",
            "group": "words",
            "family": "linear",
            "set": {"detector.method": {"kind": "linear", "templates": ["a {}"]}, "wording": wording},
        }
        for wording in ("own", "wrong")
    ),
]
SETTINGS = {"backbone": {"kind": "tiny"}, "epochs": 1, "batch_size": 4}


def request_of(toy: Path, out: Path, **values) -> Request:
    """Return a request for the miniatures' study."""
    study = Vip2Study.parse(
        {"set": SETTINGS, "variants": VARIANTS, "words": {"plain": {"wrong": "spoon"}}} | values
    )
    tests = [read_manifest(toy / name) for name in ("plain.jsonl", "marked.jsonl")]
    return Request(study, read_sets(read_manifest(toy / "aux.jsonl"), tests), out, resamples=20)


def test_a_study_of_everything(toy, tmp_path):
    told: list[str] = []
    steps: list[tuple[int, int]] = []

    def go(**values):
        told.clear()
        steps.clear()
        return run(
            request_of(toy, tmp_path, **values),
            lambda name, done, total: told.append(name),
            lambda *step: steps.append(step),
        )

    tables = go()
    assert told == ["ViP²", "ViP²", "heads", "no steel", "linear, own", "linear, wrong", "done"]
    assert len(steps) == 2 * 3 + 3 + 2 + 3  # the linear layers are trained once, and named twice
    rows = {row["name"]: row["measured"] for row in tables.to_json()["variants"]}
    assert set(rows["ViP²"]["plain"]) == {"image AUROC"}
    assert set(rows["ViP²"]["marked"]) == {"image AUROC", "pixel AUROC"}
    assert rows["heads"]["mean"]["image AUROC"]["difference_interval"] is not None
    assert "kind left out" in rows["no steel"]
    assert "kind left out" not in rows["ViP²"]
    assert {row.cost["parameters"] for row in tables.rows if row.family} == {5 * (48 * 48 + 48)}

    assert go() == tables
    assert not steps
    [model] = (tmp_path / "models").glob("linear-*")
    assert zerosight.load(model).card.training["images"] == 10
    assert go(set=SETTINGS | {"epochs": 2}) != tables
    assert len(steps) == 2 * 6 + 6 + 4 + 6
    assert json.loads((tmp_path / "ablation.json").read_text())["reference"] == "ViP²"


MEANS = [
    {"name": "whole", "group": "means", "set": {"start_seed": 1}},
    {"name": "larger", "group": "means", "set": {"backbone": {"kind": "tiny", "image_size": 64}}},
    {"name": "weights", "group": "means", "set": {"mean": {"of": ["whole"], "what": "weights"}}},
    {"name": "scores", "group": "means", "set": {"mean": {"of": ["whole"]}}},
    {"name": "sizes", "group": "means", "set": {"mean": {"of": ["whole", "larger"]}}},
]


def test_means_of_runs_train_nothing_and_cost_what_they_take(toy, tmp_path):
    steps: list[int] = []

    def go(variants) -> dict:
        steps.clear()
        request = request_of(toy, tmp_path, variants=variants, seeds=[1, 2])
        return {row.name: row for row in run(request, step=lambda done, _: steps.append(done)).rows}

    go(MEANS[:2])
    rows = go(MEANS)
    assert not steps
    numbers = rows["whole"].cost["parameters"]
    factors = {name: row.cost["parameters"] / numbers for name, row in rows.items()}
    assert factors == {"whole": 1, "larger": 1, "weights": 1, "scores": 2, "sizes": 4}
    [merged] = (
        path for path in (tmp_path / "models").iterdir() if "mean_of" in (path / "card.json").read_text()
    )
    assert zerosight.load(merged).card.training["mean_of_seeds"] == [1, 2]
    lines = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text().splitlines()]
    assert len(lines) == 2 + 2 + 3


def test_what_no_mean_can_be_of(toy, tmp_path):
    with pytest.raises(
        ConfigError, match=r"variant 'sizes': mean.of: no trained variant .*'larger'; known: whole$"
    ):
        run(request_of(toy, tmp_path, variants=[MEANS[0], MEANS[4]]))
    mixed = {
        "name": "mixed",
        "group": "means",
        "set": {"mean": {"of": ["whole", "larger"], "what": "weights"}},
    }
    with pytest.raises(ConfigError, match="of others, average scores"):
        run(request_of(toy, tmp_path, variants=[*MEANS[:2], mixed]))


def test_another_label_makes_all_anew(toy, tmp_path):
    only = [VARIANTS[1]]
    first = run(request_of(toy, tmp_path, variants=only))
    changed = tmp_path / "changed"
    changed.mkdir()
    lines = (toy / "marked.jsonl").read_text().splitlines()
    lines[0] = lines[0].replace('"root": "."', f'"root": "{toy.as_posix()}"')
    (changed / "marked.jsonl").write_text("\n".join(lines[:-1]))
    request = request_of(toy, tmp_path, variants=only)
    sets = read_sets(read_manifest(toy / "aux.jsonl"), [read_manifest(changed / "marked.jsonl")])
    steps: list[int] = []
    second = run(
        Request(request.study, sets, tmp_path, resamples=20), step=lambda done, _: steps.append(done)
    )
    assert not steps  # the weights are the same
    assert second != first
    assert len((tmp_path / "outcomes.jsonl").read_text().splitlines()) == 2


def test_the_shipped_study_is_sound():
    study = shipped_study()
    settled = study.settled()
    assert len(settled) == len(study.variants) > 40
    assert settled["FGP off"].detector.method.perception == ()
    assert settled["ViP²"].detector.numbers.top_k == 12
    part = study.only(("baselines",))
    assert {variant.group for variant in part.variants} == {"seeds", "baselines"}
    with pytest.raises(ConfigError, match="there is no 'module'; known: seeds"):
        study.only(("module",))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"detector.numbers.topk": 1}, "variant 'a': unknown key 'detector.numbers.topk'.*top_k"),
        ({"images": 1}, "variant 'a': images"),
    ],
    ids=["key", "value"],
)
def test_settings_that_are_none_are_refused(settings, said):
    study = Vip2Study.parse({"variants": [{"name": "a", "group": "b", "set": settings}]})
    with pytest.raises(ConfigError, match=said):
        study.settled()


def test_data_that_cannot_be_used_are_refused(toy):
    aux, plain = (read_manifest(toy / name) for name in ("aux.jsonl", "plain.jsonl"))
    with pytest.raises(ConfigError, match="at least one data set"):
        read_sets(aux, [])
    with pytest.raises(ConfigError, match="a name of its own"):
        read_sets(aux, [plain, plain])
    with pytest.raises(DataError, match="aux: no labelled images in split test"):
        read_sets(aux, [aux])
    with pytest.raises(DataError, match="is anomalous but has no mask"):
        read_sets(plain, [plain], split="test")
    with pytest.raises(DataError, match=r"14.png: is to be learnt from and tested on"):
        read_sets(read_manifest(toy / "marked.jsonl"), [plain], split="test")
    sets = read_sets(aux, [plain])
    with pytest.raises(ConfigError, match="no training image is a 'stone'; known: steel, wood"):
        sets.auxiliary.chosen(None, ["stone"])
    with pytest.raises(ConfigError, match="normal and anomalous training images must be left"):
        sets.auxiliary.chosen(None, ["steel", "wood"])
