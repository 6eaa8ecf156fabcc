"""From a file, flags and ``--set NAME=VALUE`` to one validated configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zerosight.errors import ConfigError, DamagedError, one_line

if TYPE_CHECKING:
    from zerosight.config import Config

C = TypeVar("C", bound="Config")


def resolve(kind: type[C], file: Path | None, flags: Mapping[str, Any], settings: list[str] | None) -> C:
    """Return the defaults with the file's values, the flags' and those of ``--set`` over them.

    Args:
        kind: The configuration.
        file: YAML; None for none.
        flags: Values by dotted name, such as ``cache.folder``; those that are None were not given.
        settings: ``NAME=VALUE`` each.

    Raises:
        ConfigError: A name or value is not allowed.
    """
    from zerosight.config import read_mapping

    values = read_mapping(file) if file else {}
    for name, value in flags.items():
        if value is not None:
            _assign(values, name, value)
    return kind.parse(with_settings(values, settings or []), str(file) if file else "training")


def with_settings(values: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """Return the values with those of ``--set NAME=VALUE`` over them; dots lead into groups.

    Raises:
        ConfigError: A setting is not of this form.
    """
    import copy

    from zerosight.guarded.yaml import parse_yaml

    values = copy.deepcopy(values)
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator:
            raise ConfigError(f"--set {setting}: should be NAME=VALUE")
        try:
            value = parse_yaml(text)
        except DamagedError as error:
            raise ConfigError(
                f"--set {one_line(setting, 80)}: the value is not valid YAML ({error}); quote it"
            ) from None
        _assign(values, name, _number(value))
    return values


def _assign(values: dict[str, Any], name: str, value: Any) -> None:
    """Set one value; dots lead into groups, which are made where there are none."""
    *groups, last = name.split(".")
    for group in groups:
        if not isinstance(values.get(group), dict):
            values[group] = {}
        values = values[group]
    values[last] = value


def _number(value: Any) -> Any:
    """Return YAML's '1e-3', which it reads as text, as the number a person means."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
