"""Configuration: frozen, validated models that own every default.

A file (YAML or JSON) overrides the defaults, flags override the file, and a key that no model knows is an
error that names the nearest one it does know.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from zerosight.errors import ConfigError, DamagedError, did_you_mean, one_line
from zerosight.files import write_atomically

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Base of all configurations: immutable, strict about keys, saved beside what it made."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

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
        """Write the resolved configuration as YAML, all of it or nothing.

        Raises:
            OutputError: The folder cannot be written or the disk is full.
        """
        import yaml

        content = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
        write_atomically(path, content.encode())


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML or JSON file.

    Raises:
        ConfigError: The file is missing, is not YAML, or holds something else than a mapping.
    """
    from zerosight.guarded.yaml import read_yaml

    try:
        values = read_yaml(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.__class__.__name__}); give a YAML file") from None
    except DamagedError as error:
        raise ConfigError(f"{path}: cannot be used as YAML ({error})") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{path}: should hold 'key: value' lines at its top level")
    return values


def _first_problem(model: type[BaseModel], error: ValidationError) -> str:
    """Describe one of pydantic's complaints in one line: an unknown key first, as it explains the others."""
    problems = error.errors(include_url=False)
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    where = one_line(".".join(str(part) for part in problem["loc"]), 120)
    if not where:  # of the whole, which is too much to show
        return one_line(str(problem["msg"]).removeprefix("Value error, "))
    if problem["type"] != "extra_forbidden":
        return f"{where}: {one_line(problem['msg'])}, got {_shown(problem['input'])}"
    owner = _owner(model, problem["loc"][:-1])
    if owner is None:
        return f"unknown key '{where}'"
    known = list(owner.model_fields)
    hint = did_you_mean(one_line(str(problem["loc"][-1]), 80), known)
    return f"unknown key '{where}'{hint}; known keys: {', '.join(known)}"


def _owner(model: type[BaseModel], place: Sequence[int | str]) -> type[BaseModel] | None:
    """Return the model that a key belongs to, None where it cannot be told.

    Args:
        model: The outermost model.
        place: Names of fields, keys of mappings and numbers in lists, from the outside to the key.
    """
    inside: Any = model
    for part in place:
        group = _group(inside)
        if group is not None:
            field = group.model_fields.get(str(part))
            inside = field.annotation if field else inside  # else the part tells models of a union apart
        else:
            inner = next((get_args(one) for one in _options(inside) if get_args(one)), ())
            inside = next((one for one in reversed(inner) if one is not Ellipsis), None)
    return _group(inside)


def _group(annotation: Any) -> type[BaseModel] | None:
    """Return the model in an annotation; None where values of it are something else, or hold many."""
    kinds = (one for one in _options(annotation) if isinstance(one, type))
    return next((one for one in kinds if issubclass(one, BaseModel)), None)


def _options(annotation: Any) -> tuple[Any, ...]:
    """Return what a value may be."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _shown(value: Any) -> str:
    """Return a value as an error shows it, however much it is."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = 100
    return one_line(shown.repr(value), 200)
