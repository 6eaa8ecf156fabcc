from __future__ import annotations

import pytest
import torch

from zerosight.backbones.dual_encoder import ImageFeatures
from zerosight.backbones.tiny import tiny_encoder
from zerosight.models.vip2clip.model import Vip2Clip, Vip2ClipConfig


@pytest.fixture(scope="session")
def model() -> Vip2Clip:
    torch.manual_seed(1)
    return Vip2Clip(tiny_encoder(3), Vip2ClipConfig(top_k=7))


@pytest.fixture(scope="session")
def features(model: Vip2Clip) -> ImageFeatures:
    generator = torch.Generator().manual_seed(2)
    return model.encoder.encode_image(torch.randn(3, 3, 48, 48, generator=generator))
