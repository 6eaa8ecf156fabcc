"""Dual encoders of transformers: CLIP and SigLIP, of the hub or from a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    CLIPModel,
    PreTrainedTokenizerBase,
    SiglipModel,
)

from zerosight.backbones.mllm.hub import find_folder, hash_files, read_json
from zerosight.backbones.openclip import OPENAI_MEAN, OPENAI_STD
from zerosight.errors import WeightsError, one_line
from zerosight.models.peers.model import square
from zerosight.preprocess import Preprocess

KINDS = ("clip", "siglip")
"""Types of configurations that are read."""
_HALF = (0.5, 0.5, 0.5)


class TransformersTowers:
    """A CLIP or SigLIP of transformers; attributes as :class:`~.model.Towers`.

    Args:
        model: The model; it is frozen.
        tokenizer: Its tokenizer.
        preprocess: How it wants its pixels.
        fingerprint: Of its files.
        device: Where to put it.
    """

    def __init__(
        self,
        model: CLIPModel | SiglipModel,
        tokenizer: PreTrainedTokenizerBase,
        preprocess: Preprocess,
        fingerprint: str,
        device: torch.device | str = "cpu",
    ) -> None:
        self.model = model.eval().requires_grad_(False).to(device)
        self.tokenizer = tokenizer
        self.preprocess = preprocess
        self.fingerprint = fingerprint
        self.device = device
        self.scale = float(model.logit_scale.exp())

    def images(
        self, images: Float[Tensor, "batch 3 size size"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch patch dim"]]:
        """Return the features of images, and of patches as if each were all that the tower's head gets."""
        model = self.model
        found = model.vision_model(pixel_values=images)
        if isinstance(model, CLIPModel):
            own = model.vision_model.post_layernorm(found.last_hidden_state[:, 1:])
            return model.visual_projection(found.pooler_output), square(model.visual_projection(own))
        batch, count, _ = found.last_hidden_state.shape
        alone = model.vision_model.head(found.last_hidden_state.flatten(0, 1)[:, None])
        return found.pooler_output, square(alone.unflatten(0, (batch, count)))

    def texts(self, texts: Sequence[str]) -> Float[Tensor, "text dim"]:
        """Return the features of texts, padded as the model was trained."""
        model, length = self.model, int(self.model.config.text_config.max_position_embeddings)
        is_clip = isinstance(model, CLIPModel)
        padding = "longest" if is_clip else "max_length"  # SigLIP reads its last token, padding or not
        words = self.tokenizer(
            list(texts), padding=padding, truncation=True, max_length=length, return_tensors="pt"
        ).to(self.device)
        if isinstance(model, CLIPModel):
            found = model.text_model(words["input_ids"], attention_mask=words["attention_mask"])
            return model.text_projection(found.pooler_output)
        return model.text_model(words["input_ids"]).pooler_output


def transformers_towers(name: str, device: torch.device | str) -> TransformersTowers:
    """Return the encoder in a repository of the hub, or a folder. No code of the model is run.

    Raises:
        ConfigError: The name is not possible.
        WeightsError: The files are not to be had, damaged, or of another kind of model.
    """
    folder = find_folder(name, None)
    kind = str(read_json(folder / "config.json").get("model_type", ""))
    if kind not in KINDS:
        raise WeightsError(
            f"{name}: holds a '{one_line(kind, 40) or 'model without a type'}', which is not read; "
            f"{' and '.join(KINDS)} are, others may be in open_clip (openclip:NAME)"
        )
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise WeightsError(f"{name}: cannot be opened ({one_line(str(error), 200)}); get it again") from None
    size = int(config.vision_config.image_size)
    mean, std = _constants(folder, kind)
    return TransformersTowers(
        model, tokenizer, Preprocess(size, mean, std, "pad"), hash_files(folder), device
    )


def _constants(folder: Path, kind: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean and deviation of the pixels, the usual ones of the kind where the folder does not say."""
    values = read_json(folder / "preprocessor_config.json")
    usual = (OPENAI_MEAN, OPENAI_STD) if kind == "clip" else (_HALF, _HALF)
    found = [values.get(name) for name in ("image_mean", "image_std")]
    if all(isinstance(one, list) and len(one) == 3 for one in found):
        (a, b, c), (d, e, f) = ((float(v) for v in one) for one in found if isinstance(one, list))
        return (a, b, c), (d, e, f)
    return usual
