"""CLIP behind the protocol: against open_clip's own forward pass, and against the paper's departures."""

from __future__ import annotations

import pytest
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from torch.nn import functional as F

from zerosight.backbones.openclip import OpenClipEncoder
from zerosight.backbones.openclip_load import simple_tokenizer
from zerosight.backbones.tiny import tiny_encoder
from zerosight.errors import ConfigError
from zerosight.preprocess import Preprocess


def images(size: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_away_from_paper_mode_the_pooled_feature_is_open_clips_own():
    encoder = tiny_encoder(image_size=32)
    encoder.tower.paper = False
    expected = F.normalize(encoder.model.encode_image(images(32)), dim=-1)
    torch.testing.assert_close(encoder.encode_image(images(32)).pooled, expected)


def test_paper_mode_leaves_out_the_last_norm_of_the_pooled_feature():
    encoder = tiny_encoder(image_size=32)
    visual = encoder.model.visual
    tokens = visual.transformer(visual._embeds(images(32)))
    expected = F.normalize(tokens[:, 0] @ visual.proj, dim=-1)
    torch.testing.assert_close(encoder.encode_image(images(32)).pooled, expected)


def test_patches_of_the_last_block_are_normed_projected_and_of_unit_length():
    encoder = tiny_encoder(image_size=32, blocks=(2, 4))
    visual = encoder.model.visual
    tokens = visual.transformer(visual._embeds(images(32)))
    expected = F.normalize(visual.ln_post(tokens)[:, 1:] @ visual.proj, dim=-1)
    patches = encoder.encode_image(images(32)).patches
    assert patches.shape == (2, 2, 16, 48)
    torch.testing.assert_close(patches[1], expected)


@pytest.mark.parametrize(("paper", "mode"), [(True, "bilinear"), (False, "bicubic")])
def test_positions_are_resized_by_the_mode_and_the_native_table_is_kept(paper, mode):
    encoder = tiny_encoder(image_size=48)
    encoder.tower.paper = paper
    table = encoder.model.visual.positional_embedding
    before = table.clone()
    square = table[1:].T.reshape(1, 64, 4, 4)
    resized = F.interpolate(square, (6, 6), mode=mode, align_corners=False, antialias=not paper)
    found = encoder.tower.positions(6)
    torch.testing.assert_close(found[1:], resized[0].flatten(1).T)
    assert torch.equal(found[0], table[0])
    assert torch.equal(table, before)
    assert encoder.tower.positions(4) is table


@pytest.mark.parametrize("words", ["a photo of a good screw", "damaged"])
def test_embedded_prompts_equal_open_clips_text_tower(words):
    encoder = tiny_encoder()
    tokens, embedded = encoder.prompt_tokens(), encoder.embed_words(words)
    prompt = torch.cat([tokens.start, embedded, tokens.end])[None]
    expected = encoder.model.encode_text(simple_tokenizer([words]))
    torch.testing.assert_close(encoder.encode_prompts(prompt, prompt.shape[1] - 1), expected)


def test_tokens_after_the_end_change_nothing():
    encoder = tiny_encoder()
    prompt = torch.randn(2, 77, 32)
    torch.testing.assert_close(encoder.encode_prompts(prompt, 12), encoder.encode_prompts(prompt[:, :13], 12))


def test_blocks_default_to_the_ends_of_the_quarters():
    text = CLIPTextCfg(width=32, heads=2, layers=1)
    clip = CLIP(16, CLIPVisionCfg(layers=24, width=64, patch_size=8, image_size=16), text)
    encoder = OpenClipEncoder(clip, simple_tokenizer, Preprocess(16, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    assert encoder.tower.blocks == (6, 12, 18, 24)


def test_same_seed_same_fingerprint_and_any_change_another():
    assert tiny_encoder(0).fingerprint == tiny_encoder(0).fingerprint
    others = [tiny_encoder(1), tiny_encoder(0, image_size=32), tiny_encoder(0, blocks=(4,))]
    assert len({e.fingerprint for e in [tiny_encoder(0), *others]}) == 4


@pytest.mark.parametrize("blocks", [(0,), (5,), (3, 2), (2, 2)])
def test_blocks_that_do_not_exist_are_refused(blocks):
    with pytest.raises(ConfigError, match="ascending numbers from 1 to 4"):
        tiny_encoder(blocks=blocks)


def test_a_size_off_the_patch_grid_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match="multiple of the patch size 8, got 50; try 48"):
        tiny_encoder(image_size=50)


def test_a_resnet_clip_is_refused():
    text = CLIPTextCfg(width=32, heads=2, layers=1)
    resnet = CLIP(16, CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=64), text)
    with pytest.raises(ConfigError, match="not a CLIP with a vision transformer"):
        OpenClipEncoder(resnet, simple_tokenizer, Preprocess(64, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
