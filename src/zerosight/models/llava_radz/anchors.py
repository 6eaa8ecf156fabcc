"""Anchors: one vector per finding for its presence, one for its absence, and one for a normal chest.

    texts of a finding → text pass, text head → L2-normalised vectors → mean → L2-normalised anchor

They are the paper's category semantic vector repository: constants in the loss, rebuilt when the weights have
moved, and built once per model and list of findings for scoring.

Provenance says what a zero-shot claim rests on. Names are compared in their canonical spelling:

- ``train-only``: none of the findings asked for is among those whose names or labels training used.
- ``target-aware``: at least one is, or it is not known what training used.

"No finding" counts like any other name. What reports mention in passing is no name that training used.
Source: LLaVA-RadZ (arXiv 2503.07487), DKAM. Means of several texts, absence and normal are our defaults.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from zerosight.config import Config
from zerosight.data.chest.names import NO_FINDING, canonical
from zerosight.errors import WeightsError
from zerosight.models.llava_radz.descriptions import Description, find_descriptions

Embed = Callable[[Sequence[str]], Tensor]
"""Texts to one vector each, [text, dim], from a model in evaluation mode."""

Provenance = Literal["train-only", "target-aware"]
FORMAT = 1


class AnchorConfig(Config):
    """What of the descriptions is encoded; all of it ours."""

    template: str = Field("{text}", pattern=r"\{text\}", description="words around each text, with {text}")
    texts: int | None = Field(None, ge=1, description="texts per finding, the first ones; all if not given")
    words: int | None = Field(None, ge=1, description="words per text, the first ones; all if not given")

    def apply(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Return the texts as they are encoded.

        >>> AnchorConfig(template="Report: {text}", texts=1, words=2).apply(["No focal mass.", "Clear."])
        ('Report: No focal',)
        """
        chosen = (" ".join(text.split()[: self.words]) for text in texts[: self.texts])
        return tuple(self.template.replace("{text}", text) for text in chosen)


@dataclass(frozen=True, slots=True)
class AnchorTexts:
    """The texts of a list of findings, as they are encoded.

    Attributes:
        names: Canonical.
        presence: Texts per finding.
        absence: Texts per finding.
        normal: Texts of a normal chest.
    """

    names: tuple[str, ...]
    presence: tuple[tuple[str, ...], ...]
    absence: tuple[tuple[str, ...], ...]
    normal: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """Run over the texts of each vector: presences, absences, normal."""
        return chain(self.presence, self.absence, [self.normal])

    def key(self, model: str) -> str:
        """Return 32 hex digits that change with the model, any text, or the names and their order.

        Args:
            model: Hash or fingerprint of all weights and settings that text vectors depend on.
        """
        parts = [FORMAT, model, self.names, self.presence, self.absence, self.normal]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Vectors of a list of findings, L2-normalised, fp32.

    Attributes:
        names: Canonical names, in the order of the vectors.
        presence: Vector of each finding's presence.
        absence: Vector of each finding's absence.
        normal: Vector of a normal chest.
        provenance: Whether training used any of the names; see the module.
        key: Hash of model, texts and settings.
        used_in_training: Those of the names that training used; empty if that is not known.
    """

    names: tuple[str, ...]
    presence: Float[Tensor, "classes dim"]
    absence: Float[Tensor, "classes dim"]
    normal: Float[Tensor, "dim"]
    provenance: Provenance
    key: str
    used_in_training: tuple[str, ...] = ()

    def select(self, names: Sequence[str]) -> Anchors:
        """Return the anchors of some of the findings, in the order given.

        Args:
            names: Canonical names, all of them among :attr:`names`.
        """
        places = [self.names.index(name) for name in names]
        return replace(self, names=tuple(names), presence=self.presence[places], absence=self.absence[places])

    def to(self, device: torch.device | str) -> Anchors:
        """Return the anchors on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("presence", "absence", "normal")}
        return replace(self, **moved)


@runtime_checkable
class Cache(Protocol):
    """Where the vectors of a key are kept; see :class:`~.anchor_cache.AnchorCache`."""

    def get(self, key: str) -> Float[Tensor, "vector dim"] | None:
        """Return the vectors, or None if there are none that can be read."""

    def put(self, key: str, vectors: Float[Tensor, "vector dim"], texts: AnchorTexts) -> None:
        """Keep the vectors and what they were made of."""


def anchor_texts(
    names: Iterable[str], known: Mapping[str, Description], config: AnchorConfig | None = None
) -> AnchorTexts:
    """Return the texts that the anchors of some findings are made of.

    Args:
        names: The findings, in any spelling, in the order of the anchors.
        known: From :func:`~.descriptions.load_descriptions`; the presence of "no finding" is a normal chest.
        config: What of the descriptions is encoded.

    Raises:
        ConfigError: No finding is named, or one is named twice.
        DescriptionError: A finding has no description.
    """
    settings = config or AnchorConfig()
    findings = find_descriptions(names, known)
    [normal] = find_descriptions([NO_FINDING], known)
    return AnchorTexts(
        names=tuple(finding.name for finding in findings),
        presence=tuple(settings.apply(finding.presence) for finding in findings),
        absence=tuple(settings.apply(finding.absence) for finding in findings),
        normal=settings.apply(normal.presence),
    )


def build_anchors(
    embed: Embed,
    texts: AnchorTexts,
    model: str,
    trained_on: Collection[str] | None,
    cache: Cache | None = None,
    batch_size: int = 16,
) -> Anchors:
    """Return the anchors of some findings, on the CPU, from the cache if they are in it.

    To refresh anchors in training, build them again without a cache.

    Args:
        embed: Texts to vectors; called without gradients.
        texts: From :func:`anchor_texts`.
        model: As in :meth:`AnchorTexts.key`.
        trained_on: Findings whose names or labels training used, in any spelling; None if not known.
        cache: Where vectors are kept.
        batch_size: Texts per call of ``embed``, at least 1; it does not change the vectors.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    key = texts.key(model)
    vectors = cache.get(key) if cache else None
    if vectors is None:
        vectors = _encode(embed, texts, batch_size)
        if cache:
            cache.put(key, vectors, texts)
    classes = len(texts.names)
    seen = used_in_training(texts.names, trained_on or ())
    return Anchors(
        names=texts.names,
        presence=vectors[:classes],
        absence=vectors[classes:-1],
        normal=vectors[-1],
        provenance="target-aware" if seen or trained_on is None else "train-only",
        key=key,
        used_in_training=seen,
    )


def used_in_training(names: Sequence[str], trained_on: Collection[str]) -> tuple[str, ...]:
    """Return those of the names that training used.

    >>> used_in_training(["covid-19", "pleural effusion"], ["Effusion", "Edema"])
    ('pleural effusion',)
    """
    trained = set(map(canonical, trained_on))
    return tuple(name for name in names if canonical(name) in trained)


@torch.no_grad()
def _encode(embed: Embed, texts: AnchorTexts, batch_size: int) -> Float[Tensor, "vector dim"]:
    """Return presences, absences and normal: per vector the mean of its texts', each normalised."""
    rows = {text: row for row, text in enumerate(dict.fromkeys(chain.from_iterable(texts)))}
    every = list(rows)
    batches = [embed(every[i : i + batch_size]).float().cpu() for i in range(0, len(every), batch_size)]
    encoded = F.normalize(torch.cat(batches), dim=-1)
    if not encoded.isfinite().all():
        raise WeightsError("the model gives text vectors that are not finite; its weights are damaged")
    means = [encoded[[rows[text] for text in group]].mean(0) for group in texts]
    return F.normalize(torch.stack(means), dim=-1)
