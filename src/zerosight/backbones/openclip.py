"""CLIP models of open_clip behind the DualEncoder protocol."""

from __future__ import annotations

import copy
from functools import cached_property

from jaxtyping import Float
from open_clip.hf_model import HFTextEncoder
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import Tensor

from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures, PromptPrefix, PromptTokens
from zerosight.backbones.fingerprint import fingerprint
from zerosight.backbones.text_towers import ClipText, Framing, HuggingFaceText, TextTower, Tokenizer
from zerosight.backbones.timm_tower import TappedTimm, is_transformer
from zerosight.backbones.twin import twin
from zerosight.backbones.vit import TappedViT
from zerosight.errors import ConfigError
from zerosight.preprocess import Preprocess

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


class OpenClipEncoder(DualEncoder):
    """A frozen CLIP, SigLIP, EVA-CLIP or the like with a vision transformer.

    Args:
        model: open_clip's model; it is put into evaluation mode and its gradients are turned off.
        tokenizer: Texts to token ids (text, context), as open_clip's tokenizers do.
        preprocess: The input size and normalisation.
        blocks: Tapped blocks, counted from 1; None takes the ends of the four quarters of the tower.
        paper: See :class:`~zerosight.backbones.vit.TappedViT`; of no effect on a trunk of timm.

    Raises:
        ConfigError: A tower is of a kind that is not read, a block does not exist, or the input size is not a
            multiple of the patch size.

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
        self.towers = self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.preprocess = preprocess
        self.framing = Framing.of(tokenizer)
        self.text = _text_tower(model, tokenizer, self.framing)
        self.tower, patch = _image_tower(model, blocks, preprocess.size, paper)
        self.shortcuts = True
        self.grid = preprocess.size // patch
        self.levels = len(self.tower.blocks)
        self.dim = self.text.dim
        self.text_width = self.text.width
        self.context_length = self.text.context_length

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights and of what is read from them."""
        return fingerprint(self.model, "openclip", self.tower.blocks, self.tower.paper, self.preprocess)

    def encode_image(self, images: Float[Tensor, "batch 3 height width"]) -> ImageFeatures:
        """Return pooled and patch features of preprocessed images."""
        pooled, tokens = self.tower(images) if self.shortcuts else self.tower.plain(images)
        return ImageFeatures(_unit(pooled), _unit(tokens[:, :, self.tower.prefix :]))

    def prompt_tokens(self) -> PromptTokens:
        """Return the embeddings of what opens and closes a prompt, and of padding."""
        frame = self.framing
        return PromptTokens(*(self.text.embed(ids) for ids in (frame.start, frame.end, (frame.padding,))))

    def embed_words(self, words: str) -> Float[Tensor, "token width"]:
        """Return the token embeddings of some words."""
        return self.text.embed(self.framing.words(self.tokenizer([words])[0]))

    def encode_prompts(
        self, prompts: Float[Tensor, "prompt token width"], end: int, prefix: PromptPrefix | None = None
    ) -> Float[Tensor, "prompt dim"]:
        """Return the text features of embedded prompts, see :mod:`zerosight.backbones.text_towers`."""
        return self.text.encode(prompts, end, prefix)

    def read_prefix(self, beginnings: Float[Tensor, "beginning token width"]) -> PromptPrefix | None:
        """Return the keys and values of some beginnings of prompts, if the text tower remembers any."""
        return self.text.read_prefix(beginnings)

    def fast(self) -> OpenClipEncoder:
        """Return an encoder whose image tower multiplies in bf16; norms and the text tower stay fp32.

        A trunk of timm stays as it is.
        """
        tower = self.tower
        model = twin(self.model)
        other = OpenClipEncoder(model, self.tokenizer, self.preprocess, tower.blocks, tower.paper)
        other.tower.halve()
        return other

    def plain(self) -> OpenClipEncoder:
        """Return an encoder that runs open_clip's own blocks, with the same weights."""
        other = copy.copy(self)
        other.shortcuts = False
        other.text = self.text.plain()
        return other


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)


def _image_tower(
    model: CLIP | CustomTextCLIP, blocks: tuple[int, ...] | None, size: int, paper: bool
) -> tuple[TappedViT | TappedTimm, int]:
    """Return the image tower with its taps, and the side of a patch."""
    visual = getattr(model, "visual", None)
    if isinstance(visual, VisionTransformer) and visual.attn_pool is None and visual.pool_type != "none":
        patch, depth = visual.patch_size[0], len(visual.transformer.resblocks)
        return TappedViT(visual, _checked(blocks, depth, size, patch), paper), patch
    if visual is not None and is_transformer(visual):
        patch, depth = visual.trunk.patch_embed.patch_size[0], len(visual.trunk.blocks)
        return TappedTimm(visual, _checked(blocks, depth, size, patch), size), patch
    trunk = getattr(visual, "trunk", visual)
    kind = " with ".join(type(part).__name__ for part in (trunk, getattr(trunk, "patch_embed", None)) if part)
    raise ConfigError(
        "this open_clip model is not a CLIP with a vision transformer that keeps its patches (its tower: "
        f"{kind}); choose one such as ViT-B-16, ViT-L-14-336-quickgelu, ViT-B-16-SigLIP2 or EVA02-B-16"
    )


def _text_tower(model: CLIP | CustomTextCLIP, tokenizer: Tokenizer, framing: Framing) -> TextTower:
    text = model if isinstance(model, CLIP) else getattr(model, "text", None)
    if isinstance(text, HFTextEncoder):
        return HuggingFaceText(text, tokenizer([""]).shape[1])
    if isinstance(text, CLIP | TextTransformer):
        return ClipText(text, framing.padding)
    raise ConfigError(
        f"this open_clip model's text tower ({type(text).__name__}) is not read; choose one such as ViT-B-16"
    )


def _checked(blocks: tuple[int, ...] | None, depth: int, size: int, patch: int) -> tuple[int, ...]:
    blocks = blocks or tuple(sorted({max(1, round(depth * part / 4)) for part in (1, 2, 3, 4)}))
    if list(blocks) != sorted(set(blocks)) or not 1 <= blocks[0] <= blocks[-1] <= depth:
        raise ConfigError(f"blocks: should be ascending numbers from 1 to {depth}, got {list(blocks)}")
    if size % patch:
        near = round(size / patch) * patch
        raise ConfigError(
            f"image_size: should be a multiple of the patch size {patch}, got {size}; try {near}"
        )
    return blocks
