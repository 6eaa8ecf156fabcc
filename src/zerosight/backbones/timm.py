"""Any image tower of timm: vision transformers (DINOv2, DINOv3, RADIO, …) and convolutional networks.

A tower gives patches at two depths. Of a transformer these are the blocks at two thirds and at the end, after
its closing norm; of a convolutional network the stages at strides 8 and 16, on the grid of the finer one. A
patch is standardised over its channels, so that levels of any scale count alike. Such a tower has no text
tower: it serves references (:mod:`zerosight.models.references`), and has no zero-shot map.

Departures from timm's own preprocessing: size, mean and deviation are timm's, but the whole image is squashed
to a square with the bicubic filter, and none of it is cropped, since defects lie at borders, too.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import timm
import torch
from jaxtyping import Float
from timm.data import resolve_model_data_config  # type: ignore[attr-defined]
from torch import Tensor, nn
from torch.nn import functional as F

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.fingerprint import fingerprint
from zerosight.errors import ConfigError, WeightsError, did_you_mean, one_line
from zerosight.logs import unheard
from zerosight.preprocess import Preprocess
from zerosight.weights import check_finite, load_pickled_tensors, load_tensors

FINE, COARSE = 8, 16
"""Strides of the stages that a convolutional network is read at."""
DEPTHS = (2 / 3, 1.0)
"""Depths of the blocks that a transformer is read at."""
HUB = "hf-hub:"
WRAPPED = ("state_dict", "model", "teacher")
"""Keys under which checkpoints keep their tensors."""


@runtime_checkable
class Staged(Protocol):
    """What timm's models offer, if they offer what is needed here."""

    def forward_intermediates(self, x: Tensor, **options: Any) -> Any:
        """Return what the network's blocks or stages give."""
        ...


class TimmTower:
    """A frozen network of timm as an image tower.

    Args:
        network: Of timm, with ``forward_intermediates``.
        preprocess: Its constants.
        blocks: Blocks or stages to read, counted from 1; None takes what suits the network.

    Raises:
        ConfigError: The network does not hand out its blocks on square grids, or has no such blocks.
    """

    def __init__(self, network: nn.Module, preprocess: Preprocess, blocks: tuple[int, ...] | None) -> None:
        if not isinstance(network, Staged):
            raise ConfigError(
                f"backbone: '{type(network).__name__}' of timm does not hand out its blocks "
                "(forward_intermediates); choose another network"
            )
        self.towers: nn.Module = network.eval().requires_grad_(False)
        self.network: Staged = network
        self.preprocess = preprocess
        self.blocks, sides = _chosen(network, preprocess.size, blocks)
        self.grid = max(sides)
        self._norm = len(set(sides)) == 1

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights, of the preprocessing and of the blocks."""
        return fingerprint(self.towers, "timm", self.blocks, self.preprocess)

    def encode_levels(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch patch _"], ...]:
        """Return the patches of preprocessed images at every level, each standardised over its channels."""
        dtype = next(self.towers.parameters()).dtype
        with torch.no_grad():
            found = _read(self.network, images.to(dtype), self.blocks, self._norm)
        return tuple(self._patches(stage.float()) for stage in found)

    def fast(self) -> TimmTower:
        """Return a tower that computes in bf16."""
        other = copy.copy(self)
        other.towers = copy.deepcopy(self.towers).to(torch.bfloat16)
        other.network = cast(Staged, other.towers)
        return other

    def to(self, device: torch.device | str) -> TimmTower:
        """Move the tower to a device and return it."""
        self.towers.to(device)
        return self

    def _patches(
        self, stage: Float[Tensor, "batch channel row column"]
    ) -> Float[Tensor, "batch patch channel"]:
        if stage.shape[-1] != self.grid:
            stage = F.interpolate(stage, (self.grid, self.grid), mode="bilinear", align_corners=False)
        patches = stage.flatten(2).transpose(1, 2)
        return F.layer_norm(patches, patches.shape[-1:])


def timm_tower(config: BackboneConfig) -> TimmTower:
    """Return the image tower that a configuration of the kind ``timm`` names.

    Raises:
        ConfigError: timm knows no such network, or it does not read images of this size.
        WeightsError: Its weights are not to be had here; the message says what to do.
    """
    name, size = config.model or "", config.image_size
    _check_name(name, config.weights)
    network = _create(name, config.weights, size)
    data = resolve_model_data_config(network)
    channels, *sides = data["input_size"]
    if channels != 3:
        raise ConfigError(
            f"backbone: {name} reads images of {channels} channels; choose one that reads colour"
        )
    preprocess = Preprocess(size or max(sides), _rgb(data["mean"]), _rgb(data["std"]))
    return TimmTower(network, preprocess, config.blocks)


def _rgb(values: Sequence[float]) -> tuple[float, float, float]:
    """Return a number per channel."""
    red, green, blue = values
    return float(red), float(green), float(blue)


def _create(name: str, weights: str | None, size: int | None) -> nn.Module:
    """Return the network with its weights.

    Raises:
        ConfigError: It does not read images of this size.
        WeightsError: Its weights are not to be had here, or are another network's.
    """
    options: dict[str, Any] = {"num_classes": 0, "pretrained": True}
    seed = 0
    if weights and weights.startswith("random:"):
        options["pretrained"] = False
        seed = int(weights.removeprefix("random:"))
    elif weights:
        tensors = _without_classes(name, _tensors(Path(weights).expanduser()))
        options["pretrained_cfg_overlay"] = {"state_dict": tensors, "num_classes": 0}  # then all others count
    with torch.random.fork_rng(devices=[]), unheard(logging.WARNING):  # told here in one line
        torch.manual_seed(seed)
        try:
            network = _sized(name, size, options)
        except AssertionError as error:
            raise ConfigError(f"backbone: {name} does not read images of {size} px ({error})") from None
        except Exception as error:  # timm, the hub and the network fail in as many ways as there are networks
            raise WeightsError(_what_to_do(name, weights, error)) from None
    check_finite(network.state_dict(), name)
    return network


def _sized(name: str, size: int | None, options: dict[str, Any]) -> nn.Module:
    """Return the network for a size; transformers are told it, others read any."""
    if size is not None:
        try:
            return timm.create_model(name, img_size=size, **options)
        except TypeError:
            pass
    return timm.create_model(name, **options)


def _check_name(name: str, weights: str | None) -> None:
    """Refuse what timm does not know.

    Raises:
        ConfigError: It has no such network, or no weights for it.
    """
    if name.startswith((HUB, "hf_hub:", "local-dir:")):
        return
    if not timm.is_model(name):
        hint = did_you_mean(name.split(".")[0], timm.list_models())
        raise ConfigError(
            f"backbone: timm has no network called '{one_line(name, 80)}'{hint}; names are timm's, such as "
            f"timm:vit_small_patch14_dinov2.lvd142m, or timm:{HUB}OWNER/NAME"
        )
    architecture, _, tag = name.partition(".")
    tags = [one.partition(".")[2] for one in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise ConfigError(
            f"backbone: timm's {architecture} has no weights '{tag}'; it has {', '.join(tags) or 'none'}"
        )
    if weights is None and not timm.is_model_pretrained(name):
        raise ConfigError(f"backbone: timm has no weights for {name}; give a file: timm:{name}@FILE")


def _tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file of weights.

    Raises:
        WeightsError: It is damaged, or would have to run code to be read.
    """
    if path.suffix == ".safetensors":
        return load_tensors(path)
    content = load_pickled_tensors(path)
    for key in WRAPPED:
        if isinstance(content.get(key), dict):
            return dict(content[key])
    return content


