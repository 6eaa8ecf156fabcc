"""Seeded random miniatures of the real backbones, for tests and dry runs."""

from __future__ import annotations

import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.tokenizer import SimpleTokenizer

from zerosight.backbones.openclip import OPENAI_MEAN, OPENAI_STD, OpenClipEncoder
from zerosight.preprocess import Preprocess


def tiny_encoder(
    seed: int = 0, image_size: int = 48, blocks: tuple[int, ...] | None = None
) -> OpenClipEncoder:
    """Return a CLIP of about 2 million random parameters; its scores mean nothing.

    Args:
        seed: Same seed, same weights.
        image_size: Input size in pixels, a multiple of 8.
        blocks: Tapped blocks of 4, counted from 1.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIP(
            embed_dim=48,
            vision_cfg=CLIPVisionCfg(layers=4, width=64, head_width=32, patch_size=8, image_size=32),
            text_cfg=CLIPTextCfg(width=32, heads=2, layers=2),
            quick_gelu=True,
        )
    preprocess = Preprocess(image_size, OPENAI_MEAN, OPENAI_STD)
    return OpenClipEncoder(model, SimpleTokenizer(), preprocess, blocks)
