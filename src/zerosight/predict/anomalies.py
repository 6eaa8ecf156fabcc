"""Images in, predictions out, at the images' own size."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from zerosight.choices import Arithmetic, AugmentChoice, OnError
from zerosight.data.ahead import read_ahead
from zerosight.data.pixels import bytes_of
from zerosight.models.card import AnomalyCard, Thresholds
from zerosight.models.catalog import ANOMALIES, open_model
from zerosight.models.hub import pinned
from zerosight.predict.process import HomeProcess
from zerosight.predict.reading import (
    READERS,
    ImageLike,
    Read,
    Scored,
    check_threshold,
    failure,
    in_pages,
    only,
    read_batches,
    score_readable,
    single,
)
from zerosight.predict.regions import find_regions
from zerosight.predict.tiling import Tiling, score_tiled
from zerosight.preprocess import Preprocess
from zerosight.runtimes.load import graph_hash, is_exported, load_graph
from zerosight.runtimes.soundness import check_scores
from zerosight.types import Failure, Prediction

PEAK = 0.9
"""Of the way from a map's mean to its peak: what belongs to the peak."""


REFERENCES, BATCH = "zerosight.predict.references", "zerosight.predict.batch"
"""Lie above this module, and are imported when they are used."""


@runtime_checkable
class Scorer(Protocol):
    """A compiled model: pixels in, scores and maps out. PyTorch is one; exported graphs are others."""

    @property
    def preprocess(self) -> Preprocess:
        """The constants of its input."""
        ...

    def score(
        self, pixels: UInt8[np.ndarray, "batch size size 3"]
    ) -> tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"]]:
        """Return the anomaly score and the blurred map of every image, both in [0, 1]."""
        ...


Judged = tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"], list[bool | None]]
_Said = tuple[float, Float32[np.ndarray, "height width"], bool | None]
"""Score, map at any size, and whether the image is familiar."""


@runtime_checkable
class FamiliarScorer(Scorer, Protocol):
    """A scorer that can tell images like those that it was made from from others."""

    def judge(self, pixels: UInt8[np.ndarray, "batch size size 3"]) -> Judged:
        """Return what ``score`` does and, from the same pass, per image whether it is familiar.

        None where that is not known.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What the model says of one image; None of one that could not be read."""

    read: Read
    said: _Said | None