def _without_classes(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights without those of the network's classes."""
    classifier = getattr(timm.get_pretrained_cfg(name), "classifier", None) or ()
    names = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    return {key: value for key, value in tensors.items() if not key.startswith(tuple(f"{n}." for n in names))}


def _what_to_do(name: str, weights: str | None, error: Exception) -> str:
    """Say in one line why there are no weights, and how to get some."""
    reason = one_line(str(error), 160)
    if weights:
        return f"{weights}: holds no weights of {name} ({reason}); give the file that timm has for it"
    if name.startswith("local-dir:"):
        return f"{name.removeprefix('local-dir:')}: is no folder of a network of timm ({reason})"
    config = None if name.startswith(HUB) else timm.get_pretrained_cfg(name)
    source = name.removeprefix(HUB) if config is None else (config.hf_hub_id or config.url or name)
    return (
        f"the weights of {name} could not be downloaded ({reason}); fetch model.safetensors of {source} "
        "from the Hugging Face hub where there is a network, and give it: timm:NETWORK@model.safetensors"
    )


def _chosen(
    network: Staged, size: int, blocks: tuple[int, ...] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the numbers of the blocks to read, from 0, and the sides of their grids.

    Raises:
        ConfigError: There are no such blocks, or their grids are not square.
    """
    try:
        with torch.no_grad():
            found = _read(network, torch.zeros(1, 3, size, size), None, norm=False)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ConfigError(
            f"image_size: the network does not read {size} px ({one_line(str(error), 120)})"
        ) from None
    if any(one.ndim != 4 or one.shape[-1] != one.shape[-2] for one in found):
        raise ConfigError(f"backbone: '{type(network).__name__}' of timm has no square grids; choose another")
    sides = [one.shape[-1] for one in found]
    if blocks is None:
        chosen = _by_depth(len(sides)) if len(set(sides)) == 1 else _by_stride(sides, size)
    elif not all(1 <= block <= len(sides) for block in blocks) or not blocks:
        raise ConfigError(
            f"blocks: should be from 1 to {len(sides)}, got {', '.join(map(str, blocks)) or 'none'}"
        )
    else:
        chosen = tuple(sorted({block - 1 for block in blocks}))
    return chosen, tuple(sides[i] for i in chosen)


def _by_depth(count: int) -> tuple[int, ...]:
    """Return the blocks of a transformer.

    >>> _by_depth(12)
    (7, 11)
    """
    return tuple(sorted({max(0, round(depth * count) - 1) for depth in DEPTHS}))


def _by_stride(sides: list[int], size: int) -> tuple[int, ...]:
    """Return the last stages at the strides wanted, or at those nearest to them.

    >>> _by_stride([112, 56, 28, 14, 7], 224)
    (2, 3)
    """
    last = {side: i for i, side in enumerate(sides)}
    return tuple(
        sorted({last[min(last, key=lambda side: abs(size / side - wanted))] for wanted in (FINE, COARSE)})
    )


def _read(
    network: Staged, images: Float[Tensor, "batch 3 height width"], blocks: tuple[int, ...] | None, norm: bool
) -> list[Tensor]:
    """Return what some blocks give, or all, as channels on a grid."""
    options: dict[str, Any] = {"norm": True} if norm else {}
    indices = None if blocks is None else list(blocks)
    return list(
        network.forward_intermediates(
            images, indices=indices, output_fmt="NCHW", intermediates_only=True, stop_early=True, **options
        )
    )
