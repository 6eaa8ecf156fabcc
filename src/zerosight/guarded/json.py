"""JSON from strangers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from zerosight.errors import DamagedError, one_line
from zerosight.guarded.structure import check_structure, read_text

LIMIT = 256 * 2**20
"""Bytes of a file: a report on a million images has fewer."""


def parse_json(text: Any, *, finite: bool = True) -> Any:
    """Return the value that a JSON text stands for.

    Args:
        text: A text, or its bytes in UTF-8.
        finite: Refuse NaN and infinity.

    Raises:
        DamagedError: It is not JSON, nested too deep, or holds a number that cannot be stored.

    >>> parse_json('{"a": [1, 2]}')
    {'a': [1, 2]}
    """
    if not isinstance(text, str | bytes):
        raise DamagedError(f"it is a {type(text).__name__} where JSON text should be")
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = json.loads(text, parse_constant=_refuse if finite else float)  # noqa: TID251  # this is the door
    except DamagedError:
        raise
    except RecursionError:
        raise DamagedError("it is nested too deep") from None
    except UnicodeDecodeError as error:
        raise DamagedError(f"it is not UTF-8 text (byte {error.start})") from None
    except ValueError as error:  # also of endless numbers
        raise DamagedError(f"it is not valid JSON: {one_line(str(error), 120)}") from None
    check_structure(value, finite=finite)
    return value


def read_json(path: Path, limit: int = LIMIT, *, finite: bool = True) -> Any:
    """Return the value in a JSON file.

    Args:
        path: The file.
        limit: Bytes above which it is not read.
        finite: Refuse NaN and infinity.

    Raises:
        OSError: It cannot be opened.
        DamagedError: As :func:`parse_json`, or it is too large.
    """
    return parse_json(read_text(path, limit), finite=finite)


def read_json_object(path: Path, limit: int = LIMIT) -> dict[str, Any]:
    """Return the object in a JSON file; arguments and errors as for :func:`read_json`.

    Raises:
        DamagedError: Also where it holds something else.
    """
    value = read_json(path, limit)
    if not isinstance(value, dict):
        raise DamagedError("it should hold a JSON object")
    return value


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return our own values as they would come back from a JSON file: lists for tuples, texts for keys."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values)))  # noqa: TID251
    return plain


def _refuse(constant: str) -> NoReturn:
    raise DamagedError(f"it holds {constant}, which is no number of JSON")
