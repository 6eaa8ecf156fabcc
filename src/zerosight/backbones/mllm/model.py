"""A decoder-only vision-language model, read as an encoder of images and of texts.

The two modalities never share a pass: in one sequence the text would see the image and leak it.

Symbols (LLaVA-RadZ, arXiv 2503.07487, section 3.2): ``<ImgCls>`` is ``image_cls``, ``<TxtCls>`` is
``text_cls``; both are learnable vectors that enter the decoder like token embeddings, so neither the
tokenizer nor the embedding table of the model changes.

Departures: the paper does not say how the special tokens start. Here each starts as a random vector with the
mean and the spread of the model's own embeddings, so that the decoder meets nothing it could not have met
before. Images are one square, never tiles. Gemma 3's own image tokens see each other in both directions; here
every token sees only those before it, of whatever model, unless ``image_attention`` is ``full``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from zerosight.backbones.fingerprint import settings_text
from zerosight.backbones.mllm.attention import last_attention, with_attention
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.families import (
    before_projector,
    family_of,
    looks_ahead,
    run_decoder,
    up_to_layer,
)
from zerosight.backbones.mllm.prompts import answer_ids, instruction_ids, question_ids
from zerosight.backbones.normalise import normalise
from zerosight.errors import ConfigError, WeightsError
from zerosight.preprocess import Preprocess

SAMPLE = 4096


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a model comes from.

    Attributes:
        name: As the user wrote it.
        base: Hash of the stored weights; the same for every precision they are loaded in.
        licence: One line; ``unknown`` where the model's card names none.
    """

    name: str
    base: str
    licence: str


@dataclass(frozen=True, slots=True)
class HiddenStates:
    """Decoder states of one modality at the read layer, before any final norm.

    Attributes:
        cls: States of the special tokens that close the sequence (``<ImgCls>`` or ``<TxtCls>``); of a model
            without any, that of the last token.
        tokens: States of the modality's own tokens; rows of padding are zero.
        mask: Which of ``tokens`` are real.
    """

    cls: Float[Tensor, "batch k width"]
    tokens: Float[Tensor, "batch n width"]
    mask: Bool[Tensor, "batch n"]


