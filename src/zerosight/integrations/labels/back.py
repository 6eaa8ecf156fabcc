"""Back: what people corrected elsewhere, as masks and a manifest to train, calibrate and evaluate with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import unquote

import numpy as np
from PIL import Image, ImageDraw

from zerosight.data.manifest import ManifestHeader, Record, write_manifest
from zerosight.errors import DataError, one_line
from zerosight.guarded.json import read_json
from zerosight.integrations.labels.regions import save_mask, unused
from zerosight.integrations.labels.studio import unpack
from zerosight.report.formats import safe_name

LARGEST = 512 * 2**20
"""Bytes of a file of annotations."""
PIXELS = 178_000_000
SHAPES = ("rectanglelabels", "polygonlabels", "brushlabels")
Marked = tuple[str, np.ndarray | None, bool]
"""An image's name, its mask, and whether it is anomalous."""


def import_coco(file: str | Path, images: str | Path, out: str | Path, split: str = "train") -> Path:
    """Return the manifest of corrected COCO annotations, whose masks are written beside it.

    Boxes, polygons and uncompressed run lengths are read. An image without annotations is normal.

    Args:
        file: The JSON file.
        images: The folder that the images' names are relative to.
        out: Folder for ``manifest.jsonl`` and ``masks/``.
        split: Of all rows.

    Raises:
        DataError: The file is not such a file, or an image is missing.
        OutputError: The folder cannot be written.
    """
    return _write(_from_coco(_read(file)), Path(images), Path(out), split)


def import_label_studio(file: str | Path, images: str | Path, out: str | Path, split: str = "train") -> Path:
    """Return the manifest of annotations that Label Studio exported as JSON; arguments as for COCO.

    Boxes, polygons and brush strokes are read. A task that was annotated without a region is normal; one that
    was not annotated, or was skipped, is left out.

    Raises:
        DataError: The file is not such a file, or an image is missing.
        OutputError: The folder cannot be written.
    """
    return _write(_from_studio(_read(file)), Path(images), Path(out), split)


def _from_coco(content: Any) -> Iterator[Marked]:
    marks: dict[Any, list[dict[str, Any]]] = {}
    for one in content["annotations"]:
        marks.setdefault(one["image_id"], []).append(one)
    for image in content["images"]:
        size = _size(image["height"], image["width"])
        mask = np.zeros(size, bool)
        for one in marks.get(image["id"], []):
            shape = one.get("segmentation")
            if isinstance(shape, dict):
                mask |= _runs(shape["counts"], size)
            elif shape:
                for polygon in shape:
                    mask |= _polygon(
                        list(zip(map(float, polygon[::2]), map(float, polygon[1::2]), strict=True)), size
                    )
            else:
                left, top, width, height = map(float, one["bbox"])
                mask |= _box(left, top, width, height, size)
        yield str(image["file_name"]), mask if mask.any() else None, image["id"] in marks


def _from_studio(content: Any) -> Iterator[Marked]:
    for task in content:
        done = [one for one in task["annotations"] if not one.get("was_cancelled")]
        if not done:
            continue
        name, mask = _name(task["data"]["image"]), None
        shapes = [one for one in done[-1]["result"] if one["type"] in SHAPES]
        for one in shapes:
            size, value = _size(one["original_height"], one["original_width"]), one["value"]
            drawn = np.zeros(size, bool) if mask is None else mask
            scale = (size[1] / 100, size[0] / 100)
            if one["type"] == "brushlabels":
                drawn |= unpack(value["rle"], size)
            elif one["type"] == "polygonlabels":
                drawn |= _polygon(
                    [(float(x) * scale[0], float(y) * scale[1]) for x, y in value["points"]], size
                )
            else:
                left, top = float(value["x"]) * scale[0], float(value["y"]) * scale[1]
                sides = float(value["width"]) * scale[0], float(value["height"]) * scale[1]
                drawn |= _box(left, top, *sides, size)
            mask = drawn
        yield name, mask if mask is not None and mask.any() else None, bool(shapes)


def _write(rows: Iterator[Marked], images: Path, out: Path, split: str) -> Path:
    """Write the masks and the manifest; its names are relative to the folder that holds all of them."""
    inside, beside = images.absolute(), out.absolute()
    root = Path(os.path.commonpath([inside, beside]))
    records: list[Record] = []
    taken: set[str] = set()
    try:
        for name, mask, is_anomalous in rows:
            path = Path(os.path.normpath(inside / name))
            if not path.is_relative_to(inside) or not path.is_file():
                raise DataError(f"{one_line(str(path))}: no such image in {inside}; name the images' folder")
            own = unused(safe_name(name), taken)
            place = beside / "masks" / f"{own}.png"
            if mask is not None:
                save_mask(mask, place)
            marked = None if mask is None else place.relative_to(root).as_posix()
            label: Literal[0, 1] = 1 if is_anomalous else 0
            records.append(Record(path.relative_to(root).as_posix(), marked, label, split=split))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        reason = f"{type(error).__name__}: {one_line(str(error), 120)}"
        raise DataError(f"the annotations are not as they should be ({reason}); export them again") from None
    manifest = out / "manifest.jsonl"
    write_manifest(manifest, ManifestHeader("corrected", str(root)), records)
    return manifest


def _read(file: str | Path) -> Any:
    try:
        return read_json(Path(file), LARGEST)
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as JSON ({one_line(str(error), 160)})") from None


def _size(height: Any, width: Any) -> tuple[int, int]:
    """Return the height and width of an image that can be."""
    size = (int(height), int(width))
    if min(size) < 1 or size[0] * size[1] > PIXELS:
        raise DataError(f"an image of {size[1]} x {size[0]} pixels cannot be; correct the annotations")
    return size


def _runs(counts: Any, size: tuple[int, int]) -> np.ndarray:
    """Return the mask of COCO's run lengths."""
    if not isinstance(counts, list):
        raise DataError("compressed run lengths are not read; export polygons or uncompressed ones")
    lengths = np.array(counts, np.int64)
    if (lengths < 0).any() or int(lengths.sum()) != size[0] * size[1]:
        raise DataError("run lengths are not of the image's size; export them again")
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape(size, order="F")


def _polygon(points: list[tuple[float, float]], size: tuple[int, int]) -> np.ndarray:
    """Return the pixels within a polygon, its line included."""
    picture = Image.new("L", (size[1], size[0]))
    if len(points) > 2:
        ImageDraw.Draw(picture).polygon([(float(x), float(y)) for x, y in points], fill=255, outline=255)
    return np.array(picture) > 0


def _box(left: float, top: float, width: float, height: float, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels within a box."""
    mask = np.zeros(size, bool)
    rows = slice(max(round(top), 0), max(round(top + height), 0))
    mask[rows, max(round(left), 0) : max(round(left + width), 0)] = True
    return mask


def _name(address: str) -> str:
    """Return the path of an image from its address in Label Studio."""
    return (
        unquote(address.split("?d=", 1)[1]) if "?d=" in address else str(PurePosixPath(unquote(address)).name)
    )
