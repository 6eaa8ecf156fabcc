"""A batch of images in, a predictor out that judges these very images by each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.normalise import normalise
from zerosight.errors import ConfigError, DataError
from zerosight.models.card import AnomalyCard, Thresholds
from zerosight.models.references.estimators import principal_map
from zerosight.models.references.model import mean_of, words_of
from zerosight.models.references.moments import Moments
from zerosight.models.references.mutual import (
    FEWEST,
    FIRST,
    LARGEST_BATCH,
    Judged,
    Maps,
    Mutual,
    along,
    compare,
    judge,
    remarks,
    subspaces_of,
)
from zerosight.models.references.tower import Levels, look
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.models.vip2clip.scorer import TorchScorer
from zerosight.predict.anomalies import Predictor
from zerosight.predict.reading import ImageLike, in_pages, read_batches
from zerosight.predict.references import Learned
from zerosight.preprocess import Preprocess

SOURCE = "transductive: what stands out from its batch by two robust deviations; no rate is promised"


class BatchCard(AnomalyCard):
    """What is known of a batch that is its own reference; it is never written to a folder."""

    architecture: str = "batch"
    base: Vip2ClipCard
    batch: str
    images: int

    @property
    def backbone(self) -> BackboneConfig:
        """The zero-shot model's."""
        return self.base.backbone

    @property
    def foundation(self) -> str:
        """The kind of backbone."""
        return self.base.foundation

    def identity(self) -> dict[str, Any]:
        """Return what identifies the zero-shot model, and the batch."""
        return self.base.identity() | {"batch": self.batch}


class BatchScorer:
    """Knows the images of one batch, and what was found in them when they were compared.

    Args:
        judged: The batch.
        rows: Number of every image, by the hash of its pixels.
    """

    def __init__(self, judged: Judged, rows: dict[bytes, int]) -> None:
        self.judged = judged
        self.rows = rows

    @property
    def preprocess(self) -> Preprocess:
        """The backbone's constants."""
        return self.judged.references.encoder.preprocess

    def score(
        self, pixels: UInt8[np.ndarray, "batch size size 3"]
    ) -> tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"]]:
        """Return the score and map of every image, both in [0, 1]; 0.5 is the threshold.

        Raises:
            DataError: An image is not of the batch.
        """
        try:
            rows = [self.rows[hash_of(one)] for one in pixels]
        except KeyError:
            raise DataError(
                "an image is not of the batch that was compared; give all images to .with_batch(), "
                "and leave them as they are until they are judged"
            ) from None
        with torch.inference_mode():
            scores, maps = self.judged.references.finish(self.judged.sources[rows].float())
        return scores.float().numpy(), maps.float().numpy()


def with_batch(predictor: Predictor, images: ImageLike | Iterable[ImageLike]) -> Learned:
    """Return a predictor that judges the images of a batch by each other.

    Images that cannot be read are left out here; prediction says what is wrong with them. What is kept of an
    image is what the sources say of its patches, a few kilobytes.

    Args:
        predictor: Of a zero-shot model in PyTorch.
        images: As for :meth:`Predictor.predict`; at least ten different ones that can be read.

    Raises:
        ConfigError: The model gives no features, knows normal images, or cuts images into tiles.
        DataError: Too few images can be read.
    """
    scorer, card = predictor.scorer, predictor.card
    if predictor.tiling is not None:
        raise ConfigError("batch reference: compares whole images; leave the tiles out")
    if not isinstance(scorer, TorchScorer) or not isinstance(card, Vip2ClipCard):
        raise ConfigError(
            f"batch reference: '{card.name}' knows normal images or gives no features; "
            "use a zero-shot model such as vip2clip-lite"
        )
    many = list(in_pages(images))
    batch = _Batch(scorer.model, predictor.batch_size)
    order = [many[i] for i in np.random.default_rng(0).permutation(len(many))]
    judged, mutual = batch.judge(order)
    digest = hashlib.sha256(b"".join(sorted(batch.rows))).hexdigest()[:16]
    notes = tuple(remarks(judged, mutual))
    found = BatchCard(
        name=f"{card.name}-batch",
        licence=card.licence,
        base=card,
        batch=digest,
        images=len(batch.rows),
        thresholds=Thresholds(image=0.5, pixel=0.5, source=SOURCE),
        notes=(*card.notes, SOURCE, *notes),
    )
    batch_scorer = BatchScorer(judged, batch.rows)
    made = Predictor(batch_scorer, found, predictor.batch_size, None, predictor.computed, transductive=True)
    return Learned(made, notes)


