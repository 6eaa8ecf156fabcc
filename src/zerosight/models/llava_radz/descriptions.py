"""What findings look like on a chest radiograph, in words: the texts that anchors are made of.

The package's own texts are in ``descriptions.yaml``. A file of the user's, in the same form, goes over them::

    dextrocardia:
      presence:
        - The heart lies in the right side of the chest, with its apex to the right.
      absence:                       # may be left out
        - The heart lies in the left side of the chest.
      source: my department          # may be left out

Departures: the paper has the large model write every description. Here people wrote those of the usual
findings, so that they can be read and corrected, and a model writes the others
(``generated_descriptions.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from zerosight.config import Config, read_mapping
from zerosight.data.chest.names import canonical, check_labels
from zerosight.errors import ConfigError, DataError, did_you_mean
from zerosight.files import packaged

SHIPPED = packaged("models", "llava_radz", "descriptions.yaml")
MOST_TEXTS, LONGEST_TEXT, LONGEST_NAME = 50, 600, 80


class DescriptionError(DataError):
    """A finding has no description, or a model wrote none that can be used."""


def _one_line(text: Any) -> Any:
    return " ".join(text.split()) if isinstance(text, str) else text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds a character that cannot be printed")
    return text


Line = Annotated[str, BeforeValidator(_one_line), AfterValidator(_printable)]
Text = Annotated[Line, Field(min_length=1, max_length=LONGEST_TEXT)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1, max_length=MOST_TEXTS)]


class Description(Config):
    """How a finding looks, and what is seen where it is absent."""

    name: Line = Field(min_length=1, max_length=LONGEST_NAME, description="canonical name")
    presence: Texts = Field(description="appearance of the finding, one or two sentences each")
    absence: Texts = Field(description="what a report says without the finding")
    source: Line = Field("", max_length=LONGEST_TEXT, description="where to read on, or who wrote the texts")


def plain_absence(name: str) -> tuple[str, ...]:
    """Return the texts of absence of a finding that only has texts of presence.

    >>> plain_absence("dextrocardia")
    ('No dextrocardia.', 'There is no radiographic evidence of dextrocardia.')
    """
    return f"No {name}.", f"There is no radiographic evidence of {name}."


def load_descriptions(path: Path | None = None) -> dict[str, Description]:
    """Return the package's own descriptions by canonical name, with the user's over them.

    A finding that the file describes takes nothing from the package's description of it.

    Args:
        path: YAML or JSON: names, each with ``presence``, and ``absence`` and ``source`` if wanted.

    Raises:
        ConfigError: The file cannot be read, a key in it is unknown, a text is empty or too long, or one
            finding is described twice.

    >>> load_descriptions()["pneumothorax"].absence[0]
    'No pneumothorax. Lung markings reach the chest wall on both sides.'
    """
    return {**_shipped(), **(_read(path) if path else {})}


def find_descriptions(names: Iterable[str], known: Mapping[str, Description]) -> tuple[Description, ...]:
    """Return the descriptions of findings in their order.

    Args:
        names: The findings asked for, in any spelling.
        known: Descriptions by canonical name.

    Raises:
        ConfigError: No finding is named, or one is named twice.
        DescriptionError: A finding has no description.
    """
    labels = check_findings(names)
    absent = missing(labels, known)
    if absent:
        named = ", ".join(f"{name!r}{did_you_mean(name, known)}" for name in absent[:3])
        raise DescriptionError(
            f"no description of {named}{' …' if len(absent) > 3 else ''}; describe it in a file "
            "(--descriptions FILE) or let a loaded language model write it (--write-descriptions)"
        )
    return tuple(known[label] for label in labels)


def check_findings(names: Iterable[str]) -> tuple[str, ...]:
    """Return the canonical names of findings that need not be known.

    Raises:
        ConfigError: No finding is named, one is named twice, or a name is too long or cannot be printed.

    >>> check_findings(["Effusion", "situs inversus"])
    ('pleural effusion', 'situs inversus')
    """
    given = [name for name in names if canonical(name)]
    for name in given:
        if len(name) > LONGEST_NAME:
            raise ConfigError(f"finding {name[:30]!r} … is longer than {LONGEST_NAME} characters; shorten it")
        if not canonical(name).isprintable():
            raise ConfigError(f"finding {name!r} holds a character that cannot be printed; leave it out")
    return check_labels(given, (canonical(name) for name in given))


def missing(names: Iterable[str], known: Mapping[str, Description]) -> tuple[str, ...]:
    """Return the canonical names that have no description."""
    return tuple(label for label in map(canonical, names) if label not in known)


@cache
def _shipped() -> dict[str, Description]:
    """Return the package's own descriptions, read once; they are not to be changed."""
    return _read(SHIPPED)


def _read(path: Path) -> dict[str, Description]:
    found: dict[str, Description] = {}
    for key, entry in read_mapping(path).items():
        name = canonical(key)
        if name in found:
            raise ConfigError(f"{path}: {name!r} is described twice (as {key!r} too); keep one of them")
        if not isinstance(entry, dict):
            raise ConfigError(
                f"{path}: {key!r} should hold 'presence' and, if wanted, 'absence' and 'source'"
            )
        if entry.get("name", key) != key:
            raise ConfigError(f"{path}: {key!r} holds the name {entry['name']!r}; leave the name out")
        values = {"absence": plain_absence(name), **entry, "name": name}
        found[name] = Description.parse(values, f"{path}: {key!r}")
    return found
