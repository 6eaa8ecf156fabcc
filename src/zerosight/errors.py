"""Errors that a user can cause or mend.

Every one derives from :class:`ZerosightError` and carries a message of one line that says what was wrong,
what was expected and how to mend it. The command line prints that line and exits with status 1; the
library lets it propagate. Anything else that escapes is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ZerosightError(Exception):
    """Base of all errors a user can cause."""


class ConfigError(ZerosightError):
    """A configuration file, key or value is not valid."""


class ImageReadError(ZerosightError):
    """A file is not an image that can be read safely."""


class DataError(ZerosightError):
    """A manifest, data set or folder is not what it should be."""


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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint such as `` (did you mean 'epochs'?)``, or an empty string.

    >>> did_you_mean("epocs", ["epochs", "seed"])
    " (did you mean 'epochs'?)"
    >>> did_you_mean("zzz", ["epochs"])
    ''
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
