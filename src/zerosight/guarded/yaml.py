"""YAML from strangers: plain values only, aliases that do not multiply, errors of one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from zerosight.errors import DamagedError, one_line
from zerosight.guarded.structure import DEPTH, check_structure, read_text

LIMIT = 500_000
"""Bytes of a text: descriptions of a thousand findings have fewer, and more take seconds to parse."""
_MERGED = 10_000  # keys of one mapping, those merged into it included
_FAULTS = (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError)


class _Loader(yaml.SafeLoader):
    """PyYAML's own safe loader, held to a depth and to mappings of honest size."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > DEPTH:
            raise DamagedError(f"it is nested more than {DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > _MERGED:
            raise DamagedError(f"it merges more than {_MERGED:,} keys into one mapping")


def parse_yaml(text: str) -> Any:
    """Return the value that a YAML text stands for.

    Raises:
        DamagedError: It is not YAML, larger or nested deeper than any honest text, holds a value that its own
            tag does not allow, or a number that is not finite.

    >>> parse_yaml("a: [1, yes]")
    {'a': [1, True]}
    """
    if len(text) > LIMIT:
        raise DamagedError(f"it is longer than {LIMIT:,} characters")
    try:
        value = yaml.load(text, _Loader)  # noqa: TID251  # this is the door
    except DamagedError:
        raise
    except RecursionError:
        raise DamagedError("it is nested too deep") from None
    except (yaml.YAMLError, *_FAULTS) as error:  # PyYAML's constructors let through whatever Python says
        raise DamagedError(f"it is not valid YAML: {one_line(str(error), 160)}") from None
    check_structure(value)
    return value


def read_yaml(path: Path) -> Any:
    """Return the value in a YAML or JSON file.

    Raises:
        OSError: It cannot be opened.
        DamagedError: As :func:`parse_yaml`.
    """
    return parse_yaml(read_text(path, LIMIT))
