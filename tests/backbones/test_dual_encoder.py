"""A backbone of five methods is enough: it trains, is saved, predicts, and its shortcuts are itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import zerosight
from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures, PromptPrefix, PromptTokens
from zerosight.data.manifest import ManifestHeader, Record, write_manifest
from zerosight.models.vip2clip import folder
from zerosight.models.vip2clip.config import Vip2ClipConfig
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.preprocess import Preprocess
from zerosight.train.vip2clip import run
from zerosight.train.vip2clip.config import TrainConfig

HALF = (0.5, 0.5, 0.5)


class Toy(DualEncoder):
    """Means of patches, and means of words."""

    def __init__(self, seed: int = 0) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            towers = nn.ModuleDict({"image": nn.Conv2d(3, 16, 4, stride=4), "text": nn.Embedding(256, 16)})
        self.towers = towers.eval().requires_grad_(False)
        self.preprocess = Preprocess(16, HALF, HALF)
        self.dim = self.text_width = 16
        self.levels, self.grid, self.context_length = 1, 4, 64

    def encode_image(self, images: Tensor) -> ImageFeatures:
        patches = self.towers["image"](images).flatten(2).transpose(1, 2)
        return ImageFeatures(F.normalize(patches.mean(1), dim=-1), F.normalize(patches, dim=-1)[None])

    def prompt_tokens(self) -> PromptTokens:
        start, end, padding = self.towers["text"].weight[:3, None]
        return PromptTokens(start, end, padding)

    def embed_words(self, words: str) -> Tensor:
        return self.towers["text"](torch.tensor([sum(word.encode()) % 256 for word in words.split()]))

    def encode_prompts(self, prompts: Tensor, end: int, prefix: PromptPrefix | None = None) -> Tensor:
        assert prefix is None
        return prompts[:, : end + 1].mean(1)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    records = []
    for i in range(8):
        pixels, mask = np.full((16, 16, 3), 90, np.uint8), np.zeros((16, 16), np.uint8)
        if i % 2:
            pixels[4:12, 4:12], mask[4:12, 4:12] = (240, 200, 10), 255
            Image.fromarray(mask).save(tmp_path / f"{i}_mask.png")
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        records.append(Record(f"{i}.png", f"{i}_mask.png" if i % 2 else None, i % 2, split="train"))
    write_manifest(tmp_path / "m.jsonl", ManifestHeader("toy", "."), records)
    return tmp_path / "m.jsonl"


@pytest.mark.slow
def test_five_methods_train_and_predict(manifest, tmp_path, monkeypatch):
    for module in (run, folder):
        monkeypatch.setattr(module, "build_encoder", lambda config: Toy())
    out = tmp_path / "run"
    config = TrainConfig(
        data=(manifest,),
        out=out,
        backbone=BackboneConfig(kind="tiny"),
        model=Vip2ClipConfig(blur_sigma=0, top_k=4),
        epochs=30,
        lr_ica=1e-2,
        lr_fgp=1e-2,
    )
    card = run.train(config)
    assert card.backbone_fingerprint == Toy().fingerprint
    assert card.training["on_held_out"]["image_auroc"] == 1
    assert card.training["on_held_out"]["pixel_auroc"] > 0.9
    normal, anomalous = zerosight.load(out).predict([tmp_path / "0.png", tmp_path / "1.png"])
    assert normal.score < anomalous.score
    assert anomalous.anomaly_map[4:12, 4:12].mean() > anomalous.anomaly_map.mean() + 0.2


def test_what_is_only_optimisation_changes_nothing():
    toy = Toy()
    model = Vip2Clip(toy)
    features = toy.encode_image(torch.rand(2, 3, 16, 16))
    assert model.read_prefix() is None
    assert toy.fast() is toy.plain() is toy.to("cpu") is toy
    with torch.no_grad():
        torch.testing.assert_close(model(features).scores, model.plain(features).scores)


def test_the_fingerprint_follows_the_weights_and_the_preprocessing():
    toy, same, other, larger = Toy(), Toy(), Toy(1), Toy()
    larger.preprocess = Preprocess(32, HALF, HALF)
    assert toy.fingerprint == same.fingerprint
    assert len({toy.fingerprint, other.fingerprint, larger.fingerprint}) == 3


def test_a_backbone_that_lacks_a_method_is_refused_by_name():
    class Blind(Toy):
        encode_image = DualEncoder.encode_image

    with pytest.raises(TypeError, match="encode_image"):
        Blind()
