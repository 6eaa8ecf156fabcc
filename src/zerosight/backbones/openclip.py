"""CLIP models of open_clip behind the DualEncoder protocol."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from jaxtyping import Float
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import Tensor, nn

from zerosight.backbones.dual_encoder import ImageFeatures, PromptTokens
from zerosight.backbones.fingerprint import fingerprint
from zerosight.backbones.vit import TappedViT
from zerosight.errors import ConfigError
from zerosight.preprocess import Preprocess

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)

Tokenizer = Callable[[list[str]], Tensor]


class OpenClipEncoder:
    """A frozen CLIP with a vision transformer.

    Args:
        model: open_clip's model; it is put into evaluation mode and its gradients are turned off.
        tokenizer: Texts to token ids (text, context), as open_clip's tokenizers do.
        preprocess: The input size and normalisation.
        blocks: Tapped blocks, counted from 1; None takes the ends of the four quarters of the tower.
        paper: See :class:`~zerosight.backbones.vit.TappedViT`.

    Raises:
        ConfigError: The towers are not transformers of CLIP's kind, a block does not exist, or the input size
            is not a multiple of the patch size.

    Source: ViP²-CLIP, section 3.1; the published configuration is ViT-L/14@336px, 518 px, blocks 6 12 18 24.
    """

    def __init__(
        self,
        model: CLIP | CustomTextCLIP,
        tokenizer: Tokenizer,
        preprocess: Preprocess,
        blocks: tuple[int, ...] | None = None,
        paper: bool = True,
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.preprocess = preprocess
        visual, self.text = _towers(model)
        blocks = blocks or _quarters(len(visual.transformer.resblocks))
        _check(visual, blocks, preprocess.size)
        self.tower = TappedViT(visual, blocks, paper)
        self.grid = preprocess.size // visual.patch_size[0]
        self.levels = len(blocks)
        self.dim = visual.proj.shape[1]
        self.text_width = self.text.token_embedding.weight.shape[1]
        self.context_length = len(self.text.positional_embedding)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights and of what is read from them."""
        return fingerprint(self.model, "openclip", self.tower.blocks, self.tower.paper, self.preprocess)

    def encode_image(self, images: Float[Tensor, "batch 3 height width"]) -> ImageFeatures:
        """Return pooled and patch features of preprocessed images."""
        pooled, tokens = self.tower(images)
        return ImageFeatures(_unit(pooled), _unit(tokens[:, :, 1:]))

    def prompt_tokens(self) -> PromptTokens:
        """Return the embeddings of [SOT], [EOT] and of padding."""
        ids = self.tokenizer([""])[0]
        embedded = self._embed(torch.stack([ids[0], ids[1], ids[-1]]))
        return PromptTokens(embedded[:1], embedded[1:2], embedded[2:])

    def embed_words(self, words: str) -> Float[Tensor, "token width"]:
        """Return the token embeddings of some words."""
        ids, empty = self.tokenizer([words])[0], self.tokenizer([""])[0]
        count = int((ids != empty[-1]).sum() - (empty != empty[-1]).sum())
        return self._embed(ids[1 : 1 + count])

    def encode_prompts(
        self, prompts: Float[Tensor, "prompt token width"], end: int
    ) -> Float[Tensor, "prompt dim"]:
        """Return the text features of embedded prompts.

        The tower is causal, so tokens after ``end`` are never read and need not be given (13 tokens instead
        of 77 for the paper's prompts; exact).
        """
        text, length = self.text, prompts.shape[1]
        mask = text.attn_mask[:length, :length]
        tokens = text.transformer(prompts + text.positional_embedding[:length], attn_mask=mask)
        closing = text.ln_final(tokens[:, end])
        if isinstance(text.text_projection, nn.Linear):
            return text.text_projection(closing)
        return closing @ text.text_projection

    def to(self, device: torch.device | str) -> OpenClipEncoder:
        """Move both towers to a device."""
        self.model.to(device)
        return self

    def _embed(self, ids: Tensor) -> Tensor:
        table = self.text.token_embedding.weight
        return table[ids.to(table.device)].detach().float()


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)


def _towers(model: CLIP | CustomTextCLIP) -> tuple[VisionTransformer, CLIP | TextTransformer]:
    text = model if isinstance(model, CLIP) else model.text
    causal = isinstance(text, CLIP | TextTransformer) and text.attn_mask is not None
    if not isinstance(model.visual, VisionTransformer) or model.visual.attn_pool is not None or not causal:
        raise ConfigError(
            "this open_clip model is not a CLIP with a vision transformer and a causal text transformer; "
            "choose one such as ViT-B-16, ViT-L-14-336-quickgelu or ViT-H-14"
        )
    return model.visual, text


def _quarters(depth: int) -> tuple[int, ...]:
    return tuple(sorted({max(1, round(depth * part / 4)) for part in (1, 2, 3, 4)}))


def _check(visual: VisionTransformer, blocks: tuple[int, ...], size: int) -> None:
    depth, patch = len(visual.transformer.resblocks), visual.patch_size[0]
    if list(blocks) != sorted(set(blocks)) or not 1 <= blocks[0] <= blocks[-1] <= depth:
        raise ConfigError(f"blocks: should be ascending numbers from 1 to {depth}, got {list(blocks)}")
    if size % patch:
        near = round(size / patch) * patch
        raise ConfigError(
            f"image_size: should be a multiple of the patch size {patch}, got {size}; try {near}"
        )
