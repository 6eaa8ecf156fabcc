"""Judges: actors that hold a model to labelled images, for an evaluation that runs here.

Rows travel in the order of the data set, some batches of them together, always the same ones; outcomes come
back with the pixel counts of each image, of which only the bins that hold pixels travel. They are merged here
in that order, so every sum, and with it every digit, is that of an evaluation on one machine. The journal,
going on with it, and the tables are the same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from zerosight.data.manifest import Dataset, Manifest
from zerosight.data.rows import Record
from zerosight.errors import ZerosightError
from zerosight.evaluate.anomalies.outcome import Outcome
from zerosight.evaluate.anomalies.run import judge
from zerosight.evaluate.anomalies.selection import Selection
from zerosight.metrics.binned import BinnedState
from zerosight.predict.anomalies import Predictor, load
from zerosight.scale.actors import worked_off
from zerosight.scale.cluster import ClusterError, facts_there, plan
from zerosight.scale.work import AnomalyJob

BATCHES = 4
"""That travel together."""
REST = "what came before is kept with --out, go on with --resume"
_ARRAYS = ("normal", "anomalous", "overlap")
Judgement = tuple[Outcome, BinnedState | None]


class Judges:
    """Holds a model to rows in a cluster.

    Args:
        ray: The connected package.
        model: A shipped model's name, a folder or a graph, the same there as here.
        device: Where models run.
        predictor: The same model, here.

    Raises:
        ClusterError: The cluster cannot do it, or has another model.
        ConfigError: It has no room.
    """

    def __init__(self, ray: ModuleType, model: str, device: str, predictor: Predictor) -> None:
        self._ray = ray
        self._plan = plan(ray, device, None, None)
        self._device = "cpu" if device == "auto" and not self._plan.gpus else device
        self._model = model
        facts = facts_there(ray, AnomalyJob(model, self._device), self._plan.gpus)
        if any(facts.settings.get(key) != value for key, value in predictor.identity().items()):
            raise ClusterError(
                f"--on: the cluster has another model that is called {model}; use the same weights"
            )

    def __call__(self, selection: Selection, wanted: Iterable[tuple[int, Record]]) -> Iterator[Judgement]:
        """Yield what is to be kept of rows, in their order, and the counts of their pixels.

        Raises:
            ClusterError: The cluster was lost; what came before is kept.
        """
        rows, about = iter(wanted), (self._model, self._device, _there(selection))
        together = selection.config.batch_size * BATCHES
        portions = iter(lambda: list(islice(rows, together)), [])
        for _, (said, found) in worked_off(self._ray, self._plan, (Judge, about), portions, REST):
            if said:
                raise ClusterError(f"--on: on a machine of the cluster: {said}")
            yield from ((outcome, None if thin is None else _whole(*thin)) for outcome, thin in found)


class Judge:
    """Keeps the model, and holds it to rows."""

    def __init__(self, model: str, device: str, selection: Selection) -> None:
        self._selection = selection
        self._said = ""
        try:
            self._predictor = load(model, device, selection.config.batch_size)
        except ZerosightError as error:
            self._said = str(error)

    def do(self, rows: list[tuple[int, Record]]) -> tuple[str, list[tuple[Outcome, Any]]]:
        """Return why it cannot be done, and what is to be kept of each row."""
        if self._said:
            return self._said, []
        try:
            found = judge(self._predictor, self._selection, rows)
            return "", [(outcome, None if counts is None else _thin(counts)) for outcome, counts in found]
        except ZerosightError as error:
            return str(error), []


def _there(selection: Selection) -> Selection:
    """Return the selection as another machine needs it: where its files lie, and none of its rows."""
    dataset: Dataset = selection.dataset
    base = dataset.base if isinstance(dataset, Manifest) else Path(dataset.header.root)
    root = str(base.absolute() if isinstance(base, Path) else base)
    return replace(selection, dataset=Manifest(Path("manifest.jsonl"), replace(dataset.header, root=root)))


def _thin(state: BinnedState) -> tuple[BinnedState, int, np.ndarray]:
    """Return counts with the bins that hold pixels alone, how many there were, and which these are."""
    used = np.flatnonzero(state.normal + state.anomalous)
    return replace(state, **{name: getattr(state, name)[used] for name in _ARRAYS}), state.normal.size, used


def _whole(state: BinnedState, bins: int, used: np.ndarray) -> BinnedState:
    """Return counts with all bins again."""
    arrays: dict[str, Any] = {}
    for name in _ARRAYS:
        values = getattr(state, name)
        arrays[name] = np.zeros(bins, values.dtype)
        arrays[name][used] = values
    return replace(state, **arrays)
