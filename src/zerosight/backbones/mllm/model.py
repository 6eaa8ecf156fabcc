"""A decoder-only vision-language model, read as an encoder of images and of texts.

The two modalities never share a pass: in one sequence the text would see the image and leak it.

Symbols (LLaVA-RadZ, arXiv 2503.07487, section 3.2): ``<ImgCls>`` is ``image_cls``, ``<TxtCls>`` is
``text_cls``; both are learnable vectors that enter the decoder like token embeddings, so neither the
tokenizer nor the embedding table of the model changes.

Departures: the paper does not say how the special tokens start (see
:mod:`zerosight.backbones.mllm.special`). Images are one square, never tiles. Gemma 3's own image
tokens see each other in both directions; here every token sees only those before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import isqrt
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from zerosight.backbones.mllm.attention import last_attention
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.origin import Origin
from zerosight.backbones.mllm.prompts import answer_ids, instruction_ids, question_ids
from zerosight.backbones.mllm.shapes import before_projector, run_decoder, shape_of, up_to_layer
from zerosight.backbones.mllm.special import special_tokens
from zerosight.backbones.mllm.states import States
from zerosight.backbones.normalise import normalise
from zerosight.errors import ConfigError, WeightsError
from zerosight.preprocess import Preprocess


class Mllm(nn.Module):
    """Decoder states of images and texts at one layer, and the model's own answers.

    Everything is frozen until :func:`zerosight.backbones.mllm.adapt.adapt` says what to train; the vision
    tower stays frozen, in evaluation mode, always.

    Args:
        model: A Hugging Face vision-language model of a known shape; used in place.
        tokenizer: Its tokenizer.
        preprocess: Its pixels' size, mean and spread.
        config: How to read it.
        origin: Where it comes from.

    Raises:
        WeightsError: The model has no known shape, or its image tokens do not form a square.
        ConfigError: The layer to read does not exist.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        preprocess: Preprocess,
        config: MllmConfig,
        origin: Origin,
    ) -> None:
        super().__init__()
        self.model: Any = model.requires_grad_(False)
        self.tokenizer, self.preprocess = tokenizer, preprocess
        self.config, self.origin = config, origin
        self.shape = shape_of(model.config.model_type, origin.name)
        self.width: int = self.decoder.config.hidden_size
        depth: int = self.decoder.config.num_hidden_layers
        self.layers = depth + 1 + config.read_layer
        if self.layers < 1:
            raise ConfigError(
                f"read_layer: {origin.name} has {depth} layers, so give -2 to -{depth}, "
                f"not {config.read_layer}"
            )
        words = model.get_input_embeddings()
        assert isinstance(words, nn.Embedding)
        self.image_cls, self.text_cls = special_tokens(words, (2, config.cls_tokens), config.seed)
        self.eval()
        self.grid, self._extra = self._measure()

    @property
    def core(self) -> nn.Module:
        """The model without its language head."""
        core: nn.Module = self.model.model
        return core

    @property
    def tower(self) -> nn.Module:
        """The vision tower."""
        return self.core.get_submodule(self.shape.tower)

    @property
    def projector(self) -> nn.Module:
        """What brings the tower's features to the decoder's width."""
        return self.core.get_submodule(self.shape.projector)

    @property
    def decoder(self) -> PreTrainedModel:
        """The language model without its head."""
        decoder = self.core.get_submodule(self.shape.decoder)
        assert isinstance(decoder, PreTrainedModel)
        return decoder

    @property
    def licence(self) -> str:
        """The licence of the model's weights, in one line."""
        return self.origin.licence

    @property
    def fingerprint(self) -> str:
        """Changes with the stored weights, the pixels and how the model is loaded and read; keys caches.

        It does not change with training: what is trained lies beside it.
        """
        reading = self.config.model_dump(exclude={"model", "revision", "device_map", "adapt"})
        facts = (self.origin.base, self.preprocess, self.preprocess.fit, sorted(reading.items()))
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    @property
    def device(self) -> torch.device:
        """Where sequences are put together."""
        device: torch.device = self.model.get_input_embeddings().weight.device
        return device

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
        return before_projector(self.core, self.shape, images)

    def encode_images(self, seen: Float[Tensor, "batch n vision"]) -> States:
        """Return the states of ``[BOS] image <ImgCls>``, read without any text.

        Args:
            seen: From :meth:`see`.

        Source: section 3.2 (decoding-side feature alignment).
        """
        states = self.read(self._image_rows(seen))
        first = self._first_token()
        tokens = states[:, first : first + self.grid**2]
        return States(
            states[:, -self.config.cls_tokens :], tokens, torch.ones_like(tokens[..., 0], dtype=torch.bool)
        )

    def encode_texts(self, texts: Sequence[str]) -> States:
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
        ends = lengths[:, None] + len(start) + torch.arange(self.config.cls_tokens, device=states.device)
        cls = states[torch.arange(len(ids), device=states.device)[:, None], ends]
        tokens = states[:, len(start) : len(start) + int(lengths.max())]
        mask = torch.arange(tokens.shape[1], device=states.device) < lengths[:, None]
        return States(cls, tokens.masked_fill(~mask[..., None], 0), mask)

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
        asked = [question_ids(self.tokenizer, self.shape, image_id, question) for question in questions]
        embedded = self.embed([part for pair in asked for part in pair])
        images = self.project(seen)
        rows = [torch.cat([embedded[2 * i], image, embedded[2 * i + 1]]) for i, image in enumerate(images)]
        states = run_decoder(self.decoder, rows)
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
        rows = torch.stack(self._image_rows(seen))
        weights = last_attention(up_to_layer(self.decoder, self.layers), rows)
        first = self._first_token()
        shares = weights[:, -self.config.cls_tokens :, first : first + self.grid**2].mean(1)
        return rearrange(shares / shares.sum(-1, keepdim=True), "b (y x) -> b y x", y=self.grid)

    def project(self, seen: Float[Tensor, "batch n vision"]) -> Float[Tensor, "batch token width"]:
        """Return images as the decoder takes them, in the embeddings' precision."""
        weight = next(self.projector.parameters())
        projected = self.projector(seen.to(weight.device, weight.dtype))
        return projected.to(self.device, self.model.get_input_embeddings().weight.dtype)

    def read(self, rows: Sequence[Float[Tensor, "_ width"]]) -> Float[Tensor, "batch length width"]:
        """Return the states of embedded sequences at the read layer.

        Rows are padded on the right. Every token sees only those before it, so padding changes nothing and
        needs no mask.
        """
        return run_decoder(up_to_layer(self.decoder, self.layers), rows)

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

    def _image_rows(self, seen: Float[Tensor, "batch n vision"]) -> list[Float[Tensor, "length width"]]:
        """Return ``[BOS] image <ImgCls>``, embedded, per image."""
        start = self.begin()
        return [torch.cat([start, image, self.image_cls.to(image.dtype)]) for image in self.project(seen)]

    def _first_token(self) -> int:
        """Return the index of the first image token of the grid in the sequence of an image."""
        return self._extra + (self.tokenizer.bos_token_id is not None)

    def _measure(self) -> tuple[int, int]:
        """Return the side of the grid of image tokens and how many other tokens come before it."""
        side = self.preprocess.size
        with torch.no_grad():
            tokens = self.project(self.see(torch.zeros(1, side, side, 3, dtype=torch.uint8))).shape[1]
        grid = isqrt(tokens)
        if tokens - grid**2 > 1:
            raise WeightsError(
                f"{self.origin.name}: makes {tokens} tokens of an image, which is no square; "
                "give a model that reads an image as one square grid"
            )
        return grid, tokens - grid**2
