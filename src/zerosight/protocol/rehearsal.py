"""The protocol rehearsed at full size: random weights, all 15 benchmarks in little, what the real will cost.

Everything that the real run does is done, by the same code: trees are read, two models trained with cached
features, every set evaluated, both tables made. What is measured per image is multiplied by the numbers of
images that the field reports; for a GPU, operations are counted and divided by its rate. Each line of the
prediction shows its arithmetic.

On a processor, seconds are processor time, so that a machine with other work predicts like an idle one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from zerosight.backbones.config import PAPER_BACKBONE, BackboneConfig
from zerosight.backbones.dual_encoder import ImageFeatures
from zerosight.backbones.flops import count_flops
from zerosight.data.layouts import list_layouts, read_layout
from zerosight.data.pixels import read_image
from zerosight.errors import ConfigError
from zerosight.metrics.binned import empty_binned
from zerosight.models.vip2clip.folder import load_model
from zerosight.preprocess import Preprocess
from zerosight.protocol.miniatures import TREES, plant
from zerosight.protocol.prediction import Measured, Prediction, predict_cost
from zerosight.protocol.run import Pair, ProtocolConfig, ProtocolData, Watch, run_protocol
from zerosight.protocol.tables import ProtocolTables
from zerosight.weights import usable_device

AUXILIARY = ("mvtec_ad", "visa")
PICTURE = (700, 700)
"""Width and height of the drawn pictures: MVTec AD's smallest."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of a rehearsal.

    Attributes:
        seconds: Of the whole, from the drawing of the trees to the tables.
        processor_seconds: That it computed in them.
        measured: Per image and per model.
        prediction: Of the real sets.
        tables: The two tables; with random weights their values mean nothing.
    """

    seconds: float
    processor_seconds: float
    measured: Measured
    prediction: Prediction
    tables: ProtocolTables

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "seconds": self.seconds,
            "processor_seconds": self.processor_seconds,
            "measured": asdict(self.measured),
            "prediction": self.prediction.to_json(),
            "tables": self.tables.to_json(),
        }


def random_weights(backbone: BackboneConfig) -> BackboneConfig:
    """Return a backbone with random weights in place of those that it names.

    >>> random_weights(PAPER_BACKBONE).weights
    'random:0'

    Raises:
        ConfigError: It names weights by their file or folder, and no architecture.
    """
    if backbone.kind != "openclip":
        return backbone
    if backbone.model and (":" in backbone.model or Path(backbone.model).expanduser().exists()):
        raise ConfigError(
            f"--rehearse takes an architecture, to which it gives random weights, such as "
            f"{PAPER_BACKBONE.model}; got '{backbone.model}'"
        )
    return backbone.model_copy(update={"weights": "random:0"})


def rehearse(config: ProtocolConfig, watch: Watch) -> Rehearsal:
    """Return what came of the whole protocol on miniatures, and what the real sets will cost.

    ``config.out`` holds the trees, models, results and tables as the real run would leave them.

    Args:
        config: Its training names the backbone and a folder for the cache.
        watch: Told how far the work is.

    Raises:
        ConfigError: There is something in the folder already.
    """
    if config.out.exists() and any(config.out.iterdir()):
        raise ConfigError(
            f"{config.out}: is not empty; a rehearsal is timed from its beginning, so give another"
        )
    start, computed = time.perf_counter(), time.process_time()
    data = _draw(config.out / "trees")
    on_cpu = usable_device(config.device).type == "cpu"
    clock = _Stopwatch(watch, time.process_time if on_cpu else time.perf_counter)
    tables = run_protocol(data, config, clock)
    images = {name: sum(row.split == "test" for row in one.records()) for name, one in data.tests.items()}
    measured = _measure(config, clock, images)
    infos = {info.name: info for info in list_layouts() if info.name in TREES}
    prediction = predict_cost(measured, infos, AUXILIARY)
    seconds = time.perf_counter() - start
    return Rehearsal(seconds, time.process_time() - computed, measured, prediction, tables)


def _draw(folder: Path) -> ProtocolData:
    """Return the miniatures, drawn and read as any data set."""
    read = {name: read_layout(name, plant(folder / name, names, PICTURE)) for name, names in TREES.items()}
    return ProtocolData.of(
        [read[name] for name in AUXILIARY], [read[name] for name in TREES if name not in AUXILIARY]
    )


@dataclass(slots=True)
class _Stopwatch:
    """Takes times and passes on what it is told.

    Attributes:
        runs: Seconds of every training run, begin to end.
        epochs: Seconds of each epoch, by run.
        evaluations: First and last moment of every evaluation, without the model's loading.
    """

    watch: Watch
    now: Callable[[], float]
    runs: dict[str, float] = field(default_factory=dict)
    epochs: dict[str, list[float]] = field(default_factory=dict)
    evaluations: dict[Pair, list[float]] = field(default_factory=dict)

    @contextmanager
    def training(self, name: str) -> Iterator[pl.Callback]:
        """Time one run and each of its epochs."""
        epochs = self.epochs.setdefault(name, [])
        start = self.now()
        with self.watch.training(name) as inner:
            yield _Epochs(epochs, inner, self.now)
        self.runs[name] = self.now() - start

    def evaluating(self, pair: Pair, done: int, total: int) -> None:
        """Note the moment."""
        self.evaluations.setdefault(pair, []).append(self.now())
        self.watch.evaluating(pair, done, total)


class _Epochs(pl.Callback):
    """Notes how long epochs take; another callback is called as well."""

    def __init__(self, seconds: list[float], inner: pl.Callback, now: Callable[[], float]) -> None:
        self.seconds, self.inner, self.now = seconds, inner, now

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Pass on."""
        self.inner.on_train_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the moment."""
        self._since = self.now()

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        """Pass on."""
        self.inner.on_train_batch_end(trainer, *rest)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note how long it took."""
        self.seconds.append(self.now() - self._since)


