"""One training step of ViP²-CLIP, for Lightning's loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.optim.swa_utils import AveragedModel

from zerosight.backbones.dual_encoder import ImageFeatures
from zerosight.models.vip2clip.losses import Losses, training_losses
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.train.vip2clip.features import FeatureSource
from zerosight.train.vip2clip.samples import Batch

Schedule = Literal["constant", "cosine"]


class Vip2ClipTraining(pl.LightningModule):
    """Trains ICA and FGP; the towers stay as they are.

    The moving average is torch's own; Lightning's callback for it is left out, as it would hold a second copy
    of both frozen towers.

    Args:
        model: Adapters and encoder.
        source: Gives the features of a batch.
        lr_ica: Adam's rate for the ICA.
        lr_fgp: Adam's rate for the FGP.
        schedule: What becomes of both rates.
        average: Decay of a moving average of the weights, in [0, 1); 0 keeps none. It begins with the weights
            after the first step, and its decay rises from 2/11.
    """

    def __init__(
        self,
        model: Vip2Clip,
        source: FeatureSource,
        lr_ica: float,
        lr_fgp: float,
        schedule: Schedule = "constant",
        average: float = 0.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.source = source
        self.lr_ica, self.lr_fgp = lr_ica, lr_fgp
        self.schedule = schedule
        self.average: AveragedModel | None = None
        if average:
            self.average = AveragedModel(nn.ParameterList(model.parameters()), avg_fn=rising(average))
            self.average.requires_grad_(False)

    def on_fit_start(self) -> None:
        """Bring the towers to the device that Lightning chose for the adapters."""
        self.model.encoder.to(self.device)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Leave batches where they are: ``FeatureSource`` moves what has to move."""
        return batch

    def losses(self, batch: Batch) -> Losses:
        """Return every loss term of a batch."""
        return batch_losses(self.model, self.source.features(batch, self.device), batch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the total loss and log its parts."""
        losses = self.losses(batch)
        values = {
            "loss": losses.total,
            "loss/focal": losses.focal.sum(),
            "loss/dice": (losses.dice_abnormal + losses.dice_normal).sum(),
            "loss/cross_entropy": losses.cross_entropy,
        }
        self.log_dict({f"train/{name}": value.detach() for name, value in values.items()})
        return losses.total

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Follow the weights with their moving average, where one is asked for."""
        if self.average is not None:
            self.average.update_parameters(nn.ParameterList(self.model.parameters()))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the loss of held-out data."""
        total = self.losses(batch).total
        self.log("val/loss", total, batch_size=len(batch.items), sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Return Adam with the paper's two rates, and the schedule per step."""
        optimiser = torch.optim.Adam(
            [
                {"params": self.model.ica.parameters(), "lr": self.lr_ica},
                {"params": self.model.fgp.parameters(), "lr": self.lr_fgp},
            ]
        )
        if self.schedule == "constant":
            return optimiser
        cosine = CosineAnnealingLR(optimiser, max(1, int(self.trainer.estimated_stepping_batches)))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}

    @torch.no_grad()
    def finished_model(self) -> Vip2Clip:
        """Return the model to keep: the averaged weights where an average was asked for."""
        if self.average is not None:
            for parameter, average in zip(self.model.parameters(), self.average.parameters(), strict=True):
                parameter.copy_(average)
        return self.model


def batch_losses(model: Vip2Clip, features: ImageFeatures, batch: Batch) -> Losses:
    """Return every loss term of a batch; gradients flow to the adapters.

    Args:
        model: Adapters and encoder.
        features: Of the batch's images, where the model is.
        batch: Masks and labels.
    """
    alignment = model(features)
    maps = model.level_maps(alignment, model.encoder.preprocess.size)
    masks, labels = batch.masks.to(maps.device), batch.labels.to(maps.device)
    return training_losses(maps.float(), alignment.image_logits.float(), masks, labels)


def rising(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Return how an average goes on from its value, the new one and the number of values in it."""

    def average(value: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        return value.lerp(new, 1 - min(decay, (1 + float(count)) / (10 + float(count))))

    return average
