"""CLIP models of open_clip behind the DualEncoder protocol."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property

import torch
from jaxtyping import Float
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import Tensor, nn

from zerosight.backbones.blocks import is_lean, run_block, twin
from zerosight.backbones.dual_encoder import ImageFeatures, PromptPrefix, PromptTokens
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
        self.lean = all(is_lean(block) for block in self.text.transformer.resblocks)
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
        pooled, tokens = self.tower(images) if self.lean else self.tower.plain(images)
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
        self, prompts: Float[Tensor, "prompt token width"], end: int, prefix: PromptPrefix | None = None
    ) -> Float[Tensor, "prompt dim"]:
        """Return the text features of embedded prompts.

        The tower is causal, so tokens after ``end`` are never read and need not be given (13 tokens instead
        of 77 for the paper's prompts; exact), and what it remembers of a prefix does not depend on the rest
        (4 tokens instead of 13; exact).
        """
        text, start = self.text, prefix.length if prefix else 0
        length = start + prompts.shape[1]
        tokens = prompts + text.positional_embedding[start:length]
        mask = text.attn_mask[start:length, :length]
        if self.lean:
            for i, block in enumerate(text.transformer.resblocks):
                tokens, _ = run_block(block, tokens, mask, prefix.blocks[i] if prefix else None)
        else:
            tokens = text.transformer(tokens, attn_mask=mask)
        closing = text.ln_final(tokens[:, end - start])
        if isinstance(text.text_projection, nn.Linear):
            return text.text_projection(closing)
        return closing @ text.text_projection

    def read_prefix(self, beginnings: Float[Tensor, "beginning token width"]) -> PromptPrefix | None:
        """Return the keys and values of some beginnings of prompts; None if the blocks are unusual ones."""
        if not self.lean:
            return None
        text, length = self.text, beginnings.shape[1]
        tokens = beginnings + text.positional_embedding[:length]
        remembered = []
        for block in text.transformer.resblocks:
            tokens, own = run_block(block, tokens, text.attn_mask[:length, :length])
            remembered.append(own)
        return PromptPrefix(length, tuple(remembered))

    def fast(self) -> OpenClipEncoder:
        """Return an encoder whose image tower multiplies in bf16; norms and the text tower stay fp32."""
        tower = self.tower
        model = twin(self.model)
        other = OpenClipEncoder(model, self.tokenizer, self.preprocess, tower.blocks, tower.paper)
        other.tower.halve()
        return other

    def plain(self) -> OpenClipEncoder:
        """Return an encoder that runs open_clip's own blocks, with the same weights."""
        other = copy.copy(self)
        other.lean = False
        return other

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
