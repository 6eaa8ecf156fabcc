"""Palettes of DICOM, plain or in segments, as one table of grey levels.

Source: DICOM PS3.3 C.7.6.3.1.5 and C.7.6.3.1.6 (palette tables), C.7.9.2 (segments).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image
from pydicom.dataset import Dataset

from zerosight.data.dicom_display import look_up, words
from zerosight.errors import ImageReadError

PALETTE = tuple(f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue"))
PALETTE_PARTS = (
    *(f"{name}{part}" for name in PALETTE for part in ("Descriptor", "Data")),
    *(f"Segmented{name}Data" for name in PALETTE),
)
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2
_MOST = 1 << 16  # entries of a table


def palette_luma(dataset: Dataset, values: Int64[np.ndarray, "values"]) -> UInt8[np.ndarray, "values"]:
    """Return the luma (ITU-R 601) of the colours that stored values stand for.

    Args:
        dataset: The elements that hold the palette.
        values: Stored values, ascending.

    Raises:
        ImageReadError: The palette is damaged.
    """
    planes = []
    for name in PALETTE:
        if f"Segmented{name}Data" in dataset and not dataset.get(f"{name}Data"):
            _unfold(dataset, name)
        found, highest = look_up(dataset, name, values.astype(np.float64))
        planes.append(np.rint(255 * found / highest).clip(0, 255).astype(np.uint8))
    colours = Image.fromarray(np.stack(planes, axis=-1)[None])
    return np.asarray(colours.convert("L"))[0]


def _unfold(dataset: Dataset, name: str) -> None:
    """Put the plain table beside a segmented one."""
    descriptor = [int(number) for number in dataset.get(f"{name}Descriptor") or ()]
    if len(descriptor) != 3:
        raise ImageReadError("has a damaged look-up table; export the file again")
    data = dataset[f"Segmented{name}Data"].value
    wide = descriptor[2] > 8
    entries = unfold_segments(words(dataset, data, wide).tolist() if isinstance(data, bytes) else list(data))
    setattr(dataset, f"{name}Data", np.asarray(entries, "<u2").tobytes())
    if dataset.original_encoding[1] is False:
        setattr(dataset, f"{name}Data", np.asarray(entries, ">u2").tobytes())


def unfold_segments(codes: Sequence[int]) -> list[int]:
    """Return the entries that segments stand for.

    Args:
        codes: Segments one after another: a kind, a count, and what the kind wants: 0, the entries; 1, the
            last of entries on a line from the entry before; 2, the place of earlier segments to repeat.

    Raises:
        ImageReadError: They end early, or stand for more entries than a table has.

    >>> unfold_segments([0, 2, 5, 7, 1, 3, 10])
    [5, 7, 8, 9, 10]
    """
    entries: list[int] = []
    try:
        _unfold_into(entries, codes, 0, len(codes), _MOST)
    except (IndexError, OverflowError):
        raise ImageReadError("has a damaged segmented look-up table; export the file again") from None
    return entries


def _unfold_into(entries: list[int], codes: Sequence[int], place: int, end: int, most: int) -> None:
    """Append what up to ``most`` segments from a place on stand for; repeats do not repeat repeats."""
    for _ in range(most):
        if place >= end:
            return
        kind, count = codes[place], codes[place + 1]
        if kind == _DISCRETE:
            if place + 2 + count > len(codes):
                raise IndexError
            entries += codes[place + 2 : place + 2 + count]
            place += 2 + count
        elif kind == _LINEAR:
            last = entries[-1]
            steps = np.linspace(last, codes[place + 2], count + 1)[1:]
            entries += np.rint(steps).astype(int).tolist()
            place += 3
        elif kind == _INDIRECT and most == _MOST:
            start = codes[place + 2] | codes[place + 3] << 16
            _unfold_into(entries, codes, start, len(codes), count)
            place += 4
        else:
            raise IndexError
        if len(entries) > _MOST:
            raise OverflowError
