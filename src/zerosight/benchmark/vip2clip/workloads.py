"""What is measured: models of several sizes, and pictures to show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from zerosight.backbones.build import build_encoder
from zerosight.backbones.config import BackboneConfig
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import load_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.preprocess import Preprocess


@dataclass(frozen=True, slots=True)
class Workload:
    """A model and how it is measured.

    Attributes:
        name: Of the rows.
        backbone: The CLIPs have random weights: speed does not depend on them.
        batch: Images per pass; the plain formulation takes one at a time.
        pairs: Repetitions of plain and product, in turn.
        model: A shipped model on this backbone; None draws adapters at random.
        ways: Ways of computing that are measured unless others are asked for.
    """

    name: str
    backbone: BackboneConfig
    batch: int
    pairs: int
    model: str | None = None
    ways: tuple[str, ...] = ("exact", "fast", "onnx", "openvino", "openvino-fast", "openvino-int8")

    def build(self) -> tuple[Vip2Clip, Vip2ClipCard]:
        """Return the model, the same at every call, and its card."""
        if self.model:
            loaded = load_model(self.model)
            return loaded.model, loaded.card
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = Vip2Clip(build_encoder(self.backbone))
        card = Vip2ClipCard(name=self.name, backbone=self.backbone)
        return model.eval().requires_grad_(False), card


def _clip(model: str, image_size: int | None = None) -> BackboneConfig:
    return BackboneConfig(kind="openclip", model=model, weights="random:0", image_size=image_size)


WORKLOADS = {
    "lite": Workload("lite", BackboneConfig(), batch=8, pairs=9, model="vip2clip-lite"),
    "ViT-B/16": Workload("ViT-B/16", _clip("ViT-B-16"), batch=8, pairs=5),
    "ViT-L/14@336": Workload("ViT-L/14@336, 518 px", _clip("ViT-L-14-336-quickgelu", 518), batch=2, pairs=3),
    "tiny": Workload("tiny", BackboneConfig(kind="tiny"), batch=4, pairs=2, ways=("exact", "fast")),
}


def pictures(count: int, preprocess: Preprocess, seed: int = 0) -> UInt8[np.ndarray, "count size size 3"]:
    """Return smooth pictures with some grain, at the model's size."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 226, (count, 9, 9, 3), dtype=np.uint8)
    smooth = np.stack([preprocess.pixels(Image.fromarray(picture)) for picture in coarse])
    return (smooth + rng.normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8)
