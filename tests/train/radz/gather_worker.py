"""One of several processes: gather, loss, backward, and what came of it into a file.

Run as ``python gather_worker.py FOLDER RANK COUNT``; rank r holds the rows ``shares[r]`` of the batch.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from zerosight.models.llava_radz.losses import PairFeatures, radz_losses
from zerosight.train.radz.gather import average_gradients, gather_with_grad
from zerosight.train.radz.gradient_cache import cached_backward


class Small(nn.Module):
    """An encoder of two modalities with a temperature."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(6, 4), nn.Linear(6, 4)
        self.log_temperature = nn.Parameter(torch.tensor(-1.0))

    def encode(self, rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        image, text = rows.unbind(1)
        return self.image(image), self.text(text), self.image(-image), self.text(-text)


def backward(batch: dict[str, torch.Tensor], chunk: int | None) -> tuple[torch.Tensor, Small]:
    """Return the loss over all processes and the model with averaged gradients."""
    model = Small()
    labels, ids = gather_with_grad(batch["labels"]), gather_with_grad(batch["ids"])

    def loss(*own: torch.Tensor) -> torch.Tensor:
        features = PairFeatures(*map(gather_with_grad, own), labels=labels, text_ids=ids)
        return radz_losses(features, batch["anchors"], model.log_temperature.exp()).total

    if chunk:
        value = cached_backward(batch["rows"].split(chunk), model.encode, loss)
    else:
        value = loss(*model.encode(batch["rows"]))
        value.backward()
    average_gradients(model.parameters())
    return value.detach(), model


def main(folder: Path, rank: int, count: int) -> None:
    """Do the work of one process."""
    store = dist.FileStore(str(folder / "store"), count)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=count, timeout=timedelta(seconds=60))
    batch = torch.load(folder / f"batch{rank}.pt")
    found = {}
    for chunk in (None, 2):
        value, model = backward(batch, chunk)
        found[chunk] = (value, [parameter.grad for parameter in model.parameters()])
    found["labels"] = gather_with_grad(batch["labels"])
    torch.save(found, folder / f"found{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
