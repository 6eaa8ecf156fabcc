"""Which models are measured and how often."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from zerosight.backbones.fingerprint import fingerprint
from zerosight.backbones.mllm import lite
from zerosight.backbones.mllm.adapters import adapt
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.load import RANDOM, load_mllm
from zerosight.backbones.mllm.model import Mllm, Provenance
from zerosight.backbones.mllm.tokenizer import BOS, EOS, IMAGE, PAD, build_tokenizer
from zerosight.errors import ConfigError
from zerosight.models.llava_radz.card import RadzCard
from zerosight.models.llava_radz.folder import LoadedModel, load_model
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.preprocess import Preprocess

LLAVA_LIKE = "random:llava-like"
HEAD = 64
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Sizes:
    """A random model of LLaVA's shape: CLIP sees, LLaMA reads.

    Attributes:
        layers: Of the decoder, at least 2: the last one is not read.
        width: Of the decoder, a multiple of 64, the width of an attention head.
        vocabulary: Rows of the language head, at least 512. LLaMA's 32,000 beside a decoder this narrow
            would make the head, and what is saved by leaving it out, seem large.
        vision_layers: Of the vision tower.
        vision_width: Of the vision tower, a multiple of 64.
        image: Height and width of an image in pixels.
        patch: Height and width of an image token in pixels.
    """

    layers: int = 8
    width: int = 512
    vocabulary: int = 4096
    vision_layers: int = 4
    vision_width: int = 256
    image: int = 160
    patch: int = 16

    def __post_init__(self) -> None:
        """Check what a user can set."""
        if self.layers < 2:
            raise ConfigError(f"layers: give at least 2, as the last one is not read, not {self.layers}")
        if self.width < HEAD or self.width % HEAD:
            raise ConfigError(f"width: give a multiple of {HEAD}, not {self.width}")


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured.

    Attributes:
        model: ``random:llava-like`` takes the sizes below; else another random shape or ``lite``, with random
            heads, or a shipped model, or a model folder.
        sizes: Of the random model.
        trained: Of the random model that gradients are taken of: a batch of 256 has to fit as one graph.
        batches: Images per pass.
        counts: Numbers of findings, the first one being what others are compared with.
        rounds: Repetitions of speed and of stopping early.
        count_rounds: Repetitions of scoring one image, where 2 % have to be told from noise.
        pairs: Images with texts in the large batch of a training step.
        chunk: Those that are held in memory at a time.
    """

    model: str = LLAVA_LIKE
    sizes: Sizes = Sizes()
    trained: Sizes = Sizes(layers=6, width=256, vision_layers=2, vision_width=128, image=96)
    batches: tuple[int, ...] = (1, 8)
    counts: tuple[int, ...] = (1, 14, 200)
    rounds: int = 7
    count_rounds: int = 25
    pairs: int = 256
    chunk: int = 8


def scoring_model(workload: Workload) -> LoadedModel:
    """Return the model of a workload in evaluation mode.

    Raises:
        WeightsError: There is no such model.
    """
    base = _base(workload, workload.sizes)
    if base is None:
        return load_model(workload.model)
    model = _with_random_heads(base).eval().requires_grad_(False)
    return LoadedModel(model, RadzCard(name="benchmark", mllm=base.config), base.fingerprint)


def training_model(workload: Workload) -> LlavaRadz:
    """Return the model that gradients are taken of, adapted, without dropout so that they can be compared.

    Raises:
        WeightsError: There is no such model.
    """
    base = _base(workload, workload.trained)
    if base is None:
        return load_model(workload.model, trainable=True).model.eval()
    return _with_random_heads(adapt(base)).eval()


def random_llava(sizes: Sizes, seed: int = 0) -> Mllm:
    """Return a random model of LLaVA's shape; what it says means nothing."""
    tokenizer = build_tokenizer()
    ids: dict[str, int] = tokenizer.get_vocab()
    text = LlamaConfig(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.width,
        intermediate_size=-(-sizes.width * 8 // (3 * HEAD)) * HEAD,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.width // HEAD,
        max_position_embeddings=2048,
        bos_token_id=ids[BOS],
        eos_token_id=ids[EOS],
        pad_token_id=ids[PAD],
    )
    vision = CLIPVisionConfig(
        hidden_size=sizes.vision_width,
        intermediate_size=4 * sizes.vision_width,
        num_hidden_layers=sizes.vision_layers,
        num_attention_heads=sizes.vision_width // HEAD,
        image_size=sizes.image,
        patch_size=sizes.patch,
    )
    shape = LlavaConfig(vision_config=vision, text_config=text, image_token_index=ids[IMAGE])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(shape).eval()
    provenance = Provenance(LLAVA_LIKE, fingerprint(model, LLAVA_LIKE), "none (random weights)")
    preprocess = Preprocess(sizes.image, HALF, HALF, "pad")
    return Mllm(model, tokenizer, preprocess, MllmConfig(model=LLAVA_LIKE, seed=seed), provenance)


def _base(workload: Workload, sizes: Sizes) -> Mllm | None:
    """Return the language model of a workload whose heads are random; None if it is a trained one's."""
    if workload.model == LLAVA_LIKE:
        return random_llava(sizes)
    if workload.model.startswith(RANDOM) or workload.model == lite.NAME:
        return load_mllm(MllmConfig(model=workload.model))
    return None


def _with_random_heads(mllm: Mllm) -> LlavaRadz:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlavaRadz(mllm)
