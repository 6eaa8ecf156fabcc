"""lite's image tower: what a small network says about each patch, and how the patch stands out in its image.

Four levels on the grid of stride 16, each embedded in the text tower's width:

- ``fine``: channels of the stages at strides 8 and 16;
- ``deep``: channels of the stage at stride 32;
- ``rarity``: how far a patch is from the image's mean, from its surroundings, and from its nearest and its
  typical patches elsewhere in the image, at each stage;
- ``symmetry``: how far a patch is from the patch across the image's vertical axis, at each stage.

The last two are what a linear read-out of channels cannot say, and what makes one image its own reference:
most things repeat themselves or are symmetric, most defects are neither.

Channels are standardised, numbers widened by fixed random features, and a constant is added before the vector
is normalised, so that its length is not lost. All of it is fixed: the file ``lite.safetensors`` is made by
``tools/fit_lite.py`` from synthesized images only.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from zerosight.backbones.lite_network import LiteNetwork

LEVELS = ("fine", "deep", "rarity", "symmetry")
STAGES = (2, 3, 4)
STRIDE = 16
CLIP = 5.0
SURROUNDINGS = 7
NEAREST = (5, 40)
APART = 2
CONTEXT = 3.0
FAR = 1e4

Patches = Float[Tensor, "batch patch _"]


class LiteTower(nn.Module):
    """Pooled and patch features of a small convolutional network.

    Args:
        network: EfficientNet-Lite0.
        constants: Means and deviations of the stages' channels and of the levels' descriptors, and the maps
            into the joint space, by name.
    """

    def __init__(self, network: LiteNetwork, constants: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        for name, value in constants.items():
            self.register_buffer(name, value.float())

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "level batch patch dim"]]:
        """Return pooled and patch features, L2-normalised."""
        return self.embed(describe(self.stages(images)))

    def embed(
        self, levels: Mapping[str, Patches]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "level batch patch dim"]]:
        """Return what :meth:`forward` does, from the levels' descriptors."""
        patches = torch.stack([self._embed(name, levels[name]) for name in LEVELS])
        return F.normalize(patches[1].mean(1), dim=-1), patches

    def stages(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ grid grid"]]:
        """Return the standardised channels of every stage on the grid of stride 16."""
        images = images.to(self.network.stem.conv.weight.dtype, memory_format=torch.channels_last)
        side = images.shape[-1] // STRIDE
        return [
            self._standardise(f"stage_{number}", on_grid(output.contiguous().float(), side))
            for number, output in zip(STAGES, self.network.stages(images), strict=True)
        ]

    def _standardise(self, name: str, stage: Tensor) -> Tensor:
        mean, deviation = self.get_buffer(f"{name}_mean"), self.get_buffer(f"{name}_deviation")
        return ((stage - mean[:, None, None]) / deviation[:, None, None]).clamp(-CLIP, CLIP)

    def side_by_side(self, levels: Mapping[str, Patches]) -> Float[Tensor, "batch patch channel"]:
        """Return all descriptors as channels, for the comparison of one image with another.

        The few that say how a patch stands out in its image are weighted by :data:`CONTEXT`, or they would
        drown among hundreds of channels.
        """
        context = [CONTEXT * self._standard(name, levels[name]) for name in ("rarity", "symmetry")]
        return torch.cat([levels["fine"], levels["deep"], *context], dim=-1)

    def _standard(self, level: str, descriptor: Patches) -> Patches:
        mean, deviation = self.get_buffer(f"{level}_mean"), self.get_buffer(f"{level}_deviation")
        return ((descriptor - mean) / deviation).clamp(-CLIP, CLIP)

    def _embed(self, level: str, descriptor: Patches) -> Float[Tensor, "batch patch dim"]:
        standard = self._standard(level, descriptor)
        bent = F.relu(standard @ self.get_buffer(f"{level}_random") + self.get_buffer(f"{level}_offset"))
        joint = torch.cat([standard, bent], dim=-1) @ self.get_buffer(f"{level}_map")
        return F.normalize(joint + self.get_buffer(f"{level}_constant"), dim=-1)


def describe(stages: list[Float[Tensor, "batch _ grid grid"]]) -> dict[str, Patches]:
    """Return the descriptor of every patch at every level.

    Args:
        stages: Standardised channels on one grid.
    """
    tokens = [stage.flatten(2).transpose(1, 2) for stage in stages]
    apart = _chebyshev(stages[0].shape[-1], tokens[0].device)
    rarity, symmetry = [], []
    for stage, patches in zip(stages, tokens, strict=True):
        distances = _distances(patches, patches)
        count = min(max(NEAREST), patches.shape[1])
        elsewhere = distances.masked_fill(apart <= APART, FAR).topk(count, largest=False).values
        rarity += [
            _length(patches - patches.mean(1, keepdim=True)),
            _length(patches - _surroundings(stage)),
            *(elsewhere[..., :nearest].mean(-1) for nearest in NEAREST),
            distances.mean(-1),
        ]
        mirrored = stage.flip(-1).flatten(2).transpose(1, 2)
        across = _distances(patches, mirrored).masked_fill(apart > 1, FAR)
        symmetry.append(across.amin(-1))
    return {
        "fine": torch.cat(tokens[:2], dim=-1),
        "deep": tokens[2],
        "rarity": torch.stack(rarity, dim=-1),
        "symmetry": torch.stack(symmetry, dim=-1),
    }


def on_grid(stage: Tensor, side: int) -> Tensor:
    """Return a stage on a grid of the given side: averaged down, or interpolated up."""
    factor = stage.shape[-1] // side
    if factor > 1:
        return F.avg_pool2d(stage, factor)
    return F.interpolate(stage, (side, side), mode="bilinear", align_corners=False)


def _surroundings(stage: Tensor) -> Patches:
    """Return the mean of the patches around each patch."""
    mean = F.avg_pool2d(stage, SURROUNDINGS, 1, SURROUNDINGS // 2, count_include_pad=False)
    return mean.flatten(2).transpose(1, 2)


def _length(vectors: Patches) -> Float[Tensor, "batch patch"]:
    """Return the root mean square over channels."""
    return vectors.square().mean(-1).sqrt()


def _distances(left: Patches, right: Patches) -> Float[Tensor, "batch patch other"]:
    """Return the root mean square difference of every two patches."""
    squares = left.square().mean(-1)[..., None] + right.square().mean(-1)[:, None]
    product = left @ right.transpose(1, 2) / left.shape[-1]
    return (squares - 2 * product).clamp(min=1e-6).sqrt()


def _chebyshev(side: int, device: torch.device) -> Float[Tensor, "patch patch"]:
    """Return how many rows or columns, whichever are more, lie between every two patches."""
    index = torch.arange(side * side, device=device)
    rows, columns = index // side, index % side
    vertical = (rows[:, None] - rows[None]).abs()
    return torch.maximum(vertical, (columns[:, None] - columns[None]).abs()).float()
