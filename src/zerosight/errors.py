"""Errors that a user can cause or mend.

Every one derives from :class:`ZerosightError` and carries a message of one line that says what was wrong,
what was expected and how to mend it. The command line prints that line and exits with status 1; the
library lets it propagate. Anything else that escapes is a bug.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_CODES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class ZerosightError(Exception):
    """Base of all errors a user can cause."""


class ConfigError(ZerosightError):
    """A configuration file, key or value is not valid."""


class ImageReadError(ZerosightError):
    """A file is not an image that can be read safely."""


class DataError(ZerosightError):
    """A manifest, data set or folder is not what it should be."""


class EmptyMaskError(DataError):
    """The mask of an anomalous image marks no pixel."""


class WeightsError(ZerosightError):
    """Weights are missing, damaged, unsafe, or of another model."""


class CacheError(ZerosightError):
    """The feature cache cannot be read or written."""


class MissingExtraError(ZerosightError):
    """An optional package is not installed."""


class ExportError(ZerosightError):
    """A model cannot be exported, or the exported graph does not agree with it."""


class OutputError(ZerosightError):
    """Results cannot be written."""


class ProcessError(ZerosightError):
    """A model is used in a process that it cannot compute in."""


class DamagedError(ZerosightError, ValueError):
    """A text or file breaks the rules of its format, or is larger or deeper than any honest one."""


def printable(text: str) -> str:
    r"""Return the text with ``?`` for every code that a terminal would obey; line breaks and tabs stay.

    >>> printable("screws\x1b[2J\n")
    'screws?[2J\n'
    """
    return _CODES.sub("?", text)


def one_line(text: str, limit: int = 300) -> str:
    r"""Return the text with control characters and line breaks blanked, and its middle cut beyond the limit.

    >>> one_line("a\nb\x1b[31m")
    'a b [31m'
    """
    if len(text) > 8 * limit:  # enough to show, however long it is
        text = f"{text[: 4 * limit]} {text[-4 * limit :]}"
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= limit else f"{clean[: limit // 2]}…{clean[-limit // 2 :]}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint such as `` (did you mean 'epochs'?)``, or an empty string.

    >>> did_you_mean("epocs", ["epochs", "seed"])
    " (did you mean 'epochs'?)"
    >>> did_you_mean("zzz", ["epochs"])
    ''
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
