"""The configuration of a study: variants by name, each a few settings over those that all share."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ConfigDict, Field, model_validator

from zerosight.config import Config
from zerosight.errors import ConfigError

S = TypeVar("S", bound="StudyConfig")


class VariantConfig(Config):
    """One variant.

    Attributes:
        name: What tables call it.
        group: Variants of one group stand together, such as ``modules``.
        settings: Settings over the study's, by dotted name.
        seeds: Seeds of as many runs, whose mean and deviation are told; empty takes the study's.
        family: Variants that should agree, such as one method under many wordings; their spread is told.
        note: Its source, or what it is for.
    """

    model_config = ConfigDict(populate_by_name=True)  # so that what was saved can be read

    name: str = Field(min_length=1, max_length=80)
    group: str = Field(min_length=1, max_length=40)
    settings: dict[str, Any] = Field({}, alias="set")
    seeds: tuple[int, ...] = ()
    family: str = Field("", max_length=40)
    note: str = Field("", max_length=300)


class StudyConfig(Config):
    """A study.

    Attributes:
        title: What the study is called.
        reference: The variant that the others are compared with.
        settings: Settings that all variants share, by dotted name, over the defaults of the system.
        seeds: Seeds of as many runs of every variant that names none.
        variants: The variants, in the order of the tables.
    """

    model_config = ConfigDict(populate_by_name=True)

    title: str = "Ablations"
    reference: str = ""
    settings: dict[str, Any] = Field({}, alias="set")
    seeds: tuple[int, ...] = Field((111,), min_length=1)
    variants: tuple[VariantConfig, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_tell_apart(self) -> StudyConfig:
        names = Counter(variant.name for variant in self.variants)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ValueError(f"the variant '{twice[0]}' is there twice; names tell variants apart")
        if self.reference and self.reference not in names:
            raise ValueError(f"reference: no variant is called '{self.reference}'; known: {', '.join(names)}")
        return self

    @property
    def compared_with(self) -> str:
        """Name of the reference: the one named, else the first variant."""
        return self.reference or self.variants[0].name

    def seeds_of(self, variant: VariantConfig) -> tuple[int, ...]:
        """Return a seed per run of a variant."""
        return variant.seeds or self.seeds

    def only(self: S, groups: tuple[str, ...]) -> S:
        """Return the study with some groups of variants, and the reference; no groups take all.

        Raises:
            ConfigError: There is no such group.
        """
        known = dict.fromkeys(variant.group for variant in self.variants)
        for group in groups:
            if group not in known:
                raise ConfigError(f"group: there is no '{group}'; known: {', '.join(known)}")
        kept = [
            variant
            for variant in self.variants
            if not groups or variant.group in groups or variant.name == self.compared_with
        ]
        return self.model_copy(update={"variants": tuple(kept), "reference": self.compared_with})


def settle(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with later layers over earlier ones; dots lead into groups.

    A group that is given whole replaces the group.

    >>> settle({"numbers.top_k": 50, "epochs": 3}, {"numbers.top_k": 1})
    {'numbers': {'top_k': 1}, 'epochs': 3}
    """
    values: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            *groups, last = name.split(".")
            place = values
            for group in groups:
                if not isinstance(place.get(group), dict):
                    place[group] = {}
                place = place[group]
            place[last] = copy.deepcopy(value)
    return values
