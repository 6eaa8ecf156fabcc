"""Text towers of open_clip, fed with embeddings where their own forward passes begin with token ids.

They differ in where the feature of a text is read:

- at its closing token (CLIP, EVA-CLIP, PE): the tower is causal, so what follows is never read, and left out;
- at a fixed place (the last one in SigLIP and CLIPA, the first in others): the tower reads the padding, so
  prompts are filled to the full length with it;
- over all tokens that are no padding (towers of Hugging Face): a mask hides the padding, so there is none.

Each is exact: a prompt of a text's own embeddings has the feature that open_clip gives to that text.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from jaxtyping import Float, Int
from open_clip.hf_model import HFTextEncoder
from open_clip.model import CLIP
from open_clip.transformer import TextTransformer
from torch import Tensor, nn

from zerosight.backbones.blocks import is_lean, run_block
from zerosight.backbones.dual_encoder import PromptPrefix
from zerosight.errors import ConfigError

Tokenizer = Callable[[list[str]], Tensor]

AT_THE_END = ("argmax", "eos")
PLACES = {"first": 0, "last": -1}


@dataclass(frozen=True, slots=True)
class Framing:
    """What a tokenizer puts around words.

    Attributes:
        start: Ids before the words ([SOT] of CLIP, nothing in SigLIP).
        end: Ids after them.
        padding: The id that fills the rest.
        closes: Whether ``end`` is told from the padding; SigLIP closes a text with what it is filled with.
    """

    start: tuple[int, ...]
    end: tuple[int, ...]
    padding: int
    closes: bool

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Framing:
        """Return the framing of a tokenizer that fills texts to one length."""
        rows = tokenizer(["", "a"])
        padding = int(rows[0, -1])
        empty, word = (_unfilled(row, padding) for row in rows)
        shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(empty, word, strict=False))))
        end = empty[shared:]
        return cls(tuple(empty[:shared]), tuple(end or [padding]), padding, bool(end))

    def words(self, row: Int[Tensor, "token"]) -> list[int]:
        """Return the ids of the words alone, of a row of the tokenizer."""
        ids = _unfilled(row, self.padding)
        return ids[len(self.start) : len(ids) - len(self.end) * self.closes]


def _unfilled(row: Tensor, padding: int) -> list[int]:
    ids: list[int] = row.tolist()
    while ids and ids[-1] == padding:
        ids.pop()
    return ids


class ClipText:
    """open_clip's own text transformer.

    Args:
        model: Of its ``CLIP``, which is its own text tower, or that of its ``CustomTextCLIP``.
        padding: The id that fills a text to full length.

    Raises:
        ConfigError: It is a kind that cannot be fed with embeddings.
    """

    def __init__(self, model: CLIP | TextTransformer, padding: int) -> None:
        self.model = model
        self.padding = padding
        pool = model.text_pool_type if isinstance(model, CLIP) else model.pool_type
        extra = isinstance(model, TextTransformer) and (model.cls_emb is not None or model.use_pad_mask)
        if extra or pool not in (*AT_THE_END, *PLACES):
            raise ConfigError(
                "this open_clip model's text tower appends a token of its own or pools in its own way (as "
                "CoCa's does), which prompts of embeddings cannot go through; choose another such as ViT-B-16"
            )
        self.place = PLACES.get(pool)
        self.is_cut = self.place is None and model.attn_mask is not None
        self.lean = all(is_lean(block) for block in model.transformer.resblocks)
        self.width = model.token_embedding.weight.shape[1]
        self.context_length = len(model.positional_embedding)
        self.dim = _outputs(model.text_projection, self.width)

    def embed(self, ids: Sequence[int]) -> Float[Tensor, "token width"]:
        """Return the embeddings of tokens, positions not yet added."""
        table = self.model.token_embedding.weight
        return table[torch.tensor(ids, dtype=torch.long, device=table.device)].detach().float()

    def encode(
        self, prompts: Float[Tensor, "prompt token width"], end: int, prefix: PromptPrefix | None = None
    ) -> Float[Tensor, "prompt dim"]:
        """Return the features of prompts.

        Where the tower is causal and reads at the closing token, tokens after ``end`` need not be given (13
        instead of 77 for the paper's prompts; exact), and what it remembers of a prefix does not depend on
        the rest (4 instead of 13; exact). Elsewhere prompts are filled to the full length.
        """
        model, start = self.model, prefix.length if prefix else 0
        tokens = prompts if self.is_cut else self._filled(prompts)
        length = start + tokens.shape[1]
        tokens = tokens + model.positional_embedding[start:length]
        mask = None if model.attn_mask is None else model.attn_mask[start:length, :length]
        if self.lean:
            for i, block in enumerate(model.transformer.resblocks):
                tokens, _ = run_block(block, tokens, mask, prefix.blocks[i] if prefix else None)
        else:
            tokens = model.transformer(tokens, attn_mask=mask)
        closing = model.ln_final(tokens[:, end - start if self.place is None else self.place])
        if isinstance(model.text_projection, nn.Linear):
            return model.text_projection(closing)
        return closing if model.text_projection is None else closing @ model.text_projection

    def read_prefix(self, beginnings: Float[Tensor, "beginning token width"]) -> PromptPrefix | None:
        """Return the keys and values of beginnings; None if the tower looks ahead or has unusual blocks."""
        if not (self.lean and self.is_cut):
            return None
        model, length = self.model, beginnings.shape[1]
        tokens = beginnings + model.positional_embedding[:length]
        remembered = []
        for block in model.transformer.resblocks:
            tokens, own = run_block(block, tokens, model.attn_mask[:length, :length])
            remembered.append(own)
        return PromptPrefix(length, tuple(remembered))

    def plain(self) -> ClipText:
        """Return a tower that runs open_clip's own blocks, with the same weights."""
        other = copy.copy(self)
        other.lean = False
        return other

    def _filled(self, prompts: Tensor) -> Tensor:
        count, given, width = prompts.shape
        padding = self.embed([self.padding]).expand(count, self.context_length - given, width)
        return torch.cat([prompts, padding], dim=1)


class HuggingFaceText:
    """A text tower of Hugging Face inside open_clip (RoBERTa, XLM-R, mT5, NLLB).

    Args:
        model: open_clip's wrapper around it.
        context_length: Number of tokens that its tokenizer fills texts to.
    """

    def __init__(self, model: HFTextEncoder, context_length: int) -> None:
        self.model = model
        self.table = model.transformer.get_input_embeddings()
        self.width = self.table.embedding_dim
        self.context_length = context_length
        self.dim = model.output_dim

    def embed(self, ids: Sequence[int]) -> Float[Tensor, "token width"]:
        """Return the embeddings of tokens, positions not yet added."""
        return self.table(torch.tensor(ids, dtype=torch.long, device=self.table.weight.device)).detach()

    def encode(
        self, prompts: Float[Tensor, "prompt token width"], end: int, prefix: PromptPrefix | None = None
    ) -> Float[Tensor, "prompt dim"]:
        """Return the features of prompts, of which nothing is read after the closing token."""
        tokens = prompts[:, : end + 1]
        seen = torch.ones(tokens.shape[:2], dtype=torch.long, device=tokens.device)
        read = self.model.transformer(inputs_embeds=tokens, attention_mask=seen)
        return self.model.proj(self.model.pooler(read, seen))

    def read_prefix(self, beginnings: Float[Tensor, "beginning token width"]) -> PromptPrefix | None:
        """Return None: these towers look ahead."""
        return None

    def plain(self) -> HuggingFaceText:
        """Return this tower, which has no shortcuts."""
        return self


TextTower = ClipText | HuggingFaceText
"""What reads prompts."""


def _outputs(projection: nn.Linear | Tensor | None, width: int) -> int:
    if projection is None:
        return width
    return projection.out_features if isinstance(projection, nn.Linear) else projection.shape[1]
