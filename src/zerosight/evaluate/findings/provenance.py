"""Provenance: what a reader must know of an evaluation of findings to trust it or to repeat it."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zerosight.data.chest.names import canonical

RESEARCH_USE = "Research use only: not a medical device, not for diagnosis."


@dataclass(frozen=True, slots=True)
class SplitImages:
    """The images of one part of the data, so that others can tell whether they have the same.

    Attributes:
        name: The part, such as ``test``.
        images: How many.
        patients: How many patients they are of; an image without one counts as its own.
        sha256: SHA-256 of the images' names, sorted, each followed by a line feed, in UTF-8.
    """

    name: str
    images: int
    patients: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"name": self.name, "images": self.images, "patients": self.patients, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where scores came from and what they were held against.

    Attributes:
        data: Name of the data set.
        model: Facts that identify the model and its weights, as JSON values; ``model`` is its name.
        mode: How scores were made, such as ``pos-neg``.
        anchor_provenance: ``train-only``: the anchors were made without the names of this data set, or
            ``target-aware``: with them.
        temperature: What similarities were divided by; None where the mode has none.
        calibration: How probabilities were made from scores, and on which images that was fitted.
        anchors: The anchor that stands for each label asked for, where it is not the label's canonical name.
        splits: The parts of the data that were used, the judged one first.
        left_out: What could not be judged and how many, by reason.
        examples: One line each about the first things left out.
        thresholds: Where thresholds of the policy ``validation`` came from; empty for the other policies.
        used_in_training: Those of the findings whose names or labels training used.
        licence: Of the data.
        citation: Of the data.
        notice: Limit of use.
    """

    data: str
    model: Mapping[str, Any]
    mode: str
    anchor_provenance: str
    temperature: float | None = None
    calibration: str = "none: the model's own probabilities"
    anchors: Mapping[str, str] = field(default_factory=dict)
    splits: tuple[SplitImages, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    thresholds: str = ""
    used_in_training: tuple[str, ...] = ()
    licence: str = ""
    citation: str = ""
    notice: str = RESEARCH_USE

    def anchor(self, name: str) -> str:
        """Return the anchor that stands for a label."""
        return self.anchors.get(name, canonical(name))


def split_images(
    name: str, images: Sequence[str], groups: Sequence[Hashable | None] | None = None
) -> SplitImages:
    """Return which images a part of the data holds; patients are counted, never named.

    Args:
        name: The part.
        images: Names of its images.
        groups: Patient of each image; None, for one or all, makes an image its own.
    """
    content = "".join(f"{image}\n" for image in sorted(images)).encode(errors="surrogatepass")
    known = [group for group in groups or () if group is not None]
    alone = len(images) - len(known)
    return SplitImages(name, len(images), len(set(known)) + alone, hashlib.sha256(content).hexdigest())