def _measure(config: ProtocolConfig, clock: _Stopwatch, images: Mapping[str, int]) -> Measured:
    """Return what was timed, per image, and what is counted on the finished model."""
    trained = sum(images[name] for name in clock.epochs)
    later = [seconds for epochs in clock.epochs.values() for seconds in epochs[1:]]
    epochs = max(len(epochs) for epochs in clock.epochs.values())
    evaluated = sum(moments[-1] - moments[0] for moments in clock.evaluations.values())
    model = load_model(config.out / "models" / AUXILIARY[0]).model
    encoder = model.encoder
    size = encoder.preprocess.size
    features: list[ImageFeatures] = []
    tower = count_flops(lambda: features.append(encoder.encode_image(torch.zeros(1, 3, size, size))))
    prefix = model.read_prefix()
    rest = count_flops(lambda: model.anomaly_maps(model(features[0], prefix), size))
    runs = config.out / "models"
    return Measured(
        size=size,
        epochs=epochs,
        batch=min(8, max(images[name] for name in AUXILIARY)),
        ready_seconds=sum(clock.runs[n] - sum(clock.epochs[n]) for n in clock.runs) / len(clock.runs),
        first_seconds=sum(epochs[0] for epochs in clock.epochs.values()) / trained,
        cached_seconds=sum(later) / (trained * (epochs - 1)) if epochs > 1 else 0.0,
        evaluated_seconds=evaluated / sum(images.values()),
        read_seconds=_read_seconds(config.out / "trees", encoder.preprocess),
        metrics_seconds=_metrics_seconds(size),
        weights_mb=_megabytes(p.numel() * p.element_size() for p in encoder.towers.parameters()),
        peak_mb=_peak_mb(),
        features_mb=2 * (encoder.dim + encoder.levels * encoder.grid**2 * encoder.dim) / 1e6,
        run_mb=_megabytes(path.stat().st_size for path in runs.rglob("*") if path.is_file())
        / len(clock.runs),
        tower_gflop=tower / 1e9,
        rest_gflop=rest / 1e9,
    )


def _read_seconds(trees: Path, preprocess: Preprocess) -> float:
    paths = sorted((trees / AUXILIARY[0]).rglob("test/*/*.png"))
    start = time.perf_counter()
    for path in paths:
        preprocess.pixels(read_image(path))
    return (time.perf_counter() - start) / len(paths)


def _metrics_seconds(size: int, images: int = 4) -> float:
    maps = np.random.default_rng(0).random((images, size, size), dtype=np.float32)
    mask = np.zeros((size, size), bool)
    mask[: size // 3, : size // 4] = True
    start = time.perf_counter()
    for one in maps:
        empty_binned().update(one, mask)
    return (time.perf_counter() - start) / images


def _peak_mb() -> float | None:
    """Return the most memory that this process has held, in 10⁶ bytes; None where it is not told."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _megabytes(sizes: Iterator[int]) -> float:
    return sum(sizes) / 1e6
