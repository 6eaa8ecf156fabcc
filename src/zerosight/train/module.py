"""One training step of ViP²-CLIP, for Lightning's loop."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from zerosight.models.vip2clip.losses import Losses, training_losses
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.train.config import TrainConfig
from zerosight.train.features import FeatureSource
from zerosight.train.samples import Batch


class Vip2ClipTraining(pl.LightningModule):
    """Trains ICA and FGP; the towers stay as they are.

    Args:
        model: Adapters and encoder.
        source: Gives the features of a batch.
        config: Rates, schedule and seed.
    """

    def __init__(self, model: Vip2Clip, source: FeatureSource, config: TrainConfig) -> None:
        super().__init__()
        self.model = model
        self.source = source
        self.config = config
        self.average = nn.ParameterList(
            nn.Parameter(p.detach().clone(), requires_grad=False) for p in model.parameters()
        )

    def on_fit_start(self) -> None:
        """Bring the towers to the device that Lightning chose for the adapters."""
        self.model.encoder.to(self.device)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Leave batches where they are: ``FeatureSource`` moves what has to move."""
        return batch

    def losses(self, batch: Batch) -> Losses:
        """Return every loss term of a batch."""
        features = self.source.features(batch, self.device)
        alignment = self.model(features)
        maps = self.model.level_maps(alignment, self.model.encoder.preprocess.size)
        masks, labels = batch.masks.to(self.device), batch.labels.to(self.device)
        return training_losses(maps.float(), alignment.image_logits.float(), masks, labels)

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
        if self.config.average:
            decay = min(self.config.average, (1 + self.global_step) / (10 + self.global_step))
            with torch.no_grad():
                for average, parameter in zip(self.average, self.model.parameters(), strict=True):
                    average.lerp_(parameter, 1 - decay)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the loss of held-out data."""
        total = self.losses(batch).total
        self.log("val/loss", total, batch_size=len(batch.items), sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Return Adam with the paper's two rates, and the schedule per step."""
        optimiser = torch.optim.Adam(
            [
                {"params": self.model.ica.parameters(), "lr": self.config.lr_ica},
                {"params": self.model.fgp.parameters(), "lr": self.config.lr_fgp},
            ]
        )
        if self.config.schedule == "constant":
            return optimiser
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        cosine = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * min(step / steps, 1)))
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}

    @torch.no_grad()
    def finished_model(self) -> Vip2Clip:
        """Return the model to keep: the averaged weights where an average was asked for."""
        if self.config.average:
            for parameter, average in zip(self.model.parameters(), self.average, strict=True):
                parameter.copy_(average)
        return self.model
