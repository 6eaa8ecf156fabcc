"""Findings of images: what the predictor promises, on a random miniature."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from PIL import Image

from zerosight.backbones.mllm.adapters import adapt
from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.errors import ConfigError, ImageReadError, ProcessError, ZerosightError
from zerosight.models.familiarity import Familiarity
from zerosight.models.llava_radz.anchor_cache import AnchorCache
from zerosight.models.llava_radz.calibration import FindingCalibration, FindingScale
from zerosight.models.llava_radz.card import NO_BETTER, MapMeasures, MapRecord, RadzCard
from zerosight.models.llava_radz.descriptions import load_descriptions
from zerosight.models.llava_radz.folder import LoadedModel
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.models.llava_radz.scoring import finding_scores
from zerosight.predict.findings import ATTENTION, FindingPredictor
from zerosight.types import Failure, Maps

LABELS = ("Effusion", "pneumonia", "No Finding")
CALIBRATION = FindingCalibration(
    findings={"pneumonia": FindingScale(slope=2.0, offset=1.0, threshold=0.25, reason="")}, source="a test"
)


def predictor(batch_size: int = 8, cache: AnchorCache | None = None) -> FindingPredictor:
    torch.manual_seed(0)
    model = LlavaRadz(adapt(random_mllm())).eval().requires_grad_(False)
    card = RadzCard(name="tiny", trained_on=("pneumonia",), calibration=CALIBRATION)
    return FindingPredictor(LoadedModel(model, card, "key"), batch_size, cache)


def images(count: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (30 + 5 * i, 50), dtype=np.uint8) for i in range(count)]


def test_scores_are_those_of_the_model_and_its_calibration():
    finder = predictor()
    [found] = finder.predict(images(1), LABELS)
    pixels = finder.model.mllm.preprocess.pixels(Image.fromarray(images(1)[0]))
    pooled = finder.model.embed_images(finder.model.mllm.see(torch.from_numpy(pixels[None]))).pooled
    question = finder.ask(LABELS)
    scores = finding_scores(pooled, question.anchors, "pos-neg", float(finder.model.temperature))[0]
    by_name = {finding.name: finding for finding in found.findings}
    assert by_name.keys() == set(LABELS)
    for name, score in zip(LABELS, scores, strict=True):
        assert by_name[name].score == pytest.approx(float(score), abs=1e-6)
    logit = float(torch.logit(scores[1]))
    assert by_name["pneumonia"].probability == pytest.approx(1 / (1 + np.exp(-(2 * logit + 1))), abs=1e-5)
    assert by_name["pneumonia"].threshold == 0.25
    assert by_name["Effusion"].probability == pytest.approx(by_name["Effusion"].score)
    ordered = [finding.probability for finding in found.findings]
    assert ordered == sorted(ordered, reverse=True)


def test_batches_order_and_maps_change_nothing():
    alone = [next(predictor(1).predict(image, LABELS)) for image in images()]
    for size in (2, 5):
        together = list(predictor(size).predict(images(), LABELS))
        without = list(predictor(size).predict(images(), LABELS, maps=False))
        for a, b, c in zip(alone, together, without, strict=True):
            assert (
                [f.name for f in a.findings] == [f.name for f in b.findings] == [f.name for f in c.findings]
            )
            left, middle, right = ([f.score for f in one.findings] for one in (a, b, c))
            np.testing.assert_allclose(left, middle, atol=1e-5)
            np.testing.assert_allclose(left, right, atol=1e-5)
            assert not c.maps


def test_maps_lie_over_the_image_on_a_fixed_scale():
    every = predictor().predict(images(), LABELS, maps=Maps(below=True))
    for image, found in zip(images(), every, strict=True):
        assert set(found.maps) == {*LABELS, ATTENTION}
        for one in found.maps.values():
            assert one.shape == image.shape
            assert 0 <= one.min() <= one.max() <= 1


def test_a_finding_called_attention_keeps_its_map():
    finder = predictor()
    words = {"attention": load_descriptions(None)["pleural effusion"]}
    question = finder.ask(("attention", "pneumonia"), descriptions=load_descriptions(None) | words)
    [found] = finder.predict(images(1), question)
    [alone] = finder.predict(images(1), ("Effusion", "pneumonia"))
    assert set(found.maps) == {"map of attention", "pneumonia", ATTENTION}
    np.testing.assert_allclose(found.maps[ATTENTION], alone.maps[ATTENTION], atol=1e-6)
    np.testing.assert_allclose(found.maps["map of attention"], alone.maps["Effusion"], atol=1e-6)


def test_maps_are_of_findings_at_their_threshold_by_the_models_way_unless_asked():
    finder, [image] = predictor(), images(1)
    [none] = finder.predict(image, LABELS, threshold=1.0)
    assert set(none.maps) == {ATTENTION}
    [found] = finder.predict(image, LABELS, threshold=0.0)
    assert set(found.maps) == {"Effusion", "pneumonia", ATTENTION}  # no finding is nowhere
    pixels = finder.model.mllm.preprocess.pixels(Image.fromarray(image))
    question = finder.ask(LABELS)
    for way in ("joint", "projector"):
        expected = finder.locate(pixels, question, ["pneumonia"], way, image.shape)[0]
        [found] = finder.predict(image, question, threshold=0.0, maps=Maps(way))
        np.testing.assert_allclose(found.maps["pneumonia"], expected, atol=1e-5)


def test_maps_that_were_found_to_mislead_are_shown_only_if_asked_for():
    finder, [image] = predictor(), images(1)
    record = MapRecord(auroc=0.7, prior=0.9, source="a test")
    finder.card = finder.card.model_copy(update={"maps": record})
    assert record.note == (
        "none unless asked for: joint says no more than where findings usually are (pixel AUROC 0.700 "
        "against 0.900 of a map that sees no image, a test)"
    )
    [hidden] = finder.predict(image, LABELS, threshold=0.0)
    assert set(hidden.maps) == {ATTENTION}
    [shown] = finder.predict(image, LABELS, threshold=0.0, maps=Maps("joint"))
    assert "pneumonia" in shown.maps


def measures(auroc: float, inside: float | None) -> MapMeasures:
    return MapMeasures(
        maps=20, auroc=auroc, prior=0.8, in_lungs=inside, prior_in_lungs=None if inside is None else 0.6
    )


@pytest.mark.parametrize(
    ("auroc", "inside", "better"),
    [(0.9, 0.7, True), (0.9, None, True), (0.9, 0.6, False), (0.8, 0.7, False), (0.7, None, False)],
)
def test_a_map_is_better_than_the_mean_place_in_the_image_and_in_the_lungs(auroc, inside, better):
    assert measures(auroc, inside).is_better is better


def test_only_maps_that_point_better_than_the_mean_place_are_shown_unless_asked_for():
    finder, [image] = predictor(), images(1)
    labels = ("Effusion", "pneumonia", "edema")
    poor = {"pleural effusion": measures(0.7, 0.7), "pneumonia": measures(0.9, 0.7)}
    record = MapRecord(auroc=0.9, prior=0.8, findings=poor, source="a test")
    finder.card = finder.card.model_copy(update={"maps": record})
    [found] = finder.predict(image, labels, threshold=0.0)
    assert set(found.maps) == {"pneumonia", "edema", ATTENTION}  # edema by what holds of all together
    why = {one.name: one.no_map for one in found.findings}
    assert why == {"Effusion": NO_BETTER, "pneumonia": "", "edema": ""}
    told = {one["name"]: one.get("no_map") for one in found.to_dict()["findings"]}
    assert told == {"Effusion": NO_BETTER, "pneumonia": None, "edema": None}
    with pytest.raises(ConfigError, match="no map of Effusion: it points no better than the average place"):
        found.heatmap("Effusion")
    for asked in (Maps(below=True), Maps("joint")):
        [found] = finder.predict(image, labels, threshold=0.0, maps=asked)
        assert set(found.maps) == {*labels, ATTENTION}
        assert not any(one.no_map for one in found.findings)
    [below] = finder.predict(image, labels, threshold=1.0)
    assert not any(one.no_map for one in below.findings)
    assert finder.map_identity(Maps()) == {"way": "joint", "below": False, "hidden": ["pleural effusion"]}
    assert record.note.endswith("a test; none of pleural effusion unless asked for")
    lost = record.model_copy(update={"auroc": 0.7})
    assert lost.note.startswith("none but of pneumonia unless asked for: joint says no more")
    assert (lost.why_not("edema"), lost.why_not("pneumonia")) == (NO_BETTER, "")


def test_an_image_unlike_those_of_training_gets_no_rank_and_no_map():
    finder, every = predictor(), images(3)
    pixels = np.stack([finder.model.mllm.preprocess.pixels(Image.fromarray(image)) for image in every])
    seen = finder.model.mllm.see(torch.from_numpy(pixels)).mean(1)
    mean, flat = seen[0], torch.eye(seen.shape[1])[:1]
    finder.familiarity = Familiarity(mean, flat, torch.ones(1), 1.0, 1e-6)
    finder.card = finder.card.model_copy(update={"limitation": "drawings only"})
    known, strange, *_ = finder.predict(every, LABELS, threshold=0.0)
    assert (known.is_familiar, strange.is_familiar) == (True, False)
    assert [finding.name for finding in strange.findings] == list(LABELS)
    assert set(strange.maps) == {ATTENTION}
    assert len(known.maps) == 3
    assert strange.to_dict()["is_familiar"] is False
    assert strange.to_dict()["limitation"] == "drawings only"
    [plain] = predictor().predict(every[0], LABELS)
    assert not {"is_familiar", "limitation"} & plain.to_dict().keys()


def test_provenance_says_whether_training_knew_a_name():
    finder = predictor()
    assert finder.ask(["Effusion"]).anchors.provenance == "train-only"
    assert finder.ask(LABELS).anchors.provenance == "target-aware"


def test_another_mode_is_not_calibrated_and_a_threshold_may_be_set():
    finder = predictor()
    question = finder.ask(LABELS, mode="vs-normal")
    [found] = finder.predict(images(1), question, threshold=0.9)
    assert found.mode == "vs-normal"
    assert all(f.probability == pytest.approx(f.score) and f.threshold == 0.9 for f in found.findings)


def test_unreadable_images_are_told_in_their_place(tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    found = list(predictor().predict([images(1)[0], bad], LABELS, on_error="skip"))
    assert isinstance(found[1], Failure)
    assert found[0].source == "image 0"
    with pytest.raises(ImageReadError, match=r"bad\.png"):
        list(predictor().predict([bad], LABELS))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([], "no finding|name at least|empty"),
        (["", "  "], "no finding|name at least|empty"),
        (["effusion", "Pleural Effusion"], "both mean"),
        (["pneumonnia"], "did you mean 'pneumonia'"),
    ],
)
def test_lists_that_cannot_be_asked_are_one_line(labels, said):
    with pytest.raises(ZerosightError, match=said) as error:
        predictor().ask(labels)
    assert "\n" not in str(error.value)


def test_anchors_are_made_once_per_model_and_list(tmp_path, monkeypatch):
    cache = AnchorCache(tmp_path)
    first = predictor(cache=cache).ask(LABELS)
    again = predictor(cache=cache)
    monkeypatch.setattr(again.model, "embed_texts", lambda texts: pytest.fail("the cache was not used"))
    assert torch.equal(again.ask(LABELS).anchors.presence, first.anchors.presence)
    with pytest.raises(ZerosightError, match="no description"):
        again.ask(["situs inversus"])


def test_the_language_model_may_describe_what_nobody_described(tmp_path, monkeypatch):
    finder = predictor(cache=AnchorCache(tmp_path))
    answers = iter(["The heart lies in the right side of the chest, apex to the right."] * 9)
    monkeypatch.setattr(finder.model.mllm, "generate", lambda prompt, seed, tokens: next(answers))
    question = finder.ask([" dextrocardia "], write=True)
    assert question.names == ("dextrocardia",)
    [found] = finder.predict(images(1), question)
    assert found.findings[0].name == "dextrocardia"


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_threshold_that_no_probability_reaches_is_refused(value):
    with pytest.raises(ConfigError, match=r"^threshold: is a number from 0 to 1"):
        list(predictor().predict(images(1), LABELS, threshold=value))


def test_another_process_is_refused_before_it_hangs(monkeypatch):
    finder = predictor()
    question = finder.ask(LABELS)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    for work in (lambda: finder.ask(LABELS), lambda: list(finder.predict(images(1), question))):
        with pytest.raises(ProcessError, match="loaded before this process was forked"):
            work()
