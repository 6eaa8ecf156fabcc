"""One training step of LLaVA-RadZ, for Lightning's loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import get_cosine_schedule_with_warmup

from zerosight.backbones.mllm.adapters import trainable_groups
from zerosight.errors import ConfigError
from zerosight.models.llava_radz.anchors import AnchorTexts, build_anchors
from zerosight.models.llava_radz.calibration import FindingCalibration
from zerosight.models.llava_radz.config import LossWeights
from zerosight.models.llava_radz.losses import PairFeatures, RadzLosses, radz_losses
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.train.radz.features import FeatureSource
from zerosight.train.radz.gather import average_gradients, gather_with_grad, is_distributed
from zerosight.train.radz.gradient_cache import cached_backward
from zerosight.train.radz.retention import Retention, retention_loss
from zerosight.train.radz.samples import Labels, PairBatch, hash_of
from zerosight.train.radz.validation import Validation


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A part of a batch that is held in memory at a time."""

    seen: Float[Tensor, "batch token vision"]
    texts: list[str]
    labels: list[Labels]


@dataclass(frozen=True, slots=True)
class StepSettings:
    """How a step is taken.

    Attributes:
        lr: Of the decoder's weights or LoRA's.
        lr_projector: Of the projector's weights.
        lr_heads: Of projection heads, special tokens and temperature.
        weight_decay: Of all but the temperature.
        warmup: Share of steps in which the rates rise, in [0, 1); then they fall as a cosine does.
        clip: Largest norm of all gradients together.
        micro_batch_size: Pairs held in memory at a time.
        seed: Of what dropout draws.
        equal_texts: Whether pairs with the same text are each other's wrong answers.
        retention: What the loss of retention counts.
        retention_epochs: First epochs that learn by nothing else.
    """

    lr: float
    lr_projector: float
    lr_heads: float
    weight_decay: float
    warmup: float
    clip: float
    micro_batch_size: int
    seed: int
    equal_texts: Literal["excluded", "negatives"] = "excluded"
    retention: float = 0.0
    retention_epochs: int = 0