class _Batch:
    """Sees every image once.

    Args:
        base: The zero-shot model, where it runs.
        batch_size: Images per pass.
    """

    def __init__(self, base: Vip2Clip, batch_size: int) -> None:
        self.base, self.batch_size = base, batch_size
        self.prefix = base.read_prefix()
        self.device = next(base.parameters()).device
        self.rows: dict[bytes, int] = {}

    def judge(self, images: list[ImageLike]) -> tuple[Judged, Mutual]:
        """Return what a batch in random order says of itself, and what images of it say of each other.

        Raises:
            DataError: Too few images can be read.
        """
        size = self.base.encoder.preprocess.pixels
        batches = read_batches(images, size, self.batch_size)
        fresh = (one for batch in batches for read in batch if (one := read.pixels) is not None)
        seen = self._seen(fresh)
        words, levels, maps = self._sample(seen)
        mutual = compare(levels)
        more = next(seen, None)
        if more is None:
            return judge(self.base, _joined(words, [mutual.distances])), mutual
        subspaces = subspaces_of(levels, mutual.distances)
        sources = []
        for said, patches in chain([(words, levels)], self._projected(chain([more], seen), maps)):
            pairs = zip(subspaces, patches, strict=True)
            sources.append(_joined(said, [fit(level.float()) for fit, level in pairs]))
        return judge(self.base, torch.cat(sources)), mutual

    def _seen(self, images: Iterable[np.ndarray]) -> Iterator[tuple[Tensor, Levels]]:
        """Yield what the words say of every new image, and its levels, some images at a time."""
        for some in iter(lambda: list(islice(self._new(images), self.batch_size)), []):
            pixels = torch.from_numpy(np.stack(some)).to(self.device)
            with torch.no_grad():
                features, levels = look(self.base.encoder, normalise(pixels, self.base.encoder.preprocess))
                words = words_of(self.base, self.base(features, self.prefix))
            yield words.cpu(), tuple(level.cpu() for level in levels)

    def _new(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the images that did not come before, and number them."""
        for image in images:
            digest = hash_of(image)
            if digest not in self.rows:
                self.rows[digest] = len(self.rows)
                yield image

    def _sample(self, seen: Iterator[tuple[Tensor, Levels]]) -> tuple[Tensor, Levels, Maps]:
        """Return the words and the projected levels of the first images, and what projects them.

        Raises:
            DataError: There are too few.
        """
        first = list(_up_to(seen, FIRST))
        count = sum(len(words) for words, _ in first)
        if count < FEWEST:
            raise DataError(
                f"batch reference: {count} different images can be read, which say little about each other; "
                f"give at least {FEWEST}, or leave it out"
            )
        stacked = zip(*(levels for _, levels in first), strict=True)
        maps = [principal_map(Moments.of(torch.cat(level))) for level in stacked]
        more = _up_to(seen, LARGEST_BATCH - count)
        kept = list(self._projected(chain(first, more), maps))
        levels = tuple(torch.cat(level) for level in zip(*(levels for _, levels in kept), strict=True))
        return torch.cat([said for said, _ in kept]), levels, maps

    def _projected(
        self, seen: Iterable[tuple[Tensor, Levels]], maps: Maps
    ) -> Iterator[tuple[Tensor, Levels]]:
        """Yield the same with levels along principal directions."""
        for words, levels in seen:
            yield words, along(levels, maps)


def hash_of(pixels: UInt8[np.ndarray, "size size 3"]) -> bytes:
    """Return what tells an image from others, as the model sees it."""
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()


def _up_to(seen: Iterator[tuple[Tensor, Levels]], count: int) -> Iterator[tuple[Tensor, Levels]]:
    """Yield portions until they hold so many images."""
    while count > 0 and (portion := next(seen, None)):
        count -= len(portion[0])
        yield portion


def _joined(words: Tensor, distances: list[Tensor]) -> Tensor:
    """Return the sources, rounded as they are kept."""
    return torch.cat([words, mean_of(distances)[:, None]], dim=1).half().float()
