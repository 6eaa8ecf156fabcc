"""Label Studio: pre-annotations that people correct, and its packing of brush strokes.

A brush stroke is the RGBA image of it as a row of bytes, packed in bits: 32 bits for the number of bytes, 5
for the width of a byte less one, four times 4 for the widths of lengths less one; then blocks of a flag (1:
one byte repeated, 0: bytes as they stand), 2 bits that choose a width, a length less one, the byte or bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from zerosight.errors import DataError
from zerosight.integrations.labels.regions import LABEL, named, region_mask, write_json
from zerosight.types import Failure, Prediction

WIDTHS = (4, 8, 12, 16)
"""Bits of a run's length, of which each run takes the smallest that holds it."""


def write_label_studio(
    predictions: Iterable[Prediction | Failure],
    path: str | Path,
    prefix: str = "/data/local-files/?d=",
    model: str = "zerosight",
) -> Path:
    """Write predictions as tasks with pre-annotations, a box and a brush stroke per region.

    The labelling interface has an Image ``image``, RectangleLabels ``box`` and BrushLabels ``brush`` with
    the value ``anomaly``.

    Args:
        predictions: What ``predict`` yields; failures are left out.
        path: The JSON file to import in Label Studio.
        prefix: What stands before an image's path in its address there.
        model: What Label Studio calls the model.

    Raises:
        OutputError: The file cannot be written.
    """
    tasks = []
    for _, one in named(predictions):
        results: list[dict[str, Any]] = []
        for number, region in enumerate(one.regions, start=1):
            results += _results(one, region_mask(one, region), number)
        prediction = {"model_version": model, "score": round(one.score, 6), "result": results}
        tasks.append({"data": {"image": f"{prefix}{one.source}"}, "predictions": [prediction]})
    return write_json(path, tasks)


def _results(prediction: Prediction, mask: np.ndarray, number: int) -> list[dict[str, Any]]:
    """Return the box and the stroke of a region."""
    height, width = mask.shape
    region = prediction.regions[number - 1]
    left, top, right, bottom = region.box
    size = {"original_width": width, "original_height": height, "image_rotation": 0, "to_name": "image"}
    score = {"score": round(region.peak, 6)}
    box = {
        "x": 100 * left / width,
        "y": 100 * top / height,
        "width": 100 * (right - left) / width,
        "height": 100 * (bottom - top) / height,
        "rotation": 0,
        "rectanglelabels": [LABEL],
    }
    stroke = {"format": "rle", "rle": pack(mask), "brushlabels": [LABEL]}
    return [
        {"id": f"box-{number}", "from_name": "box", "type": "rectanglelabels", "value": box, **size, **score},
        {
            "id": f"brush-{number}",
            "from_name": "brush",
            "type": "brushlabels",
            "value": stroke,
            **size,
            **score,
        },
    ]


def pack(mask: Bool[np.ndarray, "height width"]) -> list[int]:
    """Return a mask as Label Studio packs it, 255 in all four channels where it is True.

    >>> unpack(pack(np.array([[True, False, True]])), (1, 3)).tolist()
    [[True, False, True]]
    """
    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    starts, ends = np.append(0, edges), np.append(edges, flat.size)
    bits = [f"{4 * flat.size:032b}", f"{8 - 1:05b}", *(f"{width - 1:04b}" for width in WIDTHS)]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        word = "11111111" if flat[start] else "00000000"
        left = 4 * (end - start)
        while left > 0:
            run = min(left, 1 << WIDTHS[-1])
            choice = next(i for i, width in enumerate(WIDTHS) if run <= 1 << width)
            bits.append(f"1{choice:02b}{run - 1:0{WIDTHS[choice]}b}{word}")
            left -= run
    row = "".join(bits)
    row += "0" * (-len(row) % 8)
    return [int(row[at : at + 8], 2) for at in range(0, len(row), 8)]


def unpack(packed: Iterable[int], size: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Return the mask that Label Studio has packed: True where a stroke is more than half opaque.

    Args:
        packed: Bytes.
        size: Height and width in pixels.

    Raises:
        DataError: They are not such a row, or of another size.
    """
    try:
        row = "".join(f"{byte:08b}" for byte in bytes(packed))
    except (TypeError, ValueError):
        raise DataError("a brush stroke is no list of bytes; export it from Label Studio again") from None
    at = 0

    def read(width: int) -> int:
        nonlocal at
        if at + width > len(row):
            raise DataError("a brush stroke is cut off; export it from Label Studio again")
        value = int(row[at : at + width], 2)
        at += width
        return value

    count, word = read(32), read(5) + 1
    widths = [read(4) + 1 for _ in range(4)]
    if count != 4 * size[0] * size[1] or word != 8:
        raise DataError(f"a brush stroke is not of an image of {size[1]} x {size[0]} pixels")
    values = np.zeros(count, np.uint8)
    done = 0
    while done < count:
        repeated = read(1)
        end = min(done + 1 + read(widths[read(2)]), count)
        if repeated:
            values[done:end] = read(8)
        else:
            for place in range(done, end):
                values[place] = read(8)
        done = end
    return values.reshape(size[0], size[1], 4)[:, :, 3] > 127
