"""What peers refuse, whatever they are: they score, and write no words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NoReturn

from jaxtyping import UInt8
from torch import Tensor

from zerosight.errors import ConfigError


class Wordless:
    """A model of findings that cannot be asked in words.

    Attributes:
        kind: What to call it, with its article.
    """

    kind: ClassVar[str]

    def answers(self, pixels: UInt8[Tensor, "batch size size 3"], findings: Sequence[str]) -> NoReturn:
        """Refuse.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"vqa: {self.kind} cannot be asked in words; leave --vqa out")

    def write(self, prompt: str, seed: int, tokens: int) -> NoReturn:
        """Refuse, likewise.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.kind} writes no descriptions; leave --write-descriptions out")
