"""Retention: what the frozen vision tower saw of an image can be read from its special tokens again.

    target  t   the tower's mean token, every channel with mean 0 and deviation 1 over the training images
    read    r   one linear layer on the states of <ImgCls>, in a row and normed
    loss    mean (r − t)²        1 of states that know nothing of the image, 0 of states that lost nothing

It asks for neither labels nor texts. The linear layer is thrown away with the run.
Ours, not the paper's: contrastive losses keep only what tells the pairs of a batch from each other, and on
few pairs most of what the tower knew is lost on the way into the special tokens.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

FLATTEST = 1e-4


class Retention(nn.Module):
    """Reads the tower's mean token from the decoder's states.

    Args:
        width: Of the states of all special tokens in a row.
        looks: Mean tower features of images to be trained on: their channels' means and deviations make
            the target.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int, looks: Float[Tensor, "images vision"]) -> None:
        super().__init__()
        self.reader = nn.Linear(width, looks.shape[1])
        self.register_buffer("mean", looks.mean(0), persistent=False)
        deviation = looks.std(0, correction=0).clamp(min=FLATTEST)
        self.register_buffer("deviation", deviation, persistent=False)

    def read(self, cls: Float[Tensor, "batch k width"]) -> Float[Tensor, "batch vision"]:
        """Return what the states tell of the target."""
        states = cls.flatten(1).float()
        read: Tensor = self.reader(F.layer_norm(states, states.shape[1:]))
        return read

    def target(self, seen: Float[Tensor, "batch token vision"]) -> Float[Tensor, "batch vision"]:
        """Return what is to be read, from what the tower saw."""
        return (seen.to(self.mean.device).float().mean(1) - self.mean) / self.deviation


def retention_loss(
    read: Float[Tensor, "batch vision"], target: Float[Tensor, "batch vision"]
) -> Float[Tensor, ""]:
    """Return the mean squared error, at least 0."""
    return F.mse_loss(read.float(), target)
