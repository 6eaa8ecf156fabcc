"""Make ``src/zerosight/backbones/lite.safetensors``: the fixed constants of lite's image tower.

Means and deviations come from synthesized images (drawn by procedure and from scikit-image's photographs);
the random features and the maps into the joint space from a seed.

    python tools/fit_lite.py
"""

from __future__ import annotations

from pathlib import Path

import torch

from zerosight.backbones import lite, lite_tower
from zerosight.backbones.lite_network import LiteNetwork
from zerosight.backbones.normalise import normalise
from zerosight.preprocess import Preprocess
from zerosight.synthesis.surfaces import SynthesisConfig, make_sample
from zerosight.weights import save_tensors

SEED = 20
IMAGES = 400
SIZE = 320
DIM = 384
TARGET = Path(lite.__file__).with_name(lite.EMBEDDINGS)


def main() -> None:
    """Write the file."""
    preprocess = Preprocess(SIZE, lite.HALF, lite.HALF)
    config = SynthesisConfig(seed=SEED, size=SIZE)
    pixels = torch.stack([torch.tensor(make_sample(config, i).image) for i in range(IMAGES)])
    batches = [normalise(part, preprocess) for part in pixels.split(20)]
    network = lite.load_network()
    constants: dict[str, torch.Tensor] = {}
    with torch.inference_mode():
        stages = [network_stages(network, batch) for batch in batches]
        for i, number in enumerate(lite_tower.STAGES):
            whole = torch.cat([part[i] for part in stages]).transpose(0, 1).flatten(1)
            constants[f"stage_{number}_mean"] = whole.mean(1)
            constants[f"stage_{number}_deviation"] = whole.std(1)
        tower = lite_tower.LiteTower(network, constants)
        described = [lite_tower.describe(tower.stages(batch)) for batch in batches]
    generator = torch.Generator().manual_seed(SEED)
    for level in lite_tower.LEVELS:
        values = torch.cat([part[level] for part in described]).flatten(0, 1)
        constants[f"{level}_mean"], constants[f"{level}_deviation"] = values.mean(0), values.std(0)
        constants |= embedding(level, values.shape[1], generator)
    save_tensors(constants, TARGET)
    print(f"{TARGET}: {TARGET.stat().st_size / 1e6:.1f} MB")


def network_stages(network: LiteNetwork, images: torch.Tensor) -> list[torch.Tensor]:
    """Return the stages' channels, not standardised, on the grid of stride 16."""
    side = SIZE // lite_tower.STRIDE
    return [lite_tower.on_grid(output, side) for output in network.stages(images)]


def embedding(level: str, width: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Return random features and a rotated isometry for one level.

    The numbers, the random features and the constant each hold about a third of the squared length.
    """
    extra = min(192, DIM - 1 - width)
    noise = torch.randn(DIM, DIM, generator=generator, dtype=torch.float64)
    rotation = torch.linalg.qr(noise).Q
    scale = torch.cat([torch.full((width,), width**-0.5), torch.full((extra,), extra**-0.5)]).double()
    return {
        f"{level}_random": torch.randn(width, extra, generator=generator) * width**-0.5,
        f"{level}_offset": torch.randn(extra, generator=generator),
        f"{level}_map": (scale[:, None] * rotation[: width + extra]).float(),
        f"{level}_constant": rotation[-1].float(),
    }


if __name__ == "__main__":
    main()
