"""Peers: dual encoders of open_clip and transformers, as their libraries read them, behind one seam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from torch.nn import functional as F
from transformers import (
    CLIPConfig,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)

from zerosight.backbones.normalise import normalise
from zerosight.backbones.openclip_load import simple_tokenizer
from zerosight.backbones.tiny import tiny_encoder
from zerosight.errors import ConfigError, ZerosightError
from zerosight.models.catalog import FINDINGS, find_model, open_model, task_of
from zerosight.models.finding_model import FindingModel, LoadedFindings
from zerosight.models.llava_radz.scoring import finding_scores
from zerosight.models.peers.model import loaded_peer
from zerosight.models.peers.openclip import OpenClipTowers
from zerosight.predict.findings import FindingPredictor, load_findings
from zerosight.types import Maps

WORDS = ("no", "normal", "abnormal", "chest", "x", "-", "ray", "pneumonia", "pleural", "effusion")
LABELS = ("pneumonia", "Effusion", "no finding")


def images(count: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (30 + 5 * i, 50), dtype=np.uint8) for i in range(count)]


@pytest.fixture(scope="module", params=["clip", "siglip"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random miniature, as the hub gives it."""
    where = tmp_path_factory.mktemp(request.param)
    ids = {"<pad>": 0, "<end>": 1, "<unk>": 2} | {word: 3 + i for i, word in enumerate(WORDS)}
    words = Tokenizer(WordLevel(ids, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    names = {"pad_token": "<pad>", "eos_token": "<end>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=words, **names).save_pretrained(where)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = shape | {"vocab_size": 20, "max_position_embeddings": 12}
    text |= {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1}
    vision = shape | {"image_size": 32, "patch_size": 8}
    torch.manual_seed(0)
    if request.param == "clip":
        projected = {"projection_dim": 12}
        CLIPModel(CLIPConfig(text_config=text, vision_config=vision, **projected)).save_pretrained(where)
    else:
        text["projection_size"] = 16
        SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(where)
    return where


def test_features_are_those_of_transformers(folder):
    loaded = open_model(f"hf:{folder}", FINDINGS)
    assert isinstance(loaded, LoadedFindings)
    assert isinstance(loaded.model, FindingModel)
    own = loaded.model.towers.model
    pixels = torch.from_numpy(loaded.model.preprocess.pixels(Image.fromarray(images(1)[0])))[None]
    seen = loaded.model.see(pixels)
    expected = own.get_image_features(pixel_values=normalise(pixels, loaded.model.preprocess)).pooler_output
    torch.testing.assert_close(seen[:, 0], F.normalize(expected, dim=-1))
    assert seen.shape[1] == 1 + 16
    texts = ["no pleural effusion", "pneumonia"]
    found = loaded.model.embed_texts(texts).pooled
    padding = {"padding": "max_length", "max_length": 12} if "siglip" in str(folder) else {"padding": True}
    ids = loaded.model.towers.tokenizer(texts, return_tensors="pt", **padding)
    ids = {"input_ids": ids["input_ids"]} | ({} if "siglip" in str(folder) else dict(ids))
    torch.testing.assert_close(found, F.normalize(own.get_text_features(**ids).pooler_output, dim=-1))


def test_prediction_and_its_maps(folder):
    finder = load_findings(f"hf:{folder}")
    finder.cache = None
    question = finder.ask(LABELS)
    assert question.anchors.provenance == "target-aware"
    first, second = finder.predict(images(), question, maps=Maps(below=True))
    assert {one.name for one in first.findings} == set(LABELS)
    assert set(first.maps) == set(LABELS)
    assert first.maps["pneumonia"].shape == (30, 50)
    [alone] = finder.predict(images()[1], question, maps=False)
    assert [one.probability for one in alone.findings] == pytest.approx(
        [one.probability for one in second.findings], abs=1e-5
    )
    assert finder.identity(question)["model"] == f"hf:{folder}"
    with pytest.raises(ConfigError, match="needs a decoder"):
        finder.predict_one(images()[0], question, maps=Maps("joint", below=True))


def test_open_clip_scores_by_two_prompts():
    encoder = tiny_encoder(image_size=32)
    encoder.tower.paper = False
    finder = FindingPredictor(loaded_peer("openclip:tiny", OpenClipTowers(encoder)))
    [found] = finder.predict(images(1), ["Effusion"])
    pixels = torch.from_numpy(finder.model.preprocess.pixels(Image.fromarray(images(1)[0])))[None]
    image = encoder.model.encode_image(normalise(pixels, finder.model.preprocess))
    there, none = encoder.model.encode_text(simple_tokenizer(["pleural effusion", "no pleural effusion"]))
    difference = F.cosine_similarity(image, there[None]) - F.cosine_similarity(image, none[None])
    expected = torch.sigmoid(difference * encoder.model.logit_scale.exp())
    assert found.findings[0].score == pytest.approx(float(expected), abs=1e-5)
    described = finder.ask(["Effusion"])
    seen = finder.model.see(pixels)
    scores = finding_scores(seen[:, 0], described.anchors, "pos-neg", float(finder.model.temperature))
    assert float(scores) == pytest.approx(float(expected), abs=1e-5)


def test_what_a_peer_cannot_do_is_said_in_one_line(folder, tmp_path):
    assert task_of(f"hf:{folder}") == FINDINGS
    finder = load_findings(f"hf:{folder}")
    with pytest.raises(ConfigError, match="leave --vqa out"):
        finder.answers(np.zeros((1, 32, 32, 3), np.uint8), ["pneumonia"])
    with pytest.raises(ConfigError, match="leave --write-descriptions out"):
        finder.ask(["an unheard-of finding"], write=True)
    with pytest.raises(ZerosightError, match="has no folder"):
        find_model(f"hf:{folder}")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ZerosightError, match="holds a 'bert', which is not read; clip and siglip are"):
        load_findings(f"hf:{tmp_path}")
    with pytest.raises(ZerosightError, match="hf download nobody/nothing"):
        load_findings("hf:nobody/nothing")
    with pytest.raises(ZerosightError, match="needs weights: one of its tags"):
        load_findings("openclip:ViT-B-32")
    with pytest.raises(ConfigError, match="names no model"):
        load_findings("openclip:")
