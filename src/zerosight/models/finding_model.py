"""The seam between models of findings and what asks them: prediction and evaluation know this and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float, UInt8
from torch import Tensor

from zerosight.choices import MapName
from zerosight.models.familiarity import Familiarity
from zerosight.models.llava_radz.anchors import Anchors, AnchorTexts
from zerosight.models.llava_radz.card import FindingCard
from zerosight.models.llava_radz.descriptions import Description
from zerosight.models.llava_radz.model import Embedding
from zerosight.preprocess import Preprocess


@runtime_checkable
class FindingModel(Protocol):
    """Images and texts in one space, so that any finding that has words can be scored.

    :class:`~zerosight.models.llava_radz.model.LlavaRadz` is one,
    :class:`~zerosight.models.peers.model.DualFindings` another.
    """

    @property
    def preprocess(self) -> Preprocess:
        """How the model wants its pixels."""

    @property
    def temperature(self) -> Float[Tensor, ""]:
        """What differences of cosines are divided by to become log-odds, above 0."""

    def see(self, pixels: UInt8[Tensor, "batch size size 3"]) -> Float[Tensor, "batch token vision"]:
        """Return what the image tower makes of images; the three methods that follow read it."""

    def embed_images(self, seen: Float[Tensor, "batch token vision"]) -> Embedding:
        """Return the features of images."""

    def attention(self, seen: Float[Tensor, "batch token vision"]) -> Float[Tensor, "batch grid grid"] | None:
        """Return where the model looked, weights of at least 0; None where it cannot say."""

    def maps(
        self, way: MapName, seen: Float[Tensor, "1 token vision"], anchors: Anchors
    ) -> Float[Tensor, "classes grid grid"]:
        """Return where one image shows findings, in [0, 1] on a fixed scale.

        Raises:
            ConfigError: The model has no such map.
        """

    def texts(self, names: Sequence[str], known: Mapping[str, Description], given: bool) -> AnchorTexts:
        """Return the texts that findings are told by.

        Args:
            names: The findings, in any spelling.
            known: Descriptions by canonical name.
            given: Whether the user gave some of them.

        Raises:
            DescriptionError: A finding has none, and the model needs one.
        """

    def embed_texts(self, texts: Sequence[str]) -> Embedding:
        """Return the features of texts, none of them empty."""

    def answers(
        self, pixels: UInt8[Tensor, "batch size size 3"], findings: Sequence[str]
    ) -> Float[Tensor, "batch classes"]:
        """Return the log-odds of yes when asked in words.

        Raises:
            ConfigError: The model does not answer.
        """

    def write(self, prompt: str, seed: int, tokens: int) -> str:
        """Return what a language model goes on with.

        Raises:
            ConfigError: The model has none.
        """


@runtime_checkable
class LoadedFindings(Protocol):
    """A model of findings in evaluation mode, with what is known of it."""

    @property
    def model(self) -> FindingModel:
        """The model."""

    @property
    def card(self) -> FindingCard:
        """What is known of its weights."""

    @property
    def key(self) -> str:
        """Changes with everything that features depend on; keys caches."""

    @property
    def familiarity(self) -> Familiarity | None:
        """Tells images like those of training from others; None where that is not known."""
