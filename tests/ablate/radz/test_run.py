"""A study of LLaVA-RadZ: one training serves many questions, what is finished stays, controls control."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from zerosight import load_findings
from zerosight.ablate.radz import AnchorSettings, RadzStudy, Request, measure, read_sets, run, shipped_study
from zerosight.ablate.radz.measure import AMONG, AUROC, WATCHED, Judged
from zerosight.config import read_mapping
from zerosight.errors import ConfigError, DataError
from zerosight.files import sha256
from zerosight.models.llava_radz.descriptions import load_descriptions
from zerosight.weights import load_tensors, read_metadata

MLLM = {"model": "random:llava", "max_text_tokens": 24, "adapt": {"rank": 2, "alpha": 4, "dropout": 0.0}}
STUDY = {
    "set": {"mllm": MLLM, "epochs": 1, "batch_size": 4, "micro_batch_size": 4},
    "watched": ["edema"],
    "variants": [
        {"name": "whole", "group": "whole"},
        {"name": "bare", "group": "tokens", "set": {"mllm.cls_tokens": 0, "mllm.read_layer": -1}},
        {"name": "template", "group": "asked", "set": {"asked.wording": "template"}},
        {"name": "shuffled", "group": "asked", "set": {"asked.shuffled": True}},
        {"name": "in words", "group": "asked", "set": {"asked.way": "vqa"}},
        {
            "name": "train-only",
            "group": "kept out",
            "set": {
                "text": "labels",
                "labels": "manifest",
                "kept_out": ["Edema"],
                "weights.category": 0,
                "taught.wording": "template",
                "learn_temperature": False,
                "equal_texts": "negatives",
            },
        },
    ],
}


def test_one_training_serves_many_questions(chests, tmp_path):
    sets = read_sets([str(chests / "train.jsonl")], [str(chests / "test.jsonl")])
    assert sets.tests[0].findings == ("edema", "no finding", "pleural effusion")
    request = Request(RadzStudy.parse(STUDY), sets, tmp_path / "out", resamples=20)
    tables = run(request)
    rows = {row.name: row for row in tables.rows}
    models = sorted((tmp_path / "out" / "models").glob("*/card.json"))
    assert len(models) == 3  # of six variants
    [mean, among, watched, *_] = tables.columns
    assert (mean.metric, among.metric, watched.metric) == (AUROC, AMONG, WATCHED)
    assert rows["template"].values[mean].value != rows["whole"].values[mean].value
    assert rows["template"].cost["training s"] == rows["whole"].cost["training s"]
    assert len(rows["bare"].differences[mean].resampled) > 0
    cards = [json.loads(path.read_text()) for path in models]
    [kept] = [card for card in cards if card["training"]["kept_out"]]
    assert kept["trained_on"] == ["pleural effusion"]
    tensors = load_tensors(models[cards.index(kept)].parent / "model.safetensors")
    assert float(tensors["log_temperature"].exp()) == pytest.approx(0.07)
    [shallow] = [path.parent for path in models if '"cls_tokens": 0' in path.read_text()]
    predictor = load_findings(shallow)
    assert predictor.model.mllm.closing == 1
    assert predictor.predict_one(chests / "20.png", ["edema"]).maps

    before = (tmp_path / "out" / "outcomes.jsonl").read_bytes()
    told = []
    again = run(
        request, lambda name, done, total: told.append(done), lambda done, total: pytest.fail("trained")
    )
    assert (tmp_path / "out" / "outcomes.jsonl").read_bytes() == before
    assert told == list(range(7))
    assert again.to_json() == tables.to_json()
    check_that_another_adapter_is_judged_anew(request, models[0].parent, tmp_path)


def check_that_another_adapter_is_judged_anew(request: Request, model: Path, folder: Path) -> None:
    start = shutil.copytree(model, folder / "start")
    settings = {"start": str(start), "epochs": 0}
    study = RadzStudy.parse({"variants": [{"name": "it", "group": "a", "set": settings}]})

    def outcomes() -> int:
        run(replace(request, study=study, out=folder / "judged"))
        return len((folder / "judged" / "outcomes.jsonl").read_bytes().splitlines())

    assert (outcomes(), outcomes()) == (1, 1)
    adapter = start / "adapter.safetensors"
    changed = {name: tensor + 1 for name, tensor in load_tensors(adapter).items()}
    save_file(changed, adapter, read_metadata(adapter))
    card = json.loads((start / "card.json").read_text())
    (start / "card.json").write_text(json.dumps(card | {"adapter_sha256": sha256(adapter)}))
    assert outcomes() == 2


STOPPED = """
import signal, sys
from importlib import import_module
from zerosight.cli.main import run

