"""Features for training: actors that keep a frozen tower look at what the cache here lacks.

Names of images go there and numbers come back, in the order of a first epoch; the cache is written here,
entry by entry, so that what came before an interruption stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zerosight.data.pixels import read_image
from zerosight.errors import ConfigError, ZerosightError
from zerosight.scale.actors import worked_off
from zerosight.scale.cluster import ClusterError, connected, facts_there, plan
from zerosight.scale.work import Opened
from zerosight.train.ahead import Together, Wanted

REST = "what was computed is in the cache, start again"


@dataclass(frozen=True, slots=True)
class TowerJob:
    """A tower to be loaded once where the cluster is, to be known."""

    wanted: Wanted
    device: str
    folder: str

    def open(self) -> Opened:
        """Load the tower."""
        _go_to(self.folder)
        look = self.wanted.tower.open(self.device)
        return Opened(None, look.preprocess, {"fingerprint": look.fingerprint}, False)


class Seer:
    """Keeps the tower, and looks at images.

    Args:
        wanted: What is to be computed.
        device: Where.
        folder: What relative paths begin at, where the command runs.
    """

    def __init__(self, wanted: Wanted, device: str, folder: str) -> None:
        _go_to(folder)
        self._wanted, self._device = wanted, device
        self._said: ZerosightError | None = None
        try:
            self._look = wanted.tower.open(device)
        except ZerosightError as error:
            self._said = ClusterError(f"--on: on a machine of the cluster: {error}")
            return
        if self._look.fingerprint != wanted.fingerprint:
            self._said = ClusterError("--on: the machines of the cluster have another tower of this name")

    def do(self, together: Together) -> Tensor | ZerosightError:
        """Return the numbers of some images, or why there are none."""
        if self._said is not None:
            return self._said
        try:
            pixels = np.stack([self._look.preprocess.pixels(read_image(image)) for _, image in together])
        except ZerosightError as error:
            return error
        return self._wanted.compute(self._look, torch.from_numpy(pixels), self._device)


def features_on(
    address: str, accelerator: str, say: Callable[[str], object]
) -> Callable[[Wanted, Iterator[Together]], Iterator[tuple[Together, Tensor]]]:
    """Return what has a cluster compute features.

    Args:
        address: As of :func:`~zerosight.scale.cluster.connected`.
        accelerator: Lightning's name of where training runs; towers run on the like of it.
        say: Told, in a line, who looks.
    """

    def elsewhere(wanted: Wanted, portions: Iterator[Together]) -> Iterator[tuple[Together, Tensor]]:
        with _called("--features-on"), connected(address) as ray:
            spread = plan(ray, "cpu" if accelerator == "cpu" else "auto", None, None)
            told = (wanted, "cuda" if spread.gpus else "cpu", os.getcwd())
            facts = facts_there(ray, TowerJob(*told), spread.gpus)
            if facts.settings["fingerprint"] != wanted.fingerprint:
                raise ClusterError("--on: the cluster has another tower of this name; use the same weights")
            say(f"features: {spread.workers} workers of the cluster look at what the cache lacks")
            for together, found in worked_off(ray, spread, (Seer, told), portions, REST):
                if isinstance(found, ZerosightError):
                    raise found
                yield together, found

    return elsewhere


@contextmanager
def _called(option: str) -> Iterator[None]:
    """Have errors about the cluster name the option that was given."""
    try:
        yield
    except (ClusterError, ConfigError) as error:
        raise type(error)(str(error).replace("--on:", f"{option}:", 1)) from None


def _go_to(folder: str) -> None:
    """Let relative paths mean what they mean where the command runs."""
    with suppress(OSError):
        os.chdir(folder)
