"""From stored DICOM values to grey levels, as one table: modality, then values of interest, then polarity.

Stored values have at most 16 bits, so what happens to a pixel is a table of at most 65,536 entries:

1. Modality: the first item of the modality LUT sequence, else ``RescaleSlope · v + RescaleIntercept``.
2. Values of interest: the first item of the VOI LUT sequence, else the first window (LINEAR, LINEAR_EXACT or
   SIGMOID), else our default: images of up to 8 bits use their whole range, deeper ones the range between
   the 0.5th and the 99.5th percentile of their pixels, because their declared range is mostly empty.
3. Polarity: MONOCHROME1 is inverted, so that air is dark and bone is bright in every image.
4. Padding (PixelPaddingValue up to PixelPaddingRangeLimit) is black and does not count in the percentiles.

Source: DICOM PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT), C.7.5.1.1.2 (pixel padding value).
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer, UInt8
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from zerosight.errors import ImageReadError

TAIL = 0.005
"""Share of the pixels beyond either end of the default range of images of more than 8 bits."""


def display_table(
    header: Dataset, stored: Int64[np.ndarray, "values"], counts: Int64[np.ndarray, "values"]
) -> UInt8[np.ndarray, "values"]:
    """Return the grey level of every stored value.

    Args:
        header: The elements that describe the pixels.
        stored: Stored values, ascending.
        counts: How often each occurs in the image.

    Raises:
        ImageReadError: The rescale slope or a look-up table is not usable.
    """
    padding = _padding(header, stored)
    values = _modality(header, stored)
    grey = _values_of_interest(header, values)
    if grey is None:
        low, high = _default_range(header, values, np.where(padding, 0, counts))
        grey = (values - low) / (high - low) if high > low else np.zeros(len(values))
    grey = grey.clip(0, 1)
    if header.PhotometricInterpretation == "MONOCHROME1":
        grey = 1 - grey
    grey[padding] = 0
    return np.rint(grey * 255).astype(np.uint8)


def look_up(
    table: Dataset, keyword: str, values: Float64[np.ndarray, "*shape"]
) -> tuple[Float64[np.ndarray, "*shape"], float]:
    """Return what a look-up table makes of values, and the highest value that it can give.

    Args:
        table: The elements that hold the table.
        keyword: How the names of its elements begin: ``LUT``, or ``RedPaletteColorLookupTable`` and so on.
        values: What to look up; what is not in the table is taken to its nearer end.

    Raises:
        ImageReadError: The table is damaged.
    """
    descriptor = [int(number) for number in table.get(f"{keyword}Descriptor") or ()]
    if len(descriptor) != 3 or not 1 <= descriptor[2] <= 16:
        raise ImageReadError("has a damaged look-up table; export the file again")
    count, first, bits = descriptor[0] & 0xFFFF or 1 << 16, descriptor[1], descriptor[2]
    if first >= 1 << 15 and values.min() < 0:  # read as unsigned where the values are signed
        first -= 1 << 16
    data = table.get(f"{keyword}Data")
    if isinstance(data, bytes):
        data = words(table, data, len(data) >= 2 * count)
    entries = np.atleast_1d(np.asarray(() if data is None else data)).astype(np.float64)[:count]
    if len(entries) < count:
        raise ImageReadError("has a look-up table that is cut short; export the file again")
    entries = entries % (1 << 16)  # read as signed where they are unsigned
    return entries[np.rint(values - first).clip(0, count - 1).astype(np.int64)], float((1 << bits) - 1)


def words(table: Dataset, data: bytes, wide: bool) -> Integer[np.ndarray, "words"]:
    """Return the whole numbers in bytes, of 16 bits each if wide, else of 8, in the file's order."""
    word = ">u2" if table.original_encoding[1] is False else "<u2"
    return np.frombuffer(data[: len(data) // 2 * 2] if wide else data, word if wide else np.uint8)


def first_number(header: Dataset, keyword: str) -> float | None:
    """Return the first value of an element as a number; None where it is absent, empty or not finite."""
    value = header.get(keyword)
    if isinstance(value, MultiValue | list | tuple):
        value = value[0] if value else None
    if value is None or value == "":
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _padding(header: Dataset, stored: Int64[np.ndarray, "values"]) -> Bool[np.ndarray, "values"]:
    """Return which stored values only fill the frame."""
    one = first_number(header, "PixelPaddingValue")
    if one is None:
        return np.zeros(len(stored), bool)
    limit = first_number(header, "PixelPaddingRangeLimit")
    other = one if limit is None else limit
    return (stored >= min(one, other)) & (stored <= max(one, other))


def _modality(header: Dataset, stored: Int64[np.ndarray, "values"]) -> Float64[np.ndarray, "values"]:
    """Return what the stored values stand for."""
    tables = header.get("ModalityLUTSequence")
    if tables:
        return look_up(tables[0], "LUT", stored.astype(np.float64))[0]
    slope, intercept = first_number(header, "RescaleSlope"), first_number(header, "RescaleIntercept")
    slope = 1.0 if slope is None else slope
    if slope == 0 or abs(slope) > 1e9 or abs(intercept or 0) > 1e15:
        raise ImageReadError("has a rescale slope or intercept that no image can have; export the file again")
    return stored * slope + (intercept or 0.0)


def _values_of_interest(
    header: Dataset, values: Float64[np.ndarray, "values"]
) -> Float64[np.ndarray, "values"] | None:
    """Return the grey levels in [0, 1] before clipping that the file asks for; None if it asks for none."""
    tables = header.get("VOILUTSequence")
    if tables:
        found, highest = look_up(tables[0], "LUT", values)
        return found / highest
    centre, width = first_number(header, "WindowCenter"), first_number(header, "WindowWidth")
    if centre is None or width is None:
        return None
    function = str(header.get("VOILUTFunction") or "LINEAR").upper()
    if function == "SIGMOID":
        return None if width <= 0 else 1 / (1 + np.exp((-4 * (values - centre) / width).clip(-700, 700)))
    if function == "LINEAR":  # the standard's own arithmetic: a window of width 1 is a step
        centre, width = centre - 0.5, width - 1
    if width < 0 or (width == 0 and function != "LINEAR"):
        return None
    if width == 0:
        return (values > centre).astype(np.float64)
    return (values - centre) / width + 0.5


def _default_range(
    header: Dataset, values: Float64[np.ndarray, "values"], counts: Int64[np.ndarray, "values"]
) -> tuple[float, float]:
    """Return the values that become black and white in an image that names no window."""
    if header.BitsStored <= 8:
        whole = _modality(header, _stored_range(header))
        return float(whole.min()), float(whole.max())
    order = np.argsort(values, kind="stable")
    ascending, rank = values[order], np.cumsum(counts[order])
    total = int(rank[-1])
    if total == 0:
        return 0.0, 0.0
    low, high = (float(ascending[np.searchsorted(rank, share * total)]) for share in (TAIL, 1 - TAIL))
    if low == high:  # nearly flat: everything that occurs
        low, high = (float(ascending[np.searchsorted(rank, at)]) for at in (1, total))
    return low, high


def _stored_range(header: Dataset) -> Int64[np.ndarray, "values"]:
    """Return all values that the stored bits can hold."""
    count = 1 << int(header.BitsStored)
    return np.arange(count) - (count // 2 if header.PixelRepresentation else 0)