class Mllm(nn.Module):
    """Decoder states of images and texts at one layer, and the model's own answers.

    Everything is frozen until :func:`zerosight.backbones.mllm.adapters.adapt` says what to train; the vision
    tower stays frozen, in evaluation mode, always.

    Args:
        model: A Hugging Face vision-language model of a known family; used in place.
        tokenizer: Its tokenizer.
        preprocess: Its pixels' size, mean and spread.
        config: How to read it.
        provenance: Where it comes from.

    Raises:
        WeightsError: The model is of no known family, or its image tokens do not form a square.
        ConfigError: The layer to read does not exist.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        preprocess: Preprocess,
        config: MllmConfig,
        provenance: Provenance,
    ) -> None:
        super().__init__()
        self.model: Any = model.requires_grad_(False)
        self.tokenizer, self.preprocess = tokenizer, preprocess
        self.config, self.provenance = config, provenance
        self.family = family_of(model.config.model_type, provenance.name)
        self.width: int = self.decoder.config.hidden_size
        depth: int = self.decoder.config.num_hidden_layers
        self.layers = depth + 1 + config.read_layer
        if self.layers < 1:
            raise ConfigError(
                f"read_layer: {provenance.name} has {depth} layers, so give -1 to -{depth}, "
                f"not {config.read_layer}"
            )
        words = model.get_input_embeddings()
        assert isinstance(words, nn.Embedding)
        self.image_cls, self.text_cls = special_tokens(words, (2, config.cls_tokens), config.seed)
        self.eval()
        self.grid, self._extra = self._measure()
        if self._sees_all:
            self.let_images_see_all()

    @property
    def core(self) -> nn.Module:
        """The model without its language head."""
        core: nn.Module = self.model.model
        return core

    @property
    def tower(self) -> nn.Module:
        """The vision tower."""
        return self.core.get_submodule(self.family.tower)

    @property
    def projector(self) -> nn.Module:
        """What brings the tower's features to the decoder's width."""
        return self.core.get_submodule(self.family.projector)

    @property
    def decoder(self) -> PreTrainedModel:
        """The language model without its head."""
        decoder = self.core.get_submodule(self.family.decoder)
        assert isinstance(decoder, PreTrainedModel)
        return decoder

    @property
    def licence(self) -> str:
        """The licence of the model's weights, in one line."""
        return self.provenance.licence

    @property
    def closing(self) -> int:
        """Number of states at the end of a sequence that its global feature is made of."""
        return max(1, self.config.cls_tokens)

    @property
    def first_token(self) -> int:
        """Index of the first image token of the grid in the sequence of an image."""
        return self._extra + (self.tokenizer.bos_token_id is not None)

    @property
    def fingerprint(self) -> str:
        """Changes with the stored weights, the pixels and how the model is loaded and read; keys caches.

        It does not change with training: what is trained lies beside it.
        """
        left_out = {"model", "revision", "device_map", "adapt"}
        left_out |= set() if self._sees_all else {"image_attention"}
        reading = self.config.model_dump(exclude=left_out)
        text = settings_text(self.provenance.base, self.preprocess, sorted(reading.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def tower_fingerprint(self) -> str:
        """Changes with the stored weights, their precision and the pixels, not with how it is read."""
        loaded = self.config.model_dump(include={"dtype", "quantise"})
        text = settings_text(self.provenance.base, self.preprocess, sorted(loaded.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def device(self) -> torch.device:
        """Where sequences are put together."""
        device: torch.device = self.model.get_input_embeddings().weight.device
        return device

    def let_images_see_all(self) -> None:
        """Let the tokens of an image see each other in both directions from now on.

        Raises:
            ConfigError: The decoder does not do as it is told.
        """
        self.config = self.config.model_copy(update={"image_attention": "full"})
        if not looks_ahead(self.decoder, self.embed([[0, 1, 2], [0, 2, 2]])):
            raise ConfigError(
                f"image_attention: the decoder of {self.provenance.name} takes no mask of one's own, so no "
                "token sees a later one; leave it at causal"
            )

    def train(self, mode: bool = True) -> Mllm:
        """Set training mode on everything but the vision tower."""
        super().train(mode)
        self.tower.eval()
        return self

    @torch.no_grad()
    def see(self, pixels: UInt8[Tensor, "batch size size 3"]) -> Float[Tensor, "batch n vision"]:
        """Return what the frozen vision tower says about images: the projector's input.

        It never changes in training, so it may be kept per image.

        Args:
            pixels: From :meth:`zerosight.preprocess.Preprocess.pixels`, in [0, 255].
        """
        weight = next(self.tower.parameters())
        images = normalise(pixels.to(weight.device), self.preprocess).to(weight.dtype)
        return before_projector(self.core, self.family, images)

    def encode_images(self, seen: Float[Tensor, "batch n vision"]) -> HiddenStates:
        """Return the states of ``[BOS] image <ImgCls>``, read without any text.

        Args:
            seen: From :meth:`see`.

        Source: section 3.2 (decoding-side feature alignment).
        """
        return self.encode_projected(self.project(seen))

    def encode_projected(self, projected: Float[Tensor, "batch n width"]) -> HiddenStates:
        """Return the same from what the projector made of the images, or from something in its place.

        Args:
            projected: From :meth:`project`.
        """
        rows = self._image_rows(projected)
        states = self.read(list(rows), self.image_spans(rows))
        tokens = states[:, self.first_token : self.first_token + self.grid**2]
        return HiddenStates(
            states[:, -self.closing :], tokens, torch.ones_like(tokens[..., 0], dtype=torch.bool)
        )

    def encode_texts(self, texts: Sequence[str]) -> HiddenStates:
        """Return the states of ``[BOS] text <TxtCls>``, read without any image.

        Args:
            texts: Any length; each is cut to ``max_text_tokens`` tokens. Names of special tokens in them
                are read as plain words.

        Source: section 3.2 (decoding-side feature alignment).
        """
        ids = [self.token_ids(text)[: self.config.max_text_tokens] for text in texts]
        start, embedded = self.begin(), self.embed(ids)
        rows = [torch.cat([start, text, self.text_cls.to(text.dtype)]) for text in embedded]
        states = self.read(rows)
        lengths = torch.tensor([len(row) for row in ids], device=states.device)
        last = lengths[:, None] + len(start) + self.config.cls_tokens
        ends = last - self.closing + torch.arange(self.closing, device=states.device)
        cls = states[torch.arange(len(ids), device=states.device)[:, None], ends]
        tokens = states[:, len(start) : len(start) + int(lengths.max())]
        mask = torch.arange(tokens.shape[1], device=states.device) < lengths[:, None]
        return HiddenStates(cls, tokens.masked_fill(~mask[..., None], 0), mask)

    @torch.no_grad()
    def yes_no_logits(
        self, seen: Float[Tensor, "batch n vision"], questions: Sequence[str]
    ) -> Float[Tensor, "batch 2"]:
        """Return the logits of yes and of no as the next word, from all layers and the language head.

        A logit is the log of the summed exponentials over the spellings "Yes" and "yes", with and without a
        space before (our default), so that a softmax over the two is the share of yes.

        Args:
            seen: From :meth:`see`.
            questions: One per image, such as "Is there a pleural effusion? Answer yes or no."
        """
        image_id = self.model.config.image_token_id
        asked = [question_ids(self.tokenizer, self.family, image_id, question) for question in questions]
        embedded = self.embed([part for pair in asked for part in pair])
        images = self.project(seen)
        rows = [torch.cat([embedded[2 * i], image, embedded[2 * i + 1]]) for i, image in enumerate(images)]
        spans = [slice(len(before), len(before) + images.shape[1]) for before in embedded[::2]]
        states = run_decoder(self.decoder, rows, spans if self._sees_all else ())
        ends = torch.tensor([len(row) - 1 for row in rows], device=states.device)
        last = states[torch.arange(len(rows), device=states.device), ends]
        head = self.model.get_output_embeddings()
        logits = head(last.to(head.weight.device)).float()
        yes, no = answer_ids(self.tokenizer)
        return torch.stack([logits[:, yes].logsumexp(-1), logits[:, no].logsumexp(-1)], dim=-1)

    @torch.no_grad()
    def generate(self, prompt: str, seed: int, max_new_tokens: int) -> str:
        """Return the model's answer to an instruction, sampled as its own generation settings say.

        Args:
            prompt: Plain text, without an image.
            seed: Same seed, same answer on the same machine.
            max_new_tokens: Longest answer, in tokens.
        """
        ids = torch.tensor([instruction_ids(self.tokenizer, prompt)], device=self.device)
        stop = self.tokenizer.pad_token_id
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            answer = self.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                max_new_tokens=max_new_tokens,
                pad_token_id=self.tokenizer.eos_token_id if stop is None else stop,
            )
        text = self.tokenizer.decode(answer[0, ids.shape[1] :], skip_special_tokens=True)
        return str(text).strip()

    @torch.no_grad()
    def attention(self, seen: Float[Tensor, "batch n vision"]) -> Float[Tensor, "batch grid grid"]:
        """Return how ``<ImgCls>`` shares its attention among the image tokens; each map sums to one.

        Mean over heads and over the special tokens, at the last layer that runs (our default).

        Args:
            seen: From :meth:`see`.
        """
        rows = self._image_rows(self.project(seen))
        decoder = up_to_layer(self.decoder, self.layers)
        weights = last_attention(decoder, rows, self.image_spans(rows))
        first = self.first_token
        shares = weights[:, -self.closing :, first : first + self.grid**2].mean(1)
        return rearrange(shares / shares.sum(-1, keepdim=True), "b (y x) -> b y x", y=self.grid)

    def attend_projected(
        self, projected: Float[Tensor, "batch n width"]
    ) -> tuple[Float[Tensor, "batch k width"], list[Float[Tensor, "batch head length length"]]]:
        """Return the states of ``<ImgCls>`` and the attention weights of all layers on the way to them.

        Args:
            projected: From :meth:`project`.
        """
        rows = self._image_rows(projected)
        decoder = up_to_layer(self.decoder, self.layers)
        states, weights = with_attention(decoder, rows, self.image_spans(rows))
        return states[:, -self.closing :], weights

    def project(self, seen: Float[Tensor, "batch n vision"]) -> Float[Tensor, "batch token width"]:
        """Return images as the decoder takes them, in the embeddings' precision."""
        weight = next(self.projector.parameters())
        projected = self.projector(seen.to(weight.device, weight.dtype))
        return projected.to(self.device, self.model.get_input_embeddings().weight.dtype)

    def read(
        self, rows: Sequence[Float[Tensor, "_ width"]], images: Sequence[slice] = ()
    ) -> Float[Tensor, "batch length width"]:
        """Return the states of embedded sequences at the read layer.

        Rows are padded on the right. No token but an image's sees a later one, and no image lies in the
        padding, so that changes nothing and needs no mask.

        Args:
            rows: The sequences.
            images: Per sequence, its image tokens, if they see each other in both directions.
        """
        return run_decoder(up_to_layer(self.decoder, self.layers), rows, images)

    def image_spans(self, rows: Float[Tensor, "batch length width"]) -> list[slice]:
        """Return where in ``[BOS] image <ImgCls>`` the tokens that see each other are; empty if none do."""
        image = slice(self.first_token - self._extra, rows.shape[1] - self.config.cls_tokens)
        return [image] * len(rows) if self._sees_all else []

    def begin(self) -> Float[Tensor, "start width"]:
        """Return the embedding of [BOS], or no rows for a tokenizer without one."""
        bos = self.tokenizer.bos_token_id
        return self.embed([[] if bos is None else [bos]])[0]

    def embed(self, ids: Sequence[Sequence[int]]) -> list[Float[Tensor, "_ width"]]:
        """Return the embeddings of some sequences of token ids."""
        flat = torch.tensor([i for row in ids for i in row], dtype=torch.long, device=self.device)
        return list(self.model.get_input_embeddings()(flat).split([len(row) for row in ids]))

    def token_ids(self, text: str) -> list[int]:
        """Return a text's token ids, without [BOS], reading names of special tokens as plain words."""
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        ids: list[int] = encoded["input_ids"]
        return ids

    @property
    def _sees_all(self) -> bool:
        """Whether image tokens see each other in both directions."""
        return self.config.image_attention == "full"

    def _image_rows(self, projected: Float[Tensor, "batch n width"]) -> Float[Tensor, "batch length width"]:
        """Return ``[BOS] image <ImgCls>``, embedded, per image."""
        start, end = self.begin(), self.image_cls
        return torch.stack([torch.cat([start, image, end.to(image.dtype)]) for image in projected])

    def _measure(self) -> tuple[int, int]:
        """Return the side of the grid of image tokens and how many other tokens come before it."""
        side = self.preprocess.size
        with torch.no_grad():
            tokens = self.project(self.see(torch.zeros(1, side, side, 3, dtype=torch.uint8))).shape[1]
        grid = isqrt(tokens)
        if tokens - grid**2 > 1:
            raise WeightsError(
                f"{self.provenance.name}: makes {tokens} tokens of an image, which is no square; "
                "give a model that reads an image as one square grid"
            )
        return grid, tokens - grid**2


def special_tokens(
    words: nn.Embedding, count: tuple[int, int], seed: int
) -> tuple[Float[nn.Parameter, "count width"], ...]:
    """Return sets of frozen vectors, in float32.

    Args:
        words: The model's embeddings; up to 4096 of them, evenly spread, are looked at.
        count: Number of sets, and of vectors in each.
        seed: Same seed, same vectors.
    """
    rows = len(words.weight)
    known = torch.linspace(0, rows - 1, min(rows, SAMPLE)).long()
    with torch.no_grad():
        vectors: Tensor = words(known.to(words.weight.device)).float()
    noise = torch.randn(*count, vectors.shape[1], generator=torch.Generator().manual_seed(seed))
    start = vectors.mean(0) + vectors.std(0) * noise.to(vectors.device)
    return tuple(nn.Parameter(tokens.clone(), requires_grad=False) for tokens in start)
