"""Normal images in, a predictor with references out; and more of them later."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from zerosight.choices import AugmentChoice
from zerosight.data.pixels import read_image
from zerosight.errors import ConfigError, DataError, ImageReadError
from zerosight.models.card import AnomalyCard
from zerosight.models.references.block import Block
from zerosight.models.references.card import BaseCard, ReferencesCard, TowerCard
from zerosight.models.references.conformal import FEW, check_alpha
from zerosight.models.references.fit import Normals, add_block, build, choose_augment
from zerosight.models.references.folder import LoadedReferences, describe, save_references
from zerosight.models.references.model import Base
from zerosight.models.references.scorer import ReferenceScorer, device_of, see_block
from zerosight.models.references.turning import TURNS
from zerosight.models.references.wordless import TowerScorer
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.scorer import TorchScorer
from zerosight.predict.anomalies import Predictor
from zerosight.predict.reading import ImageLike, Read, in_pages, read_batches

ALPHA, PIXEL_ALPHA = 0.05, 0.01
BLOCK = 128
"""Images, copies among them, whose patches are in memory at once."""
PROBED = 16
"""Images that choose which copies of themselves are worth it."""
DIFFERENT = 2.0
"""Factor between the sizes of normal images beyond which one is told."""


@dataclass(frozen=True, slots=True)
class How:
    """How normal images are looked at.

    Attributes:
        batch_size: Images per pass.
        augment: Which turned copies are compared with, too.
    """

    batch_size: int = 8
    augment: AugmentChoice = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A predictor with references, and what happened while they were fitted.

    Attributes:
        predictor: Ready to use.
        warnings: One line each; they are among the notes of its card, too.
    """

    predictor: Predictor
    warnings: tuple[str, ...]


def learn(
    base: Base,
    card: BaseCard,
    images: ImageLike | Iterable[ImageLike],
    alphas: tuple[float, float] = (ALPHA, PIXEL_ALPHA),
    before: Normals | None = None,
    how: How | None = None,
) -> Learned:
    """Return a predictor with references.

    Images that cannot be read, and such as are there already, are left out with a warning. Memory does not
    grow with the number of images.

    Args:
        base: The zero-shot model, or an image tower alone.
        card: Its card.
        images: Normal images, as for :meth:`Predictor.predict`; at least one that can be read.
        alphas: Share of normal images, and of their pixels, that may be called anomalous, in (0, 0.5].
        before: Normal images to which these are added.
        how: How to look at them.

    Raises:
        DataError: No image can be read.
        ConfigError: A share is out of its range, or other copies are asked for than there are already.
    """
    for alpha in alphas:
        check_alpha(alpha)
    how = How() if how is None else how
    reader = _Reader(set(before.hashes) if before else set())
    normals = before
    batches = read_batches(in_pages(images), base.encoder.preprocess.pixels, how.batch_size)
    reads = (read for batch in batches for read in batch)
    for block in _blocks(base, reader.fresh(reads), how, before):
        normals = add_block(normals, block)
    if normals is None:
        reason = f": {reader.warnings[0]}" if reader.warnings else ""
        raise DataError(f"no normal image could be read{reason}; give at least one")
    fitted = build(base, normals, *alphas)
    found = describe(card, normals, fitted, alphas)
    warnings = (*reader.warnings, *_remarks(normals, found, reader.sides))
    found = found.model_copy(update={"notes": (*card.notes, *warnings)})
    device = str(device_of(base))
    scorer = ReferenceScorer(LoadedReferences(fitted, normals, found), device)
    return Learned(Predictor(scorer, found, how.batch_size), warnings)