class RadzTraining(pl.LightningModule):
    """Trains heads, temperature and what of the language model is to be trained.

    Gradients are taken by hand: a step goes through its batch in chunks (see
    :mod:`zerosight.train.radz.gradient_cache`), and processes average what they found at its end.

    Args:
        model: The network, adapted.
        source: Gives what the tower saw of a batch.
        texts: What the categories' anchors are made of; None without categories.
        validation: Judges held-out images; None without any.
        weights: Of the loss's terms.
        step: Rates and what else makes a step.
        retention: Reads what the tower saw from the special tokens; None if it counts nothing.

    Attributes:
        history: AUROC on held-out images after every epoch.
        calibration: That of the best epoch so far; None before there is one.
    """

    def __init__(
        self,
        model: LlavaRadz,
        source: FeatureSource,
        texts: AnchorTexts | None,
        validation: Validation | None,
        weights: LossWeights,
        step: StepSettings,
        retention: Retention | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.strict_loading = False
        self.model = model
        self.source = source
        self.texts = texts
        self.validation = validation
        self.retention = retention
        self.weights, self.step = weights, step
        self.history: list[float] = []
        self.calibration: FindingCalibration | None = None
        self.anchors: Float[Tensor, "classes dim"] = torch.zeros(0, model.config.dim)

    def transfer_batch_to_device(
        self, batch: PairBatch, device: torch.device, dataloader_idx: int
    ) -> PairBatch:
        """Leave batches where they are: chunks are moved as they are needed."""
        return batch

    def on_fit_start(self) -> None:
        """Begin with the same weights in every process."""
        if is_distributed():
            for parameter in self.trained().values():
                torch.distributed.broadcast(parameter.data, 0)

    def on_train_epoch_start(self) -> None:
        """Build the categories' anchors anew, as they move with the weights; seed what dropout draws."""
        if self.texts is not None and self._aligns:
            self.model.eval()
            anchors = build_anchors(self._embed_texts, self.texts, "", None)
            self.anchors = anchors.presence.to(self.device)
        self.model.train()
        torch.manual_seed(hash_of(f"{self.step.seed}/{self.current_epoch}/{self.global_rank}"))

    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        """Take one step and return the loss of the whole batch, of all processes together.

        Raises:
            ConfigError: The gradient is not a number.
        """
        optimiser, schedule = self.optimizers(), self.lr_schedulers()
        optimiser.zero_grad()  # type: ignore[union-attr]
        losses = self._backward(batch)
        trained = [p for group in optimiser.param_groups for p in group["params"]]  # type: ignore[union-attr]
        average_gradients(trained)
        if not nn.utils.clip_grad_norm_(trained, self.step.clip).isfinite():
            raise ConfigError(
                f"training came apart in epoch {self.current_epoch + 1}: the gradient is not a number; start "
                "again with lower lr, lr_projector and lr_heads"
            )
        optimiser.step()  # type: ignore[union-attr]
        schedule.step()  # type: ignore[union-attr]
        with torch.no_grad():  # beyond its bounds the temperature would get no gradient to come back
            self.model.log_temperature.copy_(self.model.temperature.log())
        named = {f"train/{name}": value.detach() for name, value in losses.items()}
        self.log_dict(named, batch_size=len(batch.pairs))
        return named["train/loss"]

    def validation_step(self, batch: PairBatch, batch_idx: int) -> None:
        """Look at held-out images; every process looks at all of them."""
        assert self.validation is not None
        for chunk in self._chunks(batch):
            self.validation.add(self.model.embed_images(chunk.seen).pooled, chunk.labels)

    def on_validation_epoch_end(self) -> None:
        """Score held-out images zero-shot; log their AUROC, and keep the calibration of the best epoch."""
        assert self.validation is not None
        judgement = self.validation.finish(self._embed_texts, float(self.model.temperature))
        self.history.append(judgement.auroc)
        if self.best_epoch() == len(self.history) - 1:
            self.calibration = judgement.calibration
        self.log("val/auroc", judgement.auroc)

    def best_epoch(self) -> int | None:
        """Return the first epoch with the highest AUROC on held-out images; None if there were none.

        Epochs of retention alone do not count, as they align nothing.
        """
        judged = self.history[self.step.retention_epochs :]
        return self.history.index(max(judged), self.step.retention_epochs) if judged else None

    def configure_optimizers(self) -> Any:
        """Return AdamW with a rate per part, and transformers' schedule per step: a rise, then a cosine.

        Where there is a rise, its first step is one of rate 0.
        """
        optimiser = torch.optim.AdamW(self._groups(), weight_decay=self.step.weight_decay)
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        schedule = get_cosine_schedule_with_warmup(optimiser, round(self.step.warmup * steps), steps)
        return {"optimizer": optimiser, "lr_scheduler": schedule}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what is trained; the rest stands in the base model."""
        trained = self.trained()
        state = {name: value for name, value in checkpoint["state_dict"].items() if name in trained}
        calibration = self.calibration.model_dump(mode="json") if self.calibration else None
        checkpoint |= {"state_dict": state, "history": self.history, "calibration": calibration}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember the epochs before."""
        self.history = list(checkpoint["history"])
        calibration = checkpoint["calibration"]
        self.calibration = FindingCalibration.parse(calibration) if calibration else None

    def trained(self) -> Mapping[str, nn.Parameter]:
        """Return everything that is trained, by name."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def _groups(self) -> list[dict[str, Any]]:
        parts = trainable_groups(self.model.mllm)
        heads = [*self.model.image_head.parameters(), *self.model.text_head.parameters()]
        rates = (
            ([*heads, *parts["tokens"]], self.step.lr_heads),
            (parts["projector"], self.step.lr_projector),
            (parts["decoder"], self.step.lr),
        )
        groups: list[dict[str, Any]] = [{"params": params, "lr": rate} for params, rate in rates if params]
        if not self.model.log_temperature.requires_grad:
            return groups
        temperature = {"params": [self.model.log_temperature], "lr": self.step.lr_heads}
        return [*groups, {**temperature, "weight_decay": 0.0}]

    def _backward(self, batch: PairBatch) -> dict[str, Tensor]:
        """Add the gradients of the whole batch, of all processes together; return its losses by name."""
        labels = gather_with_grad(batch.multi_hot(self.texts.names if self.texts else ()).to(self.device))
        text_ids = gather_with_grad(batch.text_ids.to(self.device))
        left_out = text_ids if self.step.equal_texts == "excluded" else None
        found: dict[str, Tensor] = {}

        def loss(*own: Tensor) -> Tensor:
            features = [gather_with_grad(one) for one in own]
            total = torch.zeros((), device=self.device)
            if self.retention is not None:
                *features, read, target = features
                found["loss/retention"] = retention_loss(read, target)
                total = self.step.retention * found["loss/retention"]
            if features:
                image, text, image_local, text_local = features
                pairs = PairFeatures(image, text, image_local, text_local, labels, left_out)
                losses = radz_losses(pairs, self.anchors, self.model.temperature, self.weights)
                found.update(_named(losses))
                total = total + losses.total
            found["loss"] = total
            return total

        cached_backward(self._chunks(batch), self._encode, loss, self.device)
        return found

    def _chunks(self, batch: PairBatch) -> list[Chunk]:
        size = self.step.micro_batch_size
        parts = [batch.pairs[at : at + size] for at in range(0, len(batch.pairs), size)]
        return [
            Chunk(self.source.features(part), [pair.text for pair in part], [pair.labels for pair in part])
            for part in parts
        ]

    def _encode(self, chunk: Chunk) -> tuple[Tensor, ...]:
        """Return the features of pairs, then what retention compares; in its own epochs that alone."""
        states = self.model.mllm.encode_images(chunk.seen)
        features: tuple[Tensor, ...] = ()
        if self._aligns:
            image, text = self.model.embed_states(states), self.model.embed_texts(chunk.texts)
            features = (image.pooled, text.pooled, image.local, text.local)
        if self.retention is not None:
            features += (self.retention.read(states.cls), self.retention.target(chunk.seen))
        return features

    @property
    def _aligns(self) -> bool:
        """Whether this epoch learns from pairs."""
        return self.current_epoch >= self.step.retention_epochs

    def _embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "text dim"]:
        with self.trainer.precision_plugin.forward_context():
            return self.model.embed_texts(texts).pooled


def _named(losses: RadzLosses) -> dict[str, Tensor]:
    return {
        "loss/global": losses.global_,
        "loss/local": losses.local,
        "loss/category": losses.category,
    }
