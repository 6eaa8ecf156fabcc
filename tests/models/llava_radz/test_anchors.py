from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.errors import ConfigError, WeightsError
from zerosight.models.llava_radz.anchor_cache import AnchorCache
from zerosight.models.llava_radz.anchors import AnchorConfig, anchor_texts, build_anchors
from zerosight.models.llava_radz.config import RadzConfig
from zerosight.models.llava_radz.descriptions import DescriptionError, load_descriptions
from zerosight.models.llava_radz.model import LlavaRadz

KNOWN = load_descriptions()
NAMES = ("pneumonia", "no finding", "pleural effusion")
TEXTS = anchor_texts(NAMES, KNOWN)
DIM = 8


def vector(text: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
    return np.random.default_rng(seed).normal(size=DIM) * 3


class Embed:
    """A vector per text, of any length, and a count of the texts encoded."""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Tensor:
        self.encoded += texts
        assert not torch.is_grad_enabled()
        return torch.tensor(np.stack([vector(text) for text in texts]), dtype=torch.float64)


def reference(texts: Sequence[str]) -> np.ndarray:
    unit = [vector(text) / np.linalg.norm(vector(text)) for text in texts]
    mean = np.mean(unit, axis=0)
    return mean / np.linalg.norm(mean)


def test_anchors_are_normalised_means_of_normalised_texts():
    anchors = build_anchors(Embed(), TEXTS, "model", ())
    for i, name in enumerate(NAMES):
        np.testing.assert_allclose(anchors.presence[i], reference(KNOWN[name].presence), atol=1e-6)
        np.testing.assert_allclose(anchors.absence[i], reference(KNOWN[name].absence), atol=1e-6)
    np.testing.assert_allclose(anchors.normal, reference(KNOWN["no finding"].presence), atol=1e-6)
    assert torch.equal(anchors.normal, anchors.presence[1])
    assert anchors.names == NAMES
    assert anchors.presence.dtype == torch.float32


def test_batches_change_nothing_and_no_text_is_encoded_twice():
    one, all_at_once = Embed(), Embed()
    singles = build_anchors(one, TEXTS, "model", (), batch_size=1)
    together = build_anchors(all_at_once, TEXTS, "model", (), batch_size=100)
    assert torch.equal(singles.presence, together.presence)
    assert torch.equal(singles.absence, together.absence)
    assert len(one.encoded) == len(set(one.encoded)) == len(all_at_once.encoded)


@pytest.mark.parametrize(
    ("trained_on", "provenance", "seen"),
    [
        ((), "train-only", ()),
        (("edema", "Mass"), "train-only", ()),
        (("Effusion", "edema"), "target-aware", ("pleural effusion",)),
        (NAMES, "target-aware", NAMES),
        (("normal",), "target-aware", ("no finding",)),
        (None, "target-aware", ()),
    ],
)
def test_provenance_tells_whether_training_used_any_of_the_names(trained_on, provenance, seen):
    anchors = build_anchors(Embed(), TEXTS, "model", trained_on)
    assert anchors.provenance == provenance
    assert anchors.used_in_training == seen
    assert anchors.to("cpu").provenance == provenance


def test_the_key_changes_with_model_texts_names_and_settings():
    others = [
        anchor_texts(NAMES[::-1], KNOWN),
        anchor_texts(NAMES[:2], KNOWN),
        anchor_texts(NAMES, KNOWN, AnchorConfig(texts=1)),
        anchor_texts(NAMES, KNOWN, AnchorConfig(words=3)),
        anchor_texts(NAMES, KNOWN, AnchorConfig(template="Report: {text}")),
    ]
    keys = {TEXTS.key("model"), TEXTS.key("other"), *(texts.key("model") for texts in others)}
    assert len(keys) == 7
    assert TEXTS.key("model") == anchor_texts(["Pneumonia", "normal", "Effusion"], KNOWN).key("model")


def test_settings_choose_what_is_encoded():
    embed = Embed()
    texts = anchor_texts(["mass"], KNOWN, AnchorConfig(template="CXR. {text}", texts=1, words=2))
    build_anchors(embed, texts, "model", ())
    assert embed.encoded == ["CXR. A rounded", "CXR. No pulmonary", "CXR. Normal chest"]


@pytest.mark.parametrize("settings", [{"template": "no place"}, {"texts": 0}, {"words": 0}])
def test_settings_that_are_none(settings):
    with pytest.raises(ConfigError):
        AnchorConfig.parse(settings)


def test_names_without_description_and_empty_lists():
    with pytest.raises(DescriptionError, match="no description of 'scoliosis'"):
        anchor_texts(["scoliosis"], KNOWN)
    with pytest.raises(ConfigError, match="no finding"):
        anchor_texts([], KNOWN)


def test_vectors_that_are_not_finite_are_refused_and_not_kept(tmp_path):
    cache = AnchorCache(tmp_path)
    with pytest.raises(WeightsError, match="not finite"):
        build_anchors(lambda texts: torch.full((len(texts), DIM), torch.nan), TEXTS, "model", (), cache)
    assert not list(tmp_path.iterdir())


def test_what_is_cached_is_not_encoded_again_and_provenance_is_not_cached(tmp_path):
    embed = Embed()
    first = build_anchors(embed, TEXTS, "model", (), AnchorCache(tmp_path))
    count = len(embed.encoded)
    again = build_anchors(embed, TEXTS, "model", NAMES, AnchorCache(tmp_path))
    assert len(embed.encoded) == count
    for name in ("presence", "absence", "normal"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert (first.provenance, again.provenance) == ("train-only", "target-aware")
    build_anchors(embed, TEXTS, "trained further", (), AnchorCache(tmp_path))
    assert len(embed.encoded) == 2 * count


def test_a_language_models_anchors_do_not_depend_on_batches():
    radz = LlavaRadz(random_mllm(), RadzConfig(dim=DIM)).eval()

    def embed(texts: Sequence[str]) -> Tensor:
        return radz.embed_texts(texts).pooled

    singles = build_anchors(embed, TEXTS, "model", (), batch_size=1)
    together = build_anchors(embed, TEXTS, "model", (), batch_size=16)
    torch.testing.assert_close(singles.presence, together.presence, atol=1e-5, rtol=0)
    torch.testing.assert_close(singles.absence, together.absence, atol=1e-5, rtol=0)
    assert not together.presence.requires_grad
