"""From a configuration to a backbone."""

from __future__ import annotations

from zerosight.backbones.config import PAPER_BACKBONE, BackboneConfig
from zerosight.backbones.dual_encoder import DualEncoder


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
    from zerosight.backbones.openclip_load import load_openclip

    model = config.model or PAPER_BACKBONE.model or ""
    return load_openclip(model, config.weights, config.image_size, config.blocks, config.paper)
