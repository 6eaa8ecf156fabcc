"""Configuration: frozen, validated models that own every default.

A file (YAML or JSON) overrides the defaults, flags override the file, and a key that no model knows is an
error that names the nearest one it does know.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from zerosight.errors import ConfigError, did_you_mean

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Base of all configurations: immutable, strict about keys, saved beside what it made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls: type[C], values: Mapping[str, Any], source: str = "configuration") -> C:
        """Return the validated configuration.

        Args:
            values: Keys and values, nested as the model is.
            source: What to call the origin of the values in an error.

        Raises:
            ConfigError: A key is unknown or a value is not allowed.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(f"{source}: {_first_problem(cls, error)}") from None

    @classmethod
    def load(cls: type[C], path: Path | None, **overrides: Any) -> C:
        """Return the defaults, overridden by a file (may be None), overridden by flags that are not None."""
        values = read_mapping(path) if path else {}
        values.update({key: value for key, value in overrides.items() if value is not None})
        return cls.parse(values, str(path) if path else "configuration")

    def save(self, path: Path) -> None:
        """Write the resolved configuration as YAML."""
        path.write_text(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML or JSON file.

    Raises:
        ConfigError: The file is missing, is not YAML, or holds something else than a mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error.__class__.__name__}); give a YAML file") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML ({' '.join(str(error).split())})") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{path}: should hold 'key: value' lines at its top level")
    return values


def _first_problem(model: type[BaseModel], error: ValidationError) -> str:
    """Describe one of pydantic's complaints in one line: an unknown key first, as it explains the others."""
    problems = error.errors()
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    where = ".".join(str(part) for part in problem["loc"])
    if not where:  # of the whole, which is too much to show
        return str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] != "extra_forbidden":
        return f"{where}: {problem['msg']}, got {problem['input']!r}"
    owner = model
    for part in problem["loc"][:-1]:
        if isinstance(part, int):  # a place in a list, whose element is the owner already
            continue
        annotation = owner.model_fields[str(part)].annotation
        groups = (a for a in (annotation, *get_args(annotation)) if isinstance(a, type))
        group = next((a for a in groups if issubclass(a, BaseModel)), None)
        if group is None:
            return f"unknown key '{where}'"
        owner = group
    known = list(owner.model_fields)
    hint = did_you_mean(str(problem["loc"][-1]), known)
    return f"unknown key '{where}'{hint}; known keys: {', '.join(known)}"
