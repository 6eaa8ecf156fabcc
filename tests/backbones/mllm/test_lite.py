"""The small language model of the embedded default: the same shape and code path as the large ones."""

from __future__ import annotations

import pytest
import torch
from transformers import LlavaForConditionalGeneration

from zerosight.backbones.lite import load_network
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.lite import NAME, SIZE, lite_mllm
from zerosight.backbones.mllm.load import load_mllm

pytestmark = pytest.mark.slow


def test_it_is_a_llava_whose_tower_has_imagenets_weights_and_stays_frozen():
    mllm = load_mllm(MllmConfig(model=NAME))
    assert isinstance(mllm.model, LlavaForConditionalGeneration)
    assert mllm.grid == SIZE // 32
    pixels = torch.randint(0, 256, (2, SIZE, SIZE, 3), dtype=torch.uint8)
    seen = mllm.see(pixels)
    assert seen.shape == (2, mllm.grid**2, 40 + 112 + 320)
    images = (pixels.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.inference_mode():
        stages = load_network().stages(images)[2:]
    deviation = mllm.tower.tower.get_buffer("stage_4_deviation")
    mean = mllm.tower.tower.get_buffer("stage_4_mean")
    deep = ((stages[0] - mean[:, None, None]) / deviation[:, None, None]).clamp(-5, 5)
    ours = seen[..., -320:].transpose(1, 2).unflatten(2, (mllm.grid, mllm.grid))
    agreement = torch.corrcoef(torch.stack([ours.flatten(), deep.flatten()]))[0, 1]
    assert agreement > 0.95  # ours went over the grid of stride 16
    assert not any(parameter.requires_grad for parameter in mllm.parameters())


def test_it_is_the_same_every_time_and_knows_its_licence():
    first, second = lite_mllm(), lite_mllm()
    assert first.fingerprint == second.fingerprint
    texts = ["No pleural effusion.", "There is a large right pleural effusion."]
    assert torch.equal(first.encode_texts(texts).cls, second.encode_texts(texts).cls)
    assert "non-commercial" in first.licence


def test_its_decoder_has_read_reports():
    mllm = lite_mllm()

    def surprise(text: str) -> float:
        ids = torch.tensor([[mllm.tokenizer.bos_token_id, *mllm.token_ids(text)]])
        with torch.inference_mode():
            logits = mllm.model(input_ids=ids).logits
        return float(torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:]))

    assert surprise("The lungs are clear. No pleural effusion.") < 2.5
    assert surprise("pleural The no are lungs effusion clear.") > 4.5
