"""The PyTorch scorer: exact and fast, and what is computed once per model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import zerosight
from zerosight.errors import ConfigError
from zerosight.models.vip2clip.scorer import PixelsToMap, TorchScorer, tiny_scorer


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)


def plain_scores(network: PixelsToMap, pixels: np.ndarray) -> np.ndarray:
    model = network.model
    encoder = model.encoder.plain()
    images = torch.from_numpy(pixels).float().div(255).movedim(-1, 1)
    mean, std = (torch.tensor(x)[:, None, None] for x in (network.preprocess.mean, network.preprocess.std))
    with torch.no_grad():
        return model.plain(encoder.encode_image((images - mean) / std)).scores.numpy()


def test_exact_is_the_plain_formulation(pixels):
    scorer = tiny_scorer()
    np.testing.assert_allclose(scorer.score(pixels)[0], plain_scores(scorer.network, pixels), atol=1e-5)


def test_fast_is_near_and_the_model_stays_exact(pixels):
    exact = tiny_scorer()
    before = exact.score(pixels)
    fast = TorchScorer(exact.model, precision="fast")
    found = fast.score(pixels)
    assert fast.model.ica is exact.model.ica
    assert fast.preprocess == exact.preprocess
    assert fast.model.encoder.fingerprint != exact.model.encoder.fingerprint
    for one, two, again in zip(found, before, exact.score(pixels), strict=True):
        assert one.dtype == np.float32
        assert 0 < np.abs(one - two).max() < 0.05
        np.testing.assert_array_equal(two, again)


def test_the_shipped_model_is_near_in_bf16_and_its_text_tower_remembers_nothing():
    exact, fast = zerosight.load(), zerosight.load(precision="fast")
    assert exact.scorer.network.prefix is None
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    [one], [two] = exact.predict(picture), fast.predict(picture)
    assert one.score == pytest.approx(two.score, abs=0.05)
    assert np.abs(one.anomaly_map - two.anomaly_map).max() < 0.1


def test_a_model_that_cannot_be_compiled_is_one_line(monkeypatch, pixels):
    def broken(network):
        def run(_):
            raise RuntimeError("no compiler\nhere")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(ConfigError, match="compile: PyTorch cannot compile the image tower here") as refused:
        TorchScorer(tiny_scorer().model, compile=True)
    assert "\n" not in str(refused.value)
    monkeypatch.setattr(torch, "compile", lambda network: network)
    assert TorchScorer(tiny_scorer().model, compile=True).score(pixels)[0].shape == (3,)
