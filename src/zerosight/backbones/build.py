"""From a configuration to a backbone."""

from __future__ import annotations

from zerosight.backbones.config import PAPER_BACKBONE, TIMM, BackboneConfig
from zerosight.backbones.dual_encoder import DualEncoder
from zerosight.errors import ConfigError, WeightsError
from zerosight.plugins import BACKBONES, plug_ins


def build_encoder(config: BackboneConfig) -> DualEncoder:
    """Return the frozen encoder.

    Raises:
        WeightsError: Its weights are not to be had here; the message says which file to get.
        ConfigError: The configuration does not fit the backbone.
    """
    if config.kind == "tiny":
        from zerosight.backbones.tiny import tiny_encoder

        return tiny_encoder(config.seed, config.image_size or 48, config.blocks)
    if config.kind == "lite":
        from zerosight.backbones.lite import lite_encoder

        return lite_encoder() if config.image_size is None else lite_encoder(config.image_size)
    if config.kind == "timm":
        raise ConfigError(
            f"backbone: {config.model} is an image tower alone and reads no words; it serves for references: "
            f"zerosight fit GOOD_IMAGES --backbone {TIMM}{config.model} --out my-model"
        )
    if config.kind != "openclip":
        return _plug_in(config)
    from zerosight.backbones.openclip_load import load_openclip

    model = config.model or PAPER_BACKBONE.model or ""
    return load_openclip(model, config.weights, config.image_size, config.blocks, config.paper)


def _plug_in(config: BackboneConfig) -> DualEncoder:
    """Return what another package builds.

    Raises:
        WeightsError: The package that adds this kind is not installed, or is broken.
    """
    known = plug_ins(BACKBONES, callable, "a function from a BackboneConfig to a DualEncoder")
    if config.kind not in known:
        raise WeightsError(
            f"the package that adds the backbone '{config.kind}' is not installed or is broken; mend it, or "
            "choose another backbone"
        )
    encoder: DualEncoder = known[config.kind](config)
    return encoder
