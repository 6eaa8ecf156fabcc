"""Folders of references: what is known of the normal images, the adapters of the zero-shot model, a card.

The folder is complete: it needs the backbone's weights, as its zero-shot model does, but not that model's
folder. No image is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from zerosight.backbones.build import build_encoder
from zerosight.backbones.dual_encoder import DualEncoder
from zerosight.errors import OutputError, WeightsError
from zerosight.files import sha256
from zerosight.models.card import WEIGHTS, FamiliarityRecord, Thresholds, read_card, save_card
from zerosight.models.catalog import find_model, load_card
from zerosight.models.familiarity import Familiarity
from zerosight.models.folder import read_weights
from zerosight.models.references.card import BaseCard, NormalImage, PromiseFacts, ReferencesCard, Suspicious
from zerosight.models.references.conformal import Promise
from zerosight.models.references.coreset import Coreset
from zerosight.models.references.fit import Fitted, Normals, Suspect, build
from zerosight.models.references.fusion import as_array, top_mean
from zerosight.models.references.model import Base
from zerosight.models.references.moments import Moments
from zerosight.models.references.wordless import build_tower
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.weights import check_sizes, save_tensors

BASE = "base."


@dataclass(frozen=True, slots=True, eq=False)
class LoadedReferences:
    """References and all that more normal images can be added to.

    Attributes:
        fitted: References and their thresholds.
        normals: What they were made from.
        card: Their card.
    """

    fitted: Fitted
    normals: Normals
    card: ReferencesCard


def describe(
    base: BaseCard, normals: Normals, fitted: Fitted, alphas: tuple[float, float], name: str = ""
) -> ReferencesCard:
    """Return the card of references.

    Args:
        base: Of the zero-shot model, or of an image tower alone.
        normals: What they were made from.
        fitted: The references.
        alphas: Share of normal images, and of their pixels, that may be called anomalous.
        name: Of the model; empty takes the zero-shot model's with ``-references``.
    """
    fusion = fitted.references.fusion.cpu()
    scores = as_array(fusion.calibrate_scores(top_mean(fusion(normals.held_out))))
    count = len(normals)
    held_out = "normal images, held out one by one" if count > 1 else "normal image, judged by its own halves"
    source = f"{count} {held_out}; {rate_of(fitted.image)}"
    return ReferencesCard(
        name=name or f"{base.name}-references",
        licence=base.licence,
        base=base,
        thresholds=Thresholds(image=0.5, pixel=0.5, source=source),
        images=_facts(fitted.image, alphas[0]),
        pixels=_facts(fitted.pixel, alphas[1]),
        estimators=normals.estimators,
        augment=normals.augment,
        familiarity=_familiar(fitted.familiarity, count),
        normals=tuple(
            NormalImage(name=one, sha256=digest, held_out=round(float(score), 6))
            for one, digest, score in zip(normals.names, normals.hashes, scores, strict=True)
        ),
        left_out=tuple(Suspicious(name=s.name, deviation=round(s.deviation, 2)) for s in normals.suspects),
        notes=base.notes,
    )


def rate_of(promise: Promise) -> str:
    """Return what a threshold promises, in words."""
    if promise.bound >= 1:
        return "no false-alarm rate is promised"
    low, high = promise.interval
    words = f"at most {promise.bound:.1%} false alarms expected (90 %: {low:.1%} to {high:.1%})"
    return words if promise.kept else f"{words}, the least that {promise.images} images can promise"


def check_place(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that references should not be written to.

    Args:
        folder: Where they are to be written.
        overwrite: Whether earlier references there may be replaced.

    Raises:
        OutputError: Something else is there, or references that may not be replaced.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        mine = read_card(folder).get("architecture") == "references"
    except WeightsError:
        mine = False
    if not mine:
        raise OutputError(f"{folder}: holds something that fit did not write; name another folder")
    if not overwrite:
        raise OutputError(
            f"{folder}: holds references already; use --overwrite, or --model {folder} to add images to them"
        )


def save_references(references: LoadedReferences, folder: Path, name: str = "") -> ReferencesCard:
    """Write a folder and return the card as written, with its hash filled in.

    Raises:
        OutputError: The folder cannot be written.
    """
    base = references.fitted.references.base
    tensors = {BASE + key: value for key, value in base.state_dict().items()}
    save_tensors(tensors | _to_tensors(references.normals), folder / WEIGHTS)
    changes = {"weights_sha256": sha256(folder / WEIGHTS), "name": name or folder.name}
    card = references.card.model_copy(update=changes)
    save_card(card, folder)
    return card


def load_references(name: str | Path, encoder: DualEncoder | None = None) -> LoadedReferences:
    """Return references ready to use.

    Args:
        name: A folder.
        encoder: The backbone, if it is already loaded; None loads the one the card names.

    Raises:
        WeightsError: The folder is damaged, or belongs to another backbone.
        ConfigError: A key or value of the card is not valid.
    """
    folder = find_model(name)
    card = load_card(folder, ReferencesCard)
    path = folder / WEIGHTS
    tensors = read_weights(path, card.weights_sha256, "fit it again")
    if isinstance(card.base, Vip2ClipCard):
        check_sizes(tensors, card.base.model.sizes(BASE), path)
        base: Base = Vip2Clip(encoder or build_encoder(card.backbone), card.base.model)
    else:
        base = build_tower(card.backbone)
    found = base.encoder.fingerprint
    if found != card.backbone_fingerprint:
        raise WeightsError(
            f"{folder}: was fitted with another backbone ({card.backbone_fingerprint}) than the one at hand "
            f"({found}); fit it again with this one"
        )
    try:
        base.load_state_dict({k[len(BASE) :]: v for k, v in tensors.items() if k.startswith(BASE)})
        normals = _from_tensors(tensors, card)
    except (RuntimeError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"{path}: does not fit its card ({reason}); fit it again") from None
    fitted = build(base.eval().requires_grad_(False), normals, card.images.alpha, card.pixels.alpha)
    return LoadedReferences(fitted, normals, card)


def _facts(promise: Promise, alpha: float) -> PromiseFacts:
    return PromiseFacts(alpha=alpha, bound=promise.bound, interval=promise.interval, kept=promise.kept)


def _familiar(found: Familiarity | None, count: int) -> FamiliarityRecord | None:
    """Return what the card says of it; a further normal image is the farthest of all once in count + 1."""
    if found is None:
        return None
    return FamiliarityRecord(
        threshold=found.threshold,
        refused=1 / (count + 1),
        images=count,
        held_out=count,
        source="the normal images themselves, held out in turn",
    )


def _to_tensors(normals: Normals) -> dict[str, Tensor]:
    tensors = {"held_out": normals.held_out.half()}
    if normals.looks is not None:
        tensors["looks"] = normals.looks.half()
    for i, (moments, coreset) in enumerate(zip(normals.moments, normals.coresets, strict=True)):
        tensors |= {
            f"level.{i}.count": torch.tensor(moments.count, dtype=torch.float64),
            f"level.{i}.total": moments.total,
            f"level.{i}.products": moments.products,
            f"level.{i}.entries": coreset.entries,
            f"level.{i}.owners": coreset.owners,
            f"level.{i}.places": coreset.places,
            f"level.{i}.words": coreset.words,
        }
    return tensors


def _from_tensors(tensors: Mapping[str, Tensor], card: ReferencesCard) -> Normals:
    """Return the normals of a file.

    Raises:
        KeyError: A tensor is missing.
        ValueError: Tensors and card disagree on the number of images.
    """
    levels = sum(key.endswith(".products") for key in tensors)
    moments, coresets = [], []
    for i in range(levels):
        part = {key: tensors[f"level.{i}.{key}"] for key in ("count", "total", "products")}
        moments.append(Moments(float(part["count"]), part["total"], part["products"]))
        kept = ("entries", "owners", "places", "words")
        coresets.append(Coreset(*(tensors[f"level.{i}.{key}"] for key in kept)))
    held_out = tensors["held_out"].float()
    if not levels or len(held_out) != len(card.normals):
        raise ValueError(f"{len(card.normals)} normal images on the card, {len(held_out)} in the file")
    looks = tensors["looks"].float() if "looks" in tensors else None
    if looks is not None and (looks.ndim != 2 or len(looks) != len(held_out)):
        raise ValueError(f"looks of {tuple(looks.shape)} for {len(held_out)} normal images")
    names, hashes = ([one.name for one in card.normals], [one.sha256 for one in card.normals])
    suspects = tuple(Suspect(one.name, one.deviation) for one in card.left_out)
    return Normals(
        tuple(names),
        tuple(hashes),
        tuple(moments),
        tuple(coresets),
        held_out,
        card.estimators,
        suspects,
        card.augment,
        looks,
    )
