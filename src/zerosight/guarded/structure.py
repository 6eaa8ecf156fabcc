"""Nested values of honest size: not too deep, not too many, every number finite."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from zerosight.errors import DamagedError

DEPTH = 64
"""Lists and mappings inside one another; nothing that zerosight writes has more than ten."""
VALUES = 5_000_000
"""Values in one text, those that aliases repeat counted each time."""
_BITS = 64  # of a whole number: seeds and counts, but no number that takes a minute to print


def check_structure(value: Any, *, finite: bool = True) -> None:
    """Refuse nested values that are too deep, too many, or hold numbers that cannot be stored.

    Args:
        value: Lists, tuples, mappings and plain values, as a parser made them.
        finite: Refuse NaN and infinity.

    Raises:
        DamagedError: As above.

    >>> check_structure({"a": [1, 2.5, None]})
    >>> check_structure([float("inf")])
    Traceback (most recent call last):
    zerosight.errors.DamagedError: it holds a number that is not finite
    """
    level, count = [value], 0
    for _ in range(DEPTH + 1):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
            elif isinstance(one, list | tuple):
                below += one
            elif finite and isinstance(one, float) and not math.isfinite(one):
                raise DamagedError("it holds a number that is not finite")
            elif isinstance(one, int) and one.bit_length() > _BITS:
                raise DamagedError(f"it holds a whole number of more than {_BITS} bits")
            if count + len(below) > VALUES:
                raise DamagedError(f"it holds more than {VALUES:,} values")
        if not below:
            return
        count += len(below)
        level = below
    raise DamagedError(f"it is nested more than {DEPTH} deep")


def read_text(path: Path, limit: int) -> str:
    """Return the UTF-8 text in a file.

    Args:
        path: The file.
        limit: Bytes above which it is not read.

    Raises:
        OSError: It cannot be opened.
        DamagedError: It is larger, or not UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise DamagedError(f"it is larger than {limit:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedError(f"it is not UTF-8 text (byte {error.start})") from None
