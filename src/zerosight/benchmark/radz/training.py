"""A training step on a large batch: as one graph, and with cached gradients in small chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.benchmark.memory import cost
from zerosight.benchmark.radz.plain import random_pixels
from zerosight.benchmark.radz.workloads import Workload, training_model
from zerosight.models.llava_radz.losses import PairFeatures, radz_losses
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.train.radz.gradient_cache import cached_backward

CLASSES = 14
REPORT = (
    "Study {}. The heart size is normal. The lungs are clear. No pleural effusion or pneumothorax is seen."
)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Images, as the tower saw them, with their reports."""

    seen: Float[Tensor, "batch token vision"]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepRow:
    """Forward and backward pass of one batch; memory is above weights, gradients and what the tower saw.

    Attributes:
        name: Of the way.
        batch: Pairs that the loss compares.
        chunk: Pairs whose graph is held at a time.
        seconds: Of one step.
        tensors_mb: Highest sum of living tensors.
        resident_mb: Highest resident memory of the process.
        memory_ratio: Its tensors over those of the small batch.
    """

    name: str
    batch: int
    chunk: int
    seconds: float
    tensors_mb: float
    resident_mb: float | None
    memory_ratio: float


@dataclass(frozen=True, slots=True)
class StepResult:
    """The small batch, the large one with cached gradients, and the large one as one graph.

    Attributes:
        rows: In this order.
        time_ratio: Cached gradients over one graph.
        max_difference: Largest difference of the gradients of these two, over the largest gradient.
    """

    rows: list[StepRow]
    time_ratio: float
    max_difference: float


def measure_steps(workload: Workload) -> StepResult:
    """Return time and memory of the three steps; each runs twice."""
    model = training_model(workload)
    chunks = _chunks(model, workload)
    whole = Pairs(torch.cat([part.seen for part in chunks]), sum((part.texts for part in chunks), ()))
    anchors = torch.nn.functional.normalize(_noise(CLASSES, model.config.dim), dim=-1)
    ways: dict[str, tuple[Callable[[], object], int, int]] = {
        "one graph": (lambda: one_graph(model, chunks[0], anchors), workload.chunk, workload.chunk),
        "cached gradients": (lambda: cached(model, chunks, anchors), workload.pairs, workload.chunk),
        "one graph, large": (lambda: one_graph(model, whole, anchors), workload.pairs, workload.pairs),
    }
    one_graph(model, chunks[0], anchors)
    rows: list[StepRow] = []
    gradients = []
    for name, (work, batch, chunk) in ways.items():
        found = cost(work)
        least = rows[0].tensors_mb if rows else found.tensors_mb
        ratio = found.tensors_mb / least
        rows.append(StepRow(name, batch, chunk, found.seconds, found.tensors_mb, found.resident_mb, ratio))
        gradients.append(_gradients(model))
    largest = float(gradients[2].abs().max())
    difference = float((gradients[1] - gradients[2]).abs().max()) / largest
    return StepResult(rows, rows[1].seconds / rows[2].seconds, difference)


def one_graph(model: LlavaRadz, pairs: Pairs, anchors: Float[Tensor, "classes dim"]) -> None:
    """Put the gradients of a batch into the parameters, from one graph."""
    _forget(model)
    _loss(model, anchors, *_encode(model, pairs)).backward()


def cached(model: LlavaRadz, chunks: list[Pairs], anchors: Float[Tensor, "classes dim"]) -> None:
    """Put the gradients of a batch into the parameters, chunk by chunk."""
    _forget(model)
    cached_backward(chunks, lambda part: _encode(model, part), lambda *own: _loss(model, anchors, *own))


def _encode(model: LlavaRadz, pairs: Pairs) -> tuple[Tensor, ...]:
    image, text = model.embed_images(pairs.seen), model.embed_texts(pairs.texts)
    return image.pooled, text.pooled, image.local, text.local


def _loss(model: LlavaRadz, anchors: Float[Tensor, "classes dim"], *features: Tensor) -> Tensor:
    image, text, image_local, text_local = features
    labels = torch.arange(len(image))[:, None] % CLASSES == torch.arange(CLASSES)
    pairs = PairFeatures(image, text, image_local, text_local, labels)
    return radz_losses(pairs, anchors, model.temperature).total


def _chunks(model: LlavaRadz, workload: Workload) -> list[Pairs]:
    """Return the batch in parts; what the tower saw is there before anything is measured."""
    pixels = torch.from_numpy(random_pixels(model.mllm, workload.pairs)).split(workload.chunk)
    texts = [REPORT.format(i) for i in range(workload.pairs)]
    return [
        Pairs(model.mllm.see(part), tuple(texts[i * workload.chunk : (i + 1) * workload.chunk]))
        for i, part in enumerate(pixels)
    ]


def _forget(model: LlavaRadz) -> None:
    """Set the gradients to zero where they are, so that no step is charged for their memory."""
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.zero_()


def _gradients(model: LlavaRadz) -> Float[Tensor, "every"]:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def _noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))
