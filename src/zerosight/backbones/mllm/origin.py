"""Where a model comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from.

    Attributes:
        name: As the user wrote it.
        base: Hash of the stored weights; the same for every precision they are loaded in.
        licence: One line; ``unknown`` where the model's card names none.
    """

    name: str
    base: str
    licence: str