class Predictor:
    """Scores images with a model. Holds no state between calls; threads may share one.

    Args:
        scorer: The model.
        card: Its card; the thresholds come from it.
        batch_size: Images or tiles per pass.
        tiling: How images larger than a tile are cut; None scores every image as a whole.
        computed: How the scorer computes, as far as its scores depend on it: runtime, precision, the graph's
            hash. Part of :meth:`identity`.
        transductive: Whether it judges the images of one batch by each other.

    Example:
        >>> import numpy as np
        >>> from zerosight.models.vip2clip.card import Vip2ClipCard
        >>> from zerosight.models.vip2clip.scorer import tiny_scorer
        >>> predictor = Predictor(tiny_scorer(), Vip2ClipCard(name="example"))
        >>> [prediction] = predictor.predict([np.zeros((30, 40, 3), np.uint8)])
        >>> prediction.anomaly_map.shape
        (30, 40)
    """

    def __init__(
        self,
        scorer: Scorer,
        card: AnomalyCard,
        batch_size: int = 8,
        tiling: Tiling | None = None,
        computed: str = "",
        transductive: bool = False,
    ) -> None:
        self.scorer = scorer
        self.card = card
        self.batch_size = batch_size
        self.tiling = tiling
        self.computed = computed
        self.transductive = transductive
        self._home = HomeProcess()

    @property
    def tells_unfamiliar(self) -> bool:
        """Whether it can say ``is_familiar``: the card has the check, and whole images meet PyTorch."""
        checks = self.card.familiarity is not None and isinstance(self.scorer, FamiliarScorer)
        return checks and self.tiling is None

    def identity(self) -> dict[str, Any]:
        """Return what scores and maps depend on beside the images, as JSON values; thresholds are apart."""
        how = {"input": self.scorer.preprocess.key, "computed": self.computed}
        tiling = {"tiling": asdict(self.tiling)} if self.tiling else {}
        return self.card.identity() | how | tiling

    def tiled(self, size: int | None = None, overlap: float = 0.25) -> Predictor:
        """Return a predictor that scores large images piece by piece (see :mod:`zerosight.predict.tiling`).

        Args:
            size: Side of a tile in pixels of the image; None takes the model's input size.
            overlap: Least share of its side that a tile has in common with the next, in [0, 0.9].

        Raises:
            ConfigError: A value is out of its range.
        """
        tiled = copy.copy(self)
        tiled.tiling = Tiling(self.scorer.preprocess.size if size is None else size, overlap)
        return tiled

    def with_normals(
        self,
        images: ImageLike | Iterable[ImageLike],
        alpha: float | None = None,
        pixel_alpha: float | None = None,
        augment: AugmentChoice | None = None,
    ) -> Predictor:
        """Return a predictor that compares with normal images of the same kind of thing.

        Nothing is trained. Its scores and maps are calibrated: 0.5 is the threshold. What should be known of
        the images is among the notes of its card. Of a predictor that has normal images, these are added.

        Args:
            images: As for :meth:`predict`; one to some thousands.
            alpha: Share of normal images that may be called anomalous, in (0, 0.5]; None takes 0.05.
            pixel_alpha: Share of normal images' pixels that may lie in a region, likewise; None takes 0.01.
            augment: ``turns`` and ``flips`` compare with turned copies, too, for things that come in any
                position; ``auto`` lets the normal images choose; None takes none.

        Raises:
            ConfigError: The model is an exported graph, or a share is out of its range.
            DataError: No image can be read.
        """
        learn = resolve_name(f"{REFERENCES}:with_normals")
        return learn(self, images, alpha, pixel_alpha, augment).predictor

    def with_batch(self, images: ImageLike | Iterable[ImageLike]) -> Predictor:
        """Return a predictor that judges the images of a batch by each other, for those very images.

        Where nothing is known to be normal, what most images have is. That helps while few of them are
        anomalous, and hurts where half of them are or where one defect repeats; what speaks for that is among
        the notes of its card. Its scores depend on the other images: each result says ``transductive``.

        Args:
            images: As for :meth:`predict`; at least ten that can be read.

        Raises:
            ConfigError: The model gives no features, knows normal images, or cuts images into tiles.
            DataError: Too few images can be read.
        """
        return resolve_name(f"{BATCH}:with_batch")(self, images).predictor

    def save(self, folder: str | Path) -> AnomalyCard:
        """Write a model with normal images as a folder that loads like any other, and return its card.

        Raises:
            ConfigError: The model has no normal images.
            OutputError: The folder cannot be written.
        """
        return resolve_name(f"{REFERENCES}:save")(self, Path(folder))

    def predict(
        self,
        images: ImageLike | Iterable[ImageLike],
        *,
        threshold: float | None = None,
        pixel_threshold: float | None = None,
        on_error: OnError = "stop",
    ) -> Iterator[Prediction | Failure]:
        """Yield one result per image, in order.

        Args:
            images: Files, folders (all images in them), PIL images, or arrays (height, width[, channel]) of
                uint8, uint16, or floats in [0, 1]; one or many. Read lazily, a few ahead.
            threshold: Scores at or above it are anomalous, in [0, 1]; None takes the model's.
            pixel_threshold: Map values at or above it form regions, in [0, 1]; None takes the model's.
            on_error: ``stop`` raises at the first image that cannot be read, ``skip`` yields a Failure.

        Raises:
            ConfigError: A threshold is no number in [0, 1].
            ImageReadError: An image cannot be read and ``on_error`` is ``stop``.
            ProcessError: This process was forked after the model was loaded.
            WeightsError: The model gives something else than numbers in [0, 1].
        """
        for scored in self.stream(
            images, threshold=threshold, pixel_threshold=pixel_threshold, on_error=on_error
        ):
            yield scored.result

    def predict_one(
        self, image: ImageLike, *, threshold: float | None = None, pixel_threshold: float | None = None
    ) -> Prediction:
        """Return the result for one image.

        Args:
            image: A file, a PIL image or an array, as for :meth:`predict`.
            threshold: As for :meth:`predict`.
            pixel_threshold: As for :meth:`predict`.

        Raises:
            ConfigError: A threshold is no number in [0, 1], or ``image`` names more than one.
            ZerosightError: As :meth:`predict` with ``stop``.
        """
        return only(self.predict(single(image), threshold=threshold, pixel_threshold=pixel_threshold))

    def stream(
        self,
        images: ImageLike | Iterable[ImageLike],
        *,
        threshold: float | None = None,
        pixel_threshold: float | None = None,
        on_error: OnError = "stop",
    ) -> Iterator[Scored[Prediction]]:
        """Yield every image together with its result; arguments as for :meth:`predict`.

        A large image of a file does not come along, see :meth:`Scored.with_photo`.
        """
        self._home.check()
        chosen = self.thresholds(threshold, pixel_threshold)
        together = 1 if self.tiling else self.batch_size  # large images wait in memory one by one
        whole = self.tiling is not None
        batches = read_batches(in_pages(images), self.scorer.preprocess.pixels, together, whole=whole)

        def finish(found: _Found) -> Scored[Prediction]:
            read = found.read
            if read.size is None or found.said is None:
                return Scored(None, failure(read, on_error))
            score, anomaly_map, is_familiar = found.said
            if not self.tiling:  # tiles give their map at the image's own size
                anomaly_map = self.scorer.preprocess.unfit(anomaly_map, read.size)
            result = prediction(read.source, score, anomaly_map, chosen)
            known = replace(result, image=read.kept, transductive=self.transductive, is_familiar=is_familiar)
            return Scored(read.image, known, read.size)

        # The model goes on with the next batch while the maps of this one are enlarged and outlined.
        yield from read_ahead(self._score(batches), finish, READERS, ahead=together, cost=_cost)

    def thresholds(self, image: float | None = None, pixel: float | None = None) -> Thresholds:
        """Return the model's thresholds with the given ones, in [0, 1], in their place.

        Raises:
            ConfigError: One is no number in [0, 1].
        """
        check_threshold("threshold", image)
        check_threshold("pixel_threshold", pixel)
        given = {key: value for key, value in (("image", image), ("pixel", pixel)) if value is not None}
        return self.card.thresholds.model_copy(update=given)

    def _score(self, batches: Iterable[list[Read]]) -> Iterator[_Found]:
        """Yield every image with what is said of it; tiles give a map at the image's own size."""
        for batch in batches:
            yield from map(_Found, batch, self._say(batch, self._sound))

    def score(
        self, batch: Sequence[Read], check: bool = True
    ) -> list[tuple[float, Float32[np.ndarray, "height width"]] | None]:
        """Return the score and the map of every image read, None where it could not be.

        Args:
            batch: Images as the model wants them, with tiling at their own size as well. Maps are of the
                model's size, with tiling of the image's own.
            check: Whether to refuse a model that gives something else than numbers in [0, 1].

        Raises:
            ProcessError: This process was forked after the model was loaded.
            WeightsError: It does, and is checked.
        """
        said = self._say(batch, self._sound if check else self._judge)
        return [None if one is None else one[:2] for one in said]

    def _say(self, batch: Sequence[Read], judge: Callable[..., Judged]) -> list[_Said | None]:
        """Return what is said of every image read, None where it could not be."""
        self._home.check()
        if self.tiling:
            return [self._say_tiled(read, self.tiling, judge) for read in batch]

        def said(pixels: UInt8[np.ndarray, "batch size size 3"]) -> Iterator[_Said]:
            for one, anomaly_map, is_familiar in zip(*judge(pixels), strict=True):
                yield float(one), anomaly_map, is_familiar

        return score_readable([read.pixels for read in batch], said)

    def _say_tiled(self, read: Read, tiling: Tiling, judge: Callable[..., Judged]) -> _Said | None:
        """Return what is said of an image in pieces; whether it is familiar is known of whole images only."""
        if read.image is None or read.pixels is None:
            return None

        def score(pixels: UInt8[np.ndarray, "batch size size 3"]) -> tuple[np.ndarray, np.ndarray]:
            return judge(pixels)[:2]

        preprocess = self.scorer.preprocess
        return *score_tiled(read.image, read.pixels, tiling, preprocess, score, self.batch_size), None

    def _judge(self, pixels: UInt8[np.ndarray, "batch size size 3"]) -> Judged:
        """Return what the model says."""
        if isinstance(self.scorer, FamiliarScorer):
            return self.scorer.judge(pixels)
        return *self.scorer.score(pixels), [None] * len(pixels)

    def _sound(self, pixels: UInt8[np.ndarray, "batch size size 3"]) -> Judged:
        """Return what the model says, after checking that it says something in [0, 1]."""
        scores, maps, familiar = self._judge(pixels)
        return *check_scores(scores, maps, len(pixels), self.scorer.preprocess.size), familiar


