"""Normal images in, a predictor out: duplicates, unreadable files, few images, more images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zerosight
from zerosight.errors import ConfigError, DataError
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.models.vip2clip.scorer import tiny_scorer
from zerosight.predict.references import How, learn, required, with_normals
from zerosight.weights import load_tensors, save_tensors

CARD = Vip2ClipCard.parse({"name": "tiny", "backbone": {"kind": "tiny", "image_size": 48}})


@pytest.fixture(scope="module")
def base() -> Vip2Clip:
    return tiny_scorer().model


@pytest.fixture(scope="module")
def card(base) -> Vip2ClipCard:
    return CARD.model_copy(update={"backbone_fingerprint": base.encoder.fingerprint, "model": base.config})


def parts(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = np.arange(60)[:, None, None]
    plain = 120 + 50 * np.sin(rows / 4) * np.ones((60, 40, 3))
    return [(plain + rng.normal(0, 5, plain.shape)).clip(0, 255).astype(np.uint8) for _ in range(count)]


def test_a_predictor_that_knows_its_normals_is_saved_and_loaded(base, card, tmp_path):
    learned = learn(base, card, parts(20))
    saved = learned.predictor.save(tmp_path / "mine")
    assert saved.images.kept
    assert learned.warnings == ()
    defect = parts(1, seed=9)[0]
    defect[20:40, 10:30] = 255
    found = [
        list(p.predict([*parts(1, seed=8), defect]))
        for p in (learned.predictor, zerosight.load(tmp_path / "mine"))
    ]
    assert found[0][0].score == pytest.approx(found[1][0].score, abs=1e-5)
    assert found[0][1].is_anomalous
    assert found[0][1].anomaly_map.shape == (60, 40)


def test_what_is_wrong_with_normals_is_said(base, card, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    Image.fromarray(parts(1)[0]).save(tmp_path / "0.png")
    Image.fromarray(parts(1)[0]).save(tmp_path / "again.png")
    large = Image.fromarray(parts(2)[1]).resize((200, 300))
    large.save(tmp_path / "large.png")
    learned = learn(
        base, card, [tmp_path / name for name in ("0.png", "broken.png", "again.png", "large.png")]
    )
    text = "\n".join(learned.warnings)
    assert "broken.png: left out, it cannot be read" in text
    assert "again.png: left out, the same image is there already" in text
    assert "2 normal images: fewer than 20" in text
    assert "cannot promise 5% false alarms, only 33%; that takes at least 19" in text
    assert "sizes differ much (60 to 300 pixels)" in text


def test_one_normal_promises_no_rate(base, card, tmp_path):
    learned = learn(base, card, parts(1))
    assert learned.warnings == (
        "1 normal image: only its own halves can judge it, so no false-alarm rate is promised; "
        "5% takes at least 19",
    )
    saved = learned.predictor.save(tmp_path / "mine")
    assert [saved.images.bound, saved.pixels.bound, saved.images.kept] == [1.0, 1.0, False]
    assert saved.facts()["Expected false alarms"] == "no rate is promised"
    assert saved.thresholds.source.startswith("1 normal image, judged by its own halves; no false-alarm rate")
    more = with_normals(learned.predictor, parts(3, seed=4))
    assert more.predictor.card.images.bound == 0.2


def test_more_normals_later(base, card):
    learned = learn(base, card, parts(6))
    more = with_normals(learned.predictor, [*parts(1), *parts(4, seed=5)], None, None)
    assert len(more.predictor.card.normals) == 10
    assert any("the same image is there already" in line for line in more.warnings)


def test_turned_copies_are_kept_and_cannot_be_changed_later(base, card, tmp_path):
    learned = learn(base, card, parts(3), how=How(augment="flips"))
    assert "turned copies of the normal images count, too (flips)" in learned.warnings
    learned.predictor.save(tmp_path / "mine")
    again = zerosight.load(tmp_path / "mine")
    assert again.card.augment == "flips"
    assert len(again.with_normals(parts(2, seed=7)).card.normals) == 5
    with pytest.raises(ConfigError, match=r"'turns' is asked for, but .* have 'flips'"):
        again.with_normals(parts(2, seed=7), augment="turns")
    assert learn(base, card, parts(1), how=How(augment="auto")).predictor.card.augment == "none"


@pytest.mark.parametrize("images", [[], ["/nowhere/at/all.png"]])
def test_no_normal_is_one_line(base, card, images):
    with pytest.raises(DataError, match="no normal image could be read"):
        learn(base, card, [Path(one) for one in images])


def test_alpha_out_of_range_is_one_line(base, card):
    with pytest.raises(ConfigError, match="alpha"):
        learn(base, card, parts(2), (0.0, 0.01))


def test_a_promise_that_is_missed_by_little_is_told_apart(base, card):
    learned = learn(base, card, parts(2), alphas=(0.33, 0.01))
    assert "cannot promise 33% false alarms, only 33.3%; that takes at least 3" in "\n".join(learned.warnings)


@pytest.mark.parametrize(("alpha", "count"), [(0.05, 19), (0.1, 9), (0.01, 99)])
def test_how_many_normals_a_promise_takes(alpha, count):
    assert required(alpha) == count


@pytest.mark.realdata
def test_false_alarms_on_real_images_are_as_rare_as_promised(realdata: Path):
    from scipy.stats import binom

    tiles = sorted((realdata / "magnetic_tile" / "MT_Free" / "Imgs").glob("*.jpg"))[::12]
    shuffled = [tiles[i] for i in np.random.default_rng(0).permutation(len(tiles))]
    predictor = zerosight.load("vip2clip-lite").with_normals(shuffled[:20], alpha=0.05)
    assert predictor.card.images.kept
    judged = list(predictor.predict(shuffled[20:]))
    alarms = sum(one.is_anomalous for one in judged)
    assert alarms <= binom.ppf(0.99, len(judged), predictor.card.images.interval[1])


def test_an_image_of_another_world_is_not_called_anything(base, card, tmp_path):
    learned = learn(base, card, parts(20))
    assert learned.predictor.tells_unfamiliar
    assert learned.predictor.card.familiarity.refused == pytest.approx(1 / 21)
    defect = parts(1, seed=9)[0]
    defect[20:26, 10:16] = 255
    other = np.random.default_rng(3).integers(0, 256, (60, 40, 3), dtype=np.uint8)
    learned.predictor.save(tmp_path / "mine")
    again = zerosight.load(tmp_path / "mine")
    for predictor in (learned.predictor, again):
        found = list(predictor.predict([parts(1, seed=8)[0], defect, other]))
        assert [one.is_familiar for one in found] == [True, True, False]
    assert "unlike the images" in repr(found[2])
    assert found[2].to_dict()["is_familiar"] is False
    assert [one.is_familiar for one in again.tiled(32).predict([other])] == [None]
    assert again.identity()["familiarity"] == learned.predictor.identity()["familiarity"]


def test_few_normals_and_folders_from_before_check_nothing(base, card, tmp_path):
    few = learn(base, card, parts(7)).predictor
    assert few.card.familiarity is None
    assert "familiarity" not in few.identity()
    assert "is_familiar" not in few.predict_one(parts(1, seed=8)[0]).to_dict()
    learn(base, card, parts(20)).predictor.save(tmp_path / "old")
    weights = load_tensors(tmp_path / "old/model.safetensors")
    save_tensors({k: v for k, v in weights.items() if k != "looks"}, tmp_path / "old/model.safetensors")
    values = json.loads((tmp_path / "old/card.json").read_text()) | {"weights_sha256": ""}
    del values["familiarity"]
    (tmp_path / "old/card.json").write_text(json.dumps(values))
    old = zerosight.load(tmp_path / "old")
    assert not old.tells_unfamiliar
    assert old.predict_one(parts(1, seed=8)[0]).is_familiar is None
    more = with_normals(old, parts(12, seed=5)).predictor
    assert (len(more.scorer.loaded.normals), more.card.familiarity) == (32, None)
