"""EfficientNet-Lite0, the network that lite looks through: convolutions, batch norms and ReLU6, nothing else.

It is written here as the library that has it takes longer to import than PyTorch itself; what it computes
is held to that library's in the tests.

Departures: none in what is computed. Batch norms can be folded into their convolutions.
Source: Tan and Le, EfficientNet (arXiv 1905.11946), table 1, in its Lite form: no squeeze and excitation,
ReLU6, stem and head not scaled.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Groups of blocks: how many, kernel, stride of the first, how many times wider inside, channels."""
STAGES = (2, 4, 6)
"""The last groups at strides 8, 16 and 32."""
STEM, HEAD, CLASSES = 32, 1280, 1000
EPSILON = 1e-3


class Layer(nn.Module):
    """A convolution padded as TensorFlow does, its batch norm, and ReLU6 where the layer bends.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        kernel: Its side.
        stride: Of the kernel.
        groups: Of channels; as many as inputs looks at each alone.
        bends: Whether ReLU6 follows.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, bends: bool = True
    ) -> None:
        super().__init__()
        around = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, around, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, EPSILON)
        self.bends = bends

    def forward(self, images: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        """Return the channels that go out."""
        if self.conv.stride[0] > 1:
            images = F.pad(images, self._around(images))
        images = self.norm(self.conv(images))
        return F.relu6(images, inplace=True) if self.bends else images

    def fold(self) -> None:
        """Fold the batch norm into the convolution."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()

    def _around(self, images: Tensor) -> list[int]:
        """Return how much is added left, right, above and below: what is odd, at the end."""
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        added = []
        for side in (images.shape[3], images.shape[2]):
            missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            added += [missing // 2, missing - missing // 2]
        return added


class Block(nn.Module):
    """An inverted residual: wider, each channel filtered alone, narrow again.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        kernel: Side of the filters.
        stride: Of the filters.
        wider: How many times wider it is inside; 1 leaves the first layer out.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, wider: int) -> None:
        super().__init__()
        inside = inputs * wider
        self.layers = nn.Sequential(
            *([Layer(inputs, inside)] if wider > 1 else []),
            Layer(inside, inside, kernel, stride, groups=inside),
            Layer(inside, outputs, bends=False),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, images: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        """Return the channels that go out."""
        found: Tensor = self.layers(images)
        return found + images if self.adds else found


class LiteNetwork(nn.Module):
    """EfficientNet-Lite0 with its head, from preprocessed images to the thousand classes of ImageNet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Layer(3, STEM, 3, 2)
        groups, inputs = [], STEM
        for count, kernel, stride, wider, outputs in GROUPS:
            first = Block(inputs, outputs, kernel, stride, wider)
            rest = [Block(outputs, outputs, kernel, 1, wider) for _ in range(count - 1)]
            groups.append(nn.Sequential(first, *rest))
            inputs = outputs
        self.groups = nn.ModuleList(groups)
        self.head = Layer(inputs, HEAD)
        self.classifier = nn.Linear(HEAD, CLASSES)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """Return the logits of ImageNet's classes."""
        return self.classifier(self.head(self.stages(images)[-1]).mean((2, 3)))

    def stages(self, images: Float[Tensor, "batch 3 height width"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Return the channels at strides 8, 16 and 32."""
        images = self.stem(images)
        found = []
        for number, group in enumerate(self.groups):
            images = group(images)
            if number in STAGES:
                found.append(images)
        return found

    def folded(self) -> LiteNetwork:
        """Fold every batch norm into the convolution before it, in place: the same function, fewer passes."""
        for module in self.modules():
            if isinstance(module, Layer):
                module.fold()
        return self


def lite_network(weights: Mapping[str, Tensor]) -> LiteNetwork:
    """Return the network with weights, by whatever names, in the order of its layers.

    Args:
        weights: Of each layer the convolution, then scale, offset, mean, variance and count of its batch
            norm; of the classifier weight and offset.

    Raises:
        ValueError: There are more or fewer than the network has.
        RuntimeError: One is of another shape.
    """
    with torch.device("meta"):
        network = LiteNetwork()
    network.load_state_dict(dict(zip(network.state_dict(), weights.values(), strict=True)), assign=True)
    return network.eval()