def load(
    model: str | Path = "vip2clip-lite",
    device: str = "cpu",
    batch_size: int = 8,
    precision: Arithmetic = "exact",
    compile: bool = False,
) -> Predictor:
    """Return a model ready to find anomalies.

    Args:
        model: A shipped model's name, a model folder, ``hf://OWNER/NAME[@REVISION]`` on the Hugging Face
            hub, or an exported graph (``.onnx``, ``.xml``), which needs no PyTorch.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``auto``; for ``.xml``, a device of OpenVINO.
        batch_size: Images per pass.
        precision: ``exact`` is fp32; ``fast`` computes in bf16 where that is faster.
        compile: Translate the model with ``torch.compile`` first; graphs are compiled as they are loaded.

    Raises:
        ZerosightError: The model or its weights are not to be had; the message says what to do.

    Example:
        >>> predictor = load("vip2clip-lite")
        >>> predictor.card.name
        'vip2clip-lite'
    """
    if is_exported(model):
        graph = load_graph(model, device, precision=precision)
        return Predictor(graph, graph.facts.card, batch_size, computed=f"{graph_hash(model)} {precision}")
    scorer, card = open_model(model, ANOMALIES, device, precision=precision, compile=compile)
    computed = f"torch {precision} {pinned(model)}".rstrip()
    return Predictor(scorer, card, batch_size, computed=computed)


def _cost(found: _Found) -> int:
    """Return the bytes of an image and of its map at the image's size."""
    read = found.read
    return bytes_of(read.image) + (4 * read.size[0] * read.size[1] if read.size else 0)


def prediction(
    source: str, score: float, anomaly_map: Float32[np.ndarray, "height width"], thresholds: Thresholds
) -> Prediction:
    """Return the result for one image from its score and its map at its own size.

    An anomalous image whose map stays below the pixel threshold has the surroundings of its peak as a region.
    """
    regions = find_regions(anomaly_map, thresholds.pixel)
    if not regions and score >= thresholds.image:
        peak, level = float(anomaly_map.max()), float(anomaly_map.mean())
        regions = find_regions(anomaly_map, min(peak, level + PEAK * (peak - level)))[:1]
    return Prediction(source, score, thresholds.image, thresholds.pixel, anomaly_map, regions)
