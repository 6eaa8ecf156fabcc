from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from zerosight.backbones.mllm.model import Mllm
from zerosight.backbones.mllm.tiny import TinyFamily, random_mllm

SHAPES = get_args(TinyFamily)


@pytest.fixture(scope="session", params=SHAPES)
def mllm(request: pytest.FixtureRequest) -> Mllm:
    """Return a miniature of every shape; tests leave it as it is."""
    return random_mllm(request.param)


@pytest.fixture(scope="session")
def pixels() -> Tensor:
    """Return three noise images."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8, generator=generator)
