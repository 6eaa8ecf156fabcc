"""What a variant of ViP²-CLIP, or a baseline, is made of, and how it is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from zerosight.ablate.config import StudyConfig, VariantConfig, settle
from zerosight.backbones.config import BackboneConfig
from zerosight.config import Config, read_mapping
from zerosight.errors import ConfigError
from zerosight.files import packaged
from zerosight.models.baselines.config import DetectorConfig

SHIPPED = "study.yaml"

Wording = Literal["own", "synonym", "hypernym", "object", "wrong", "random"]


class LossWeights(Config):
    """What each term of the training loss counts; the paper: 1 each."""

    focal: float = Field(1.0, ge=0)
    dice: float = Field(1.0, ge=0)
    cross_entropy: float = Field(1.0, ge=0)


class Mean(Config):
    """The mean of other variants' runs, those of all their seeds.

    Attributes:
        of: Names of the variants.
        what: ``scores`` averages scores and maps at the time of all; ``weights`` averages weights, which must
            be of one form and should have one start, at the time of one.
    """

    of: tuple[str, ...] = Field(min_length=1)
    what: Literal["scores", "weights"] = "scores"


class Vip2Variant(Config):
    """One variant, settled: the detector, and how it is trained.

    The settings of training are those of ``zerosight train vip2clip``, with one rate where there is no ICA.

    Attributes:
        detector: What is trained.
        backbone: The frozen towers.
        images: Number of training images, the first of the data; None takes all.
        without: Kinds of base (the category up to its slash) that are left out of training, and are tested on
            as a data set of their own.
        wording: Which of its names the thing has at the test; None leaves the name that it was trained with.
        start: A model of ViP²-CLIP whose weights are begun with, such as ``vip2clip-lite``; with no epochs it
            is judged as it is, at other numbers or another size.
        start_seed: Seed of the weights at the start; None takes the run's. With it, seeds are orders of
            images from one start.
        mean: Trains nothing: the variant is the mean of others, and has their settings.
    """

    detector: DetectorConfig = DetectorConfig()
    backbone: BackboneConfig = BackboneConfig()
    epochs: int = Field(10, ge=0)
    batch_size: int = Field(8, ge=1)
    lr_ica: float = Field(1e-3, ge=0)
    lr_fgp: float = Field(1e-5, ge=0)
    lr: float = Field(1e-3, ge=0, description="of linear layers and heads")
    schedule: Literal["constant", "cosine"] = "constant"
    average: float = Field(0.0, ge=0, lt=1)
    loss: LossWeights = LossWeights()
    loss_size: int | None = Field(
        None, ge=8, description="side of the maps that the losses see; none is the input's, as in the paper"
    )
    images: int | None = Field(None, ge=2)
    without: tuple[str, ...] = ()
    wording: Wording | None = None
    start: str = Field("", max_length=1000)
    start_seed: int | None = None
    mean: Mean | None = None

    @property
    def training(self) -> dict[str, object]:
        """What the weights depend on, as JSON values: all but what only the test sees."""
        return self.model_dump(mode="json", exclude={"wording", "mean"})


class Vip2Study(StudyConfig):
    """A study of ViP²-CLIP.

    Attributes:
        words: By data set, then by kind of wording, what the thing is called.
    """

    words: dict[str, dict[Wording, str]] = Field({})

    def settled(self) -> dict[str, Vip2Variant]:
        """Return every variant with all its settings, by name.

        Raises:
            ConfigError: A setting is unknown or not allowed; the message names the variant.
        """
        found = {}
        for variant in self.variants:
            values = settle(self.settings, variant.settings)
            found[variant.name] = Vip2Variant.parse(values, f"variant '{variant.name}'")
        trained = [name for name, one in found.items() if one.mean is None]
        for name, one in found.items():
            for other in one.mean.of if one.mean else ():
                if other not in trained:
                    raise ConfigError(
                        f"variant '{name}': mean.of: no trained variant is called '{other}'; "
                        f"known: {', '.join(trained)}"
                    )
        return found

    def seeds_of(self, variant: VariantConfig) -> tuple[int, ...]:
        """Return a seed per run of a variant; a mean is one run."""
        return (
            self.seeds[:1] if "mean" in settle(self.settings, variant.settings) else super().seeds_of(variant)
        )


def shipped_study() -> Vip2Study:
    """Return the study that comes with the package."""
    path = packaged("ablate", "vip2clip") / SHIPPED
    return Vip2Study.parse(read_mapping(path), str(path))
