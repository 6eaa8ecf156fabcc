"""What the lines of a manifest hold: the header and one record per image, neither of which can be invalid."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from zerosight.errors import DataError, did_you_mean

SCHEMA = 1
"""The version of the form that this code reads and writes."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of the image's width and height, in [0, 1]."""

RIGHT_LUNG, LEFT_LUNG = "right lung", "left lung"
"""The patient's lungs among the regions of a chest X-ray."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True, slots=True)
class ManifestHeader:
    """The facts about a data set as a whole.

    Attributes:
        name: Name of the data set, such as ``mvtec_ad``.
        root: Folder that the rows' names are relative to: relative to the manifest's folder, or absolute.
        licence: What its owners allow, empty when not known.
        citation: Whom to cite, empty when not known.
        source: Where its owners publish it, empty when not known.
        mask_threshold: Mask values above it are anomalous, in 0 … 254; 127 for JPEG and anti-aliased masks.
        categories: The categories in the order of the tables; empty when any category is allowed.
    """

    name: str
    root: str
    licence: str = ""
    citation: str = ""
    source: str = ""
    mask_threshold: int = 0
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that no reader could use.

        Raises:
            DataError: The name or root is empty, or the threshold is out of range.
        """
        if not self.name or not self.root:
            raise DataError("name and root should not be empty; write root '.' for the manifest's own folder")
        if not 0 <= self.mask_threshold <= 254:
            raise DataError(f"mask_threshold {self.mask_threshold} is not in 0 ... 254")
        _check_text("root", self.root)

    @classmethod
    def from_json(cls, values: object) -> ManifestHeader:
        """Return the header in a parsed first line.

        Raises:
            DataError: It is not a header, of another schema, or has unknown keys or wrong types.
        """
        if not isinstance(values, dict) or "schema" not in values:
            raise DataError(
                'the first line should be the header, such as {"schema": 1, "name": ..., "root": ...}'
            )
        if type(values["schema"]) is not int or values["schema"] != SCHEMA:
            raise DataError(f"schema {values['schema']!r} is not known; this version reads schema {SCHEMA}")
        _check_keys(values, ("schema", *_HEADER_CHECKS), required=("name", "root"))
        checked = {key: _HEADER_CHECKS[key](key, value) for key, value in values.items() if key != "schema"}
        return cls(**checked)

    def to_json(self) -> dict[str, Any]:
        """Return the header as plain JSON values, optional ones only where they say something."""
        values: dict[str, Any] = {"schema": SCHEMA, "name": self.name, "root": self.root}
        values |= {"licence": self.licence, "citation": self.citation, "source": self.source}
        if self.mask_threshold:
            values["mask_threshold"] = self.mask_threshold
        if self.categories:
            values["categories"] = list(self.categories)
        return values

    def relative_to(self, folder: Path) -> ManifestHeader:
        """Return the header with an absolute root written relative to ``folder``."""
        if not os.path.isabs(self.root):
            return self
        try:
            root = Path(os.path.relpath(self.root, folder.absolute())).as_posix()
        except ValueError:  # another drive
            root = self.root
        return replace(self, root=root)


