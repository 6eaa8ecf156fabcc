"""Options that many commands have, in one form."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from zerosight.errors import ConfigError, did_you_mean, one_line

MAP_COSTS = (
    "projector: no pass of the decoder; contrast, steps: one; gradient, relevance, joint: one, and one back "
    "per finding; occlusion: one per image token, and one"
)
"""What each way to make a map of a finding costs per image."""

_DEVICES = re.compile(r"auto|cpu|mps|(cuda|xpu)(:[0-9]+)?|[A-Z][A-Z0-9_.:,]+")  # OpenVINO's are capitals


def _device(name: str) -> str:
    """Return a device's name that could be one, before anything is loaded; whether it is here is seen then.

    Raises:
        ConfigError: It could not.
    """
    if not _DEVICES.fullmatch(name):
        near = did_you_mean(name, ("auto", "cpu", "cuda", "mps"))
        raise ConfigError(f"--device {one_line(name, 40)}: should be auto, cpu, cuda, cuda:1 or mps{near}")
    return name


def training_device(name: str | None) -> str | None:
    """Return Lightning's name of a device to train on; whether it is here is seen when training begins.

    Raises:
        ConfigError: There is no such device, or one card of several is named.
    """
    known = {"auto": "auto", "cpu": "cpu", "cuda": "gpu", "mps": "mps"}
    if name is None or name in known:
        return known.get(name or "")
    if re.fullmatch(r"cuda:[0-9]+", name):
        raise ConfigError(
            f"--device {name}: training takes cuda; CUDA_VISIBLE_DEVICES={name[5:]} chooses the card"
        )
    near = did_you_mean(name, known)
    raise ConfigError(f"--device {one_line(name, 40)}: should be auto, cpu, cuda or mps{near}")


AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
DEFAULT_MODEL = "vip2clip-lite"
Backbone = Annotated[
    str | None,
    typer.Option(
        help="in place of --model, an image tower to compare images with: timm:NAME, timm:NAME@FILE, "
        "timm:hf-hub:OWNER/NAME; #SIZE after it is its input in pixels"
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="a shipped model, a model folder, an exported .onnx or .xml; for findings also "
        "openclip:NAME, hf:ID or xrv:NAME"
    ),
]
Device = Annotated[
    str,
    typer.Option(
        callback=_device,
        help="auto, cpu, cuda, cuda:1 or mps; auto is a CUDA card if there is one, else the cpu",
    ),
]


def chosen_model(model: str, backbone: str | None) -> str:
    """Return what ``--model`` and ``--backbone`` name together.

    Raises:
        ConfigError: Both are given, or the backbone is no image tower alone.
    """
    from zerosight.backbones.config import is_tower

    if backbone is None:
        return model
    if not is_tower(backbone):
        raise ConfigError(
            f"--backbone: should be an image tower of timm, such as timm:vit_small_patch14_dinov2.lvd142m, "
            f"got '{backbone}'; a model with words has a backbone of its own, name it by --model"
        )
    if model != DEFAULT_MODEL:
        raise ConfigError("--backbone: stands in place of --model; give one of the two")
    return backbone