def _blocks(
    base: Base, fresh: Iterator[tuple[str, str, np.ndarray]], how: How, before: Normals | None
) -> Iterator[Block]:
    """Yield normal images as the tower sees them, with the copies that are asked for.

    Raises:
        ConfigError: Other copies are asked for than there are already.
    """
    augment = how.augment
    if before is not None:
        if augment not in ("auto", before.augment):
            raise ConfigError(
                f"augment: '{augment}' is asked for, but the normal images that are there have "
                f"'{before.augment}'; leave it out, or fit all of them again"
            )
        augment = before.augment
    while some := list(islice(fresh, PROBED if augment == "auto" else BLOCK // (1 + len(TURNS[augment])))):
        turns = TURNS["turns" if augment == "auto" else augment]
        names, hashes = tuple(name for name, _, _ in some), tuple(digest for _, digest, _ in some)
        pixels = np.stack([one for _, _, one in some])
        block = see_block(base, pixels, names, hashes, how.batch_size, turns)
        if augment == "auto":
            augment = choose_augment(block)
            block = block.only(augment)
        yield block


def with_normals(
    predictor: Predictor,
    images: ImageLike | Iterable[ImageLike],
    alpha: float | None = None,
    pixel_alpha: float | None = None,
    augment: AugmentChoice | None = None,
) -> Learned:
    """Return a predictor that knows some normal images, or some more.

    Args:
        predictor: Of a zero-shot model in PyTorch or an image tower alone, or of references, whose normal
            images are kept.
        images: As for :func:`learn`.
        alpha: As for :func:`learn`; None takes that of the references, or 0.05.
        pixel_alpha: Likewise, or 0.01.
        augment: Which turned copies are compared with, too; None takes those of the references, or none.

    Raises:
        ConfigError: The model cannot take references, a share is out of its range, or the references have
            other copies.
        DataError: No image can be read.
    """
    scorer = predictor.scorer
    if predictor.tiling is not None:
        raise ConfigError("normals: fit them before .tiled(), or give crops of the size of a tile as normals")
    if isinstance(scorer, ReferenceScorer):
        card, before = scorer.loaded.card, scorer.loaded.normals
        how = How(predictor.batch_size, augment or before.augment)
        alphas = (
            card.images.alpha if alpha is None else alpha,
            card.pixels.alpha if pixel_alpha is None else pixel_alpha,
        )
        learned = learn(scorer.model.base, card.base, images, alphas, before, how)
    elif isinstance(scorer, TorchScorer | TowerScorer) and isinstance(
        predictor.card, Vip2ClipCard | TowerCard
    ):
        how = How(predictor.batch_size, augment or "none")
        alphas = (ALPHA if alpha is None else alpha, PIXEL_ALPHA if pixel_alpha is None else pixel_alpha)
        learned = learn(scorer.model, predictor.card, images, alphas, None, how)
    else:
        raise ConfigError(
            f"normals: '{predictor.card.name}' gives no features; use a model folder, then export it"
        )
    learned.predictor.computed = predictor.computed
    return learned


def save(predictor: Predictor, folder: Path) -> ReferencesCard:
    """Write the folder of a predictor with references, and return its card.

    Raises:
        ConfigError: The predictor has none.
        OutputError: The folder cannot be written.
    """
    if not isinstance(predictor.scorer, ReferenceScorer):
        raise ConfigError(f"'{predictor.card.name}' knows no normal images; use .with_normals(images) first")
    return save_references(predictor.scorer.loaded, folder)


class _Reader:
    """Tells new images from those that are there already, and remembers what was wrong.

    Args:
        known: Hashes of earlier images.
    """

    def __init__(self, known: set[str]) -> None:
        self.known = known
        self.warnings: list[str] = []
        self.sides: list[int] = []

    def fresh(self, reads: Iterable[Read]) -> Iterator[tuple[str, str, np.ndarray]]:
        """Yield the name, the hash and the model's pixels of every image that is new."""
        for read in reads:
            if read.image is None or read.pixels is None:
                self.warnings.append(f"{read.source}: left out, it cannot be read ({read.error})")
                continue
            digest = pixel_hash(read.image)
            if digest in self.known:
                self.warnings.append(f"{read.source}: left out, the same image is there already")
                continue
            self.known.add(digest)
            self.sides.append(max(read.image.size))
            yield read.source, digest, read.pixels


def pixel_hash(image: Image.Image) -> str:
    """Return the SHA-256 of an image's size and decoded pixels, whatever its file format."""
    digest = hashlib.sha256(repr((image.mode, image.size)).encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def among_normals(card: AnomalyCard, images: Iterable[Path]) -> str | None:
    """Return one line about images that are judged and are normal ones as well, None where there are none.

    Only images that are called as a normal one are read for it.

    Args:
        card: Of any model; most have no normal images.
        images: Files to be judged.
    """
    if not isinstance(card, ReferencesCard):
        return None
    known = {(Path(one.name).name, one.sha256) for one in card.normals}
    called = {name for name, _ in known}
    found = [image for image in images if image.name in called and (image.name, _hash_in(image)) in known]
    if not found:
        return None
    return (
        f"{len(found)} of the images are among the normal ones ({found[0].name}): what is found in them "
        "says nothing about new ones"
    )


def _hash_in(path: Path) -> str | None:
    """Return the hash of a file's pixels, None where it cannot be read."""
    try:
        return pixel_hash(read_image(path))
    except ImageReadError:
        return None


def _remarks(normals: Normals, card: ReferencesCard, sides: list[int]) -> Iterator[str]:
    """Yield what a person should know about the references."""
    if len(normals) == 1:
        yield (
            "1 normal image: only its own halves can judge it, so no false-alarm rate is promised; "
            f"{card.images.alpha:.0%} takes at least {required(card.images.alpha)}"
        )
    elif len(normals) < FEW:
        yield (
            f"{len(normals)} normal images: fewer than {FEW} give thresholds that vary much; "
            f"false alarms may be expected on up to {card.images.interval[1]:.0%} of normal images"
        )
    if not card.images.kept and len(normals) > 1:
        promised, wanted = card.images.bound, card.images.alpha
        digits = int(f"{promised:.0%}" == f"{wanted:.0%}")
        yield (
            f"{len(normals)} normal images cannot promise {wanted:.0%} false alarms, "
            f"only {promised:.{digits}%}; that takes at least {required(wanted)}"
        )
    if normals.augment != "none":
        yield f"turned copies of the normal images count, too ({normals.augment})"
    for one in normals.suspects:
        yield f"{one.name}: left out as suspicious, the other normal images do not explain it"
    if sides and max(sides) > DIFFERENT * min(sides):
        yield f"the normal images' sizes differ much ({min(sides)} to {max(sides)} pixels)"


def required(alpha: float) -> int:
    """Return how many normal images a false-alarm rate takes to be promised.

    >>> required(0.05)
    19
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha: should be in (0, 1), got {alpha}")
    return int(np.ceil(1 / alpha - 1 - 1e-9))