@dataclass(frozen=True, slots=True)
class Record:
    """One image of a data set and what is known about it.

    Attributes:
        image: Path of the image, relative to the root, with forward slashes.
        mask: Path of its mask, likewise; None for normal images and where no mask was drawn.
        label: 1 anomalous, 0 normal, None not known.
        labels: Per finding 1 present, 0 absent, None not known.
        regions: Where findings are, by name: the path of a mask, relative to the root, or boxes. Beside
            findings, :data:`RIGHT_LUNG` and :data:`LEFT_LUNG`.
        text: Report or note that belongs to the image.
        category: The product or organ; metrics are computed per category.
        split: ``train``, ``test`` or another name of a part.
        group: Patient or object; all images of a group stay in one split.
        hash: SHA-256 of the image file in lower-case hexadecimal.
    """

    image: str
    mask: str | None = None
    label: Literal[0, 1] | None = None
    labels: Mapping[str, int | None] = field(default_factory=dict, hash=False)
    regions: Mapping[str, str | tuple[Box, ...]] = field(default_factory=dict, hash=False, kw_only=True)
    text: str | None = None
    category: str = "default"
    split: str = "test"
    group: str | None = None
    hash: str | None = None

    def __post_init__(self) -> None:
        """Refuse names that leave the root and labels that contradict the mask.

        Raises:
            DataError: As above.
        """
        check_name("image", self.image)
        if self.mask is not None:
            check_name("mask", self.mask)
            if self.label == 0:
                raise DataError(
                    f"label 0 contradicts mask {self.mask!r}; a normal image has mask null, else label 1"
                )
        for name, region in self.regions.items():
            if isinstance(region, str):
                check_name(f"regions[{name[:80]!r}]", region)
            else:
                _check_boxes(name, region)
        if not self.category or not self.split:
            raise DataError("category and split should not be empty")
        if self.hash is not None and not _SHA256.fullmatch(self.hash):
            raise DataError(f"hash {self.hash[:80]!r} is not a SHA-256 of 64 lower-case hexadecimal digits")

    @classmethod
    def from_json(cls, values: object) -> Record:
        """Return the record in a parsed row.

        Raises:
            DataError: Keys are unknown or missing, or values are of the wrong type or contradict each other.
        """
        if not isinstance(values, dict):
            raise DataError('a row should be an object, such as {"image": "good/001.png", "label": 0}')
        if "schema" in values:
            raise DataError("a second header; a manifest has one, on its first line")
        _check_keys(values, tuple(_ROW_CHECKS), required=("image",))
        return cls(**{key: _ROW_CHECKS[key](key, value) for key, value in values.items()})

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON values; optional ones that are not known are left out."""
        values: dict[str, Any] = {"image": self.image, "mask": self.mask, "label": self.label}
        if self.labels:
            values["labels"] = dict(self.labels)
        if self.regions:
            values["regions"] = {
                name: one if isinstance(one, str) else [list(box) for box in one]
                for name, one in self.regions.items()
            }
        if self.text is not None:
            values["text"] = self.text
        values |= {"category": self.category, "split": self.split}
        if self.group is not None:
            values["group"] = self.group
        if self.hash is not None:
            values["hash"] = self.hash
        return values


def check_name(key: str, name: str) -> None:
    """Refuse a file name that would leave the root or that no file can have.

    Raises:
        DataError: The name is empty, absolute, has a ``..`` part or characters that no file name can have.
    """
    _check_text(key, name)
    if not name or name.startswith(("/", "\\")) or _DRIVE.match(name):
        raise DataError(f"{key} {name[:200]!r} should be a path relative to the root")
    if ".." in name.replace("\\", "/").split("/"):
        raise DataError(
            f"{key} {name[:200]!r} leaves the root; move the file below the root or widen the root"
        )


def _check_text(key: str, name: str) -> None:
    try:
        usable = b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise DataError(f"{key} {name[:200]!r} has characters that no file name can have")


def _check_keys(values: Mapping[str, object], known: tuple[str, ...], required: tuple[str, ...]) -> None:
    for key in values:
        if key not in known:
            hint = did_you_mean(key, known)
            raise DataError(f"unknown key {key[:80]!r}{hint}; known keys: {', '.join(known)}")
    for key in required:
        if key not in values:
            raise DataError(f"key {key!r} is missing")


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise DataError(f"{key} should be a string, got {_short(value)}")
    return value


def _text_or_null(key: str, value: object) -> str | None:
    return None if value is None else _text(key, value)


def _label(key: str, value: object) -> int | None:
    if value is not None and (type(value) is not int or value not in (0, 1)):
        raise DataError(f"{key} should be 0 (normal), 1 (anomalous) or null, got {_short(value)}")
    return value


def _labels(key: str, value: object) -> dict[str, int | None]:
    if not isinstance(value, dict):
        raise DataError(f"{key} should be an object of findings, got {_short(value)}")
    return {name: _label(f"{key}[{name[:80]!r}]", one) for name, one in value.items()}


def _regions(key: str, value: object) -> dict[str, str | tuple[Box, ...]]:
    if not isinstance(value, dict):
        raise DataError(f"{key} should be an object of findings, got {_short(value)}")
    return {name: _region(f"{key}[{name[:80]!r}]", one) for name, one in value.items()}


def _region(key: str, value: object) -> str | tuple[Box, ...]:
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(map(_is_box, value)):
        raise DataError(
            f"{key} should be the path of a mask or a list of boxes [left, top, right, bottom], "
            f"got {_short(value)}"
        )
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in value)


def _is_box(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(type(one) in (int, float) for one in value)


def _check_boxes(name: str, boxes: tuple[Box, ...]) -> None:
    for left, top, right, bottom in boxes:
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise DataError(
                f"regions[{name[:80]!r}]: a box {[left, top, right, bottom]} should have "
                "0 <= left < right <= 1 and 0 <= top < bottom <= 1, as shares of the image"
            )


def _threshold(key: str, value: object) -> int:
    if type(value) is not int:
        raise DataError(f"{key} should be a whole number, got {_short(value)}")
    return value


def _names(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise DataError(f"{key} should be a list of strings, got {_short(value)}")
    return tuple(_text(key, one) for one in value)


def _short(value: object) -> str:
    return repr(value)[:80]


_HEADER_CHECKS: dict[str, Callable[[str, object], Any]] = {
    "name": _text,
    "root": _text,
    "licence": _text,
    "citation": _text,
    "source": _text,
    "mask_threshold": _threshold,
    "categories": _names,
}

_ROW_CHECKS: dict[str, Callable[[str, object], Any]] = {
    "image": _text,
    "mask": _text_or_null,
    "label": _label,
    "labels": _labels,
    "regions": _regions,
    "text": _text_or_null,
    "category": _text,
    "split": _text,
    "group": _text_or_null,
    "hash": _text_or_null,
}