study = import_module("zerosight.ablate.radz.run")
judge = study.judge

class Last:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

def judge_and_drop(*words):
    found = judge(*words)
    Last()
    return found

study.judge = judge_and_drop
sys.stderr = open("{folder}/said", "w", buffering=1)
sys.argv = ["zerosight", "ablate", "radz", "--data", "{data}/train.jsonl", "--test", "{data}/test.jsonl"]
sys.argv += ["--out", "{folder}/out", "--config", "{folder}/study.yaml", "--resamples", "0", "--json"]
run()
"""


def test_a_signal_between_two_trainings_ends_the_study(chests, tmp_path, run_apart):
    """It comes in a destructor, where Python ignores the exception that it becomes."""
    whole = {"name": "whole", "group": "whole", "seeds": [1, 2, 3]}
    RadzStudy.parse(STUDY | {"variants": [whole]}).save(tmp_path / "study.yaml")
    process = run_apart(STOPPED.format(data=chests, folder=tmp_path))
    process.join(300)
    said = (tmp_path / "said").read_text()
    assert process.exitcode == 143, said
    assert said.endswith("terminated; what was finished is kept\n")
    assert len(list((tmp_path / "out" / "models").glob("*/card.json"))) < 3


def test_shuffled_anchors_are_the_mean_of_all_wrong_ones(chests):
    [test] = read_sets([str(chests / "train.jsonl")], [str(chests / "test.jsonl")]).tests
    labels = np.array([[study.labels[name] for name in test.findings] for study in test.studies], float)
    judged = Judged(labels.copy(), labels, 0.0)
    assert measure(judged, test, ["Edema"], resamples=5)[AUROC].value == 1
    found = measure(judged, test, ["Edema"], shuffled=True, resamples=5)
    assert found[AUROC].value < 0.5  # "no finding" is the opposite of the others, which are independent
    assert len(found[WATCHED].resampled) == 5
    ill = np.array([study.diseases != {"no finding"} for study in test.studies])
    only_ill = np.repeat(ill[:, None].astype(float), len(test.findings), 1)  # tells the sick from the well
    found = measure(Judged(only_ill, labels, 0.0), test, resamples=0)
    assert found[AMONG].value == 0.5
    assert WATCHED not in found


def test_anchors_by_template_and_by_fewer_texts(tmp_path):
    settings = AnchorSettings(wording="template", names={"edema": "wet lungs"})
    texts = settings.descriptions(["edema"])
    assert texts["edema"].presence == ("There is wet lungs.",)
    assert texts["no finding"].presence == ("The chest radiograph is normal.",)
    assert len(AnchorSettings(texts=1).descriptions(["edema"])["edema"].presence) == 1
    assert load_descriptions(settings.write(tmp_path / "a.yaml"))["edema"].absence == (
        "There is no wet lungs.",
    )


def test_the_documents_answers_of_a_language_model_go_over_every_description_of_the_drawn_set():
    file = Path(__file__).parents[3] / "docs" / "written-anchors.yaml"
    drawn = [*read_mapping(file)]
    written, own = (AnchorSettings(file=path).descriptions(drawn) for path in (file, None))
    assert len(drawn) == 18
    assert all({*written[name].presence}.isdisjoint(own[name].presence) for name in drawn)


def test_what_cannot_be_studied(chests):
    train, test = str(chests / "train.jsonl"), str(chests / "test.jsonl")
    with pytest.raises(DataError, match="20 patients are to be learnt from and tested on"):
        read_sets([test, train], [train], ["train", "val"])
    with pytest.raises(DataError, match="judges no finding"):
        read_sets([train], [test], findings=["hernia"])
    with pytest.raises(ConfigError, match="test: give at least one data set"):
        read_sets([train], [])

    def settled(**settings: object) -> None:
        RadzStudy.parse({"variants": [{"name": "it", "group": "a", "set": settings}]}).settled()

    with pytest.raises(ConfigError, match="variant 'it': 'seed' is given by the command or the study"):
        settled(mllm=MLLM, seed=3)
    with pytest.raises(ConfigError, match="'splits' is given"):  # or tested patients could be learnt from
        settled(mllm=MLLM, splits=["test"])
    with pytest.raises(ConfigError, match="a language model has to be trained first"):
        settled(mllm=MLLM, epochs=0)
    with pytest.raises(ConfigError, match="'kept_out' takes labels only"):
        settled(mllm=MLLM, kept_out=["edema"])
    with pytest.raises(ConfigError, match="unknown key 'epoch'"):
        settled(mllm=MLLM, epoch=2)


def test_the_study_of_the_package_is_allowed():
    assert len(shipped_study().settled()) == len(shipped_study().variants) > 30
