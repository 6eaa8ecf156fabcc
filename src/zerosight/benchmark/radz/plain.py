"""The plain formulation, a model as transformers runs it, and the ways from there to what the product runs.

An image goes through all of the decoder, through it without its head, or as far as it is read.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from zerosight.backbones.mllm.families import up_to_layer
from zerosight.backbones.mllm.masks import sight_mask
from zerosight.backbones.mllm.model import Mllm
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.models.llava_radz.scoring import finding_scores
from zerosight.predict.findings import FindingPredictor, Question


def random_pixels(mllm: Mllm, count: int, seed: int = 0) -> UInt8[np.ndarray, "batch size size 3"]:
    """Return noise of the size that a model takes."""
    side = mllm.preprocess.size
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def image_rows(mllm: Mllm, seen: Float[Tensor, "batch token vision"]) -> Float[Tensor, "batch length width"]:
    """Return ``[BOS] image <ImgCls>`` as it enters the decoder."""
    start = mllm.begin()
    rows = [torch.cat([start, image, mllm.image_cls.to(image.dtype)]) for image in mllm.project(seen)]
    return torch.stack(rows)


def whole_pass(mllm: Mllm, rows: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch length width"]:
    """Return the states of the read layer as one gets them from transformers.

    All layers run, all hidden states are kept, every position gets its logits, and one state is picked. The
    last of them would come normed, so where that is read, the norm is taken apart.
    """
    decoder, to_logits = mllm.decoder, mllm.model.get_output_embeddings()
    inputs = {"inputs_embeds": rows, "attention_mask": _mask(mllm, rows), "use_cache": False}
    if mllm.config.read_layer == -1:
        raw: Tensor = up_to_layer(decoder, decoder.config.num_hidden_layers)(**inputs).last_hidden_state
        to_logits(decoder.get_submodule("norm")(raw))
        return raw
    outputs = decoder(**inputs, output_hidden_states=True)
    to_logits(outputs.last_hidden_state)
    states: Tensor = outputs.hidden_states[mllm.config.read_layer]
    return states


def network_of(predictor: FindingPredictor) -> LlavaRadz:
    """Return the network of a predictor, which here is always LLaVA-RadZ."""
    assert isinstance(predictor.model, LlavaRadz)
    return predictor.model


@torch.inference_mode()
def plain_scores(
    predictor: FindingPredictor, pixels: UInt8[np.ndarray, "batch size size 3"], question: Question
) -> Shaped[np.ndarray, "batch classes"]:
    """Return the scores of images by a full run of the model, of which one hidden state is used."""
    model = network_of(predictor)
    rows = image_rows(model.mllm, model.mllm.see(torch.from_numpy(pixels)))
    closing = whole_pass(model.mllm, rows)[:, -model.mllm.closing :]
    pooled = model.image_head.pooled(closing)
    return finding_scores(pooled, question.anchors, question.mode, float(model.temperature)).cpu().numpy()


def headless_pass(
    mllm: Mllm, rows: Float[Tensor, "batch length width"]
) -> Float[Tensor, "batch length width"]:
    """Return the last states of the whole decoder; the language head does not run."""
    mask = _mask(mllm, rows)
    states: Tensor = mllm.decoder(inputs_embeds=rows, attention_mask=mask, use_cache=False).last_hidden_state
    return states


def stopped_pass(
    mllm: Mllm, rows: Float[Tensor, "batch length width"]
) -> Float[Tensor, "batch length width"]:
    """Return the states of the read layer as the product gets them: nothing above it runs."""
    return mllm.read(list(rows), mllm.image_spans(rows))


def _mask(
    mllm: Mllm, rows: Float[Tensor, "batch length width"]
) -> Float[Tensor, "batch 1 length length"] | None:
    """Return what lets image tokens see each other, where they do."""
    spans = mllm.image_spans(rows)
    return sight_mask(rows, spans) if spans else None


def operations(work: Callable[[], object]) -> int:
    """Return the floating-point operations of the matrix products and convolutions of a piece of work.

    An addition and a multiplication are two. Attention is counted in full, causal or not.
    """
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())
