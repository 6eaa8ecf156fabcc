"""What a variant of LLaVA-RadZ is made of: settings of training, and how findings are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from zerosight.ablate.config import StudyConfig, settle
from zerosight.ablate.radz.anchors import AnchorSettings, Asking
from zerosight.config import read_mapping
from zerosight.errors import ConfigError
from zerosight.files import packaged
from zerosight.train.config import CacheConfig
from zerosight.train.radz.config import RadzTrainConfig

SHIPPED = "study.yaml"
GIVEN = ("data", "splits", "val_splits", "out", "name", "cache", "notes", "anchors", "seed")
"""Settings of training that the study gives itself, or that stay at their defaults."""


class RadzVariant(RadzTrainConfig):
    """One variant, settled: a training run by ``zerosight train radz``, and questions to its model.

    Attributes:
        epochs: 0 with ``start`` judges that model as it is.
        taught: What the anchors of training, those of DKAM, are made of; they are the package's otherwise.
        asked: How findings are asked for at the test.
    """

    epochs: int = Field(10, ge=0)
    taught: AnchorSettings = AnchorSettings()
    asked: Asking = Asking()

    @model_validator(mode="after")
    def _is_trained(self) -> RadzVariant:
        if not self.epochs and self.start is None:
            raise ValueError("epochs: a language model has to be trained first; give a start, or 1 or more")
        return self

    @property
    def training(self) -> dict[str, Any]:
        """What the weights depend on, as JSON values, beside the data and the seed."""
        left_out = {*GIVEN, "asked", "accelerator", "devices", "workers", "licence"}
        return self.model_dump(mode="json", exclude=left_out)

    def run(self, data: Sequence[str], out: Path, cache: CacheConfig, seed: int) -> RadzTrainConfig:
        """Return the settings of the training run.

        Raises:
            OutputError: The file of descriptions cannot be written.
        """
        own = self.model_dump(include=RadzTrainConfig.model_fields.keys() - {*GIVEN})
        anchors = None
        if self.taught != AnchorSettings():
            anchors = self.taught.write(out.with_suffix(".yaml"))
        note = "made by zerosight ablate radz, to be compared with others rather than to be used"
        given = {"data": tuple(data), "out": out, "name": out.name, "cache": cache, "notes": (note,)}
        return RadzTrainConfig.parse({**own, **given, "anchors": anchors, "seed": seed})


class RadzStudy(StudyConfig):
    """A study of LLaVA-RadZ.

    Attributes:
        findings: Those that are judged; none takes all that a test set can judge.
        watched: Findings whose mean is told in a column of its own, such as those that a variant keeps out
            of training.
    """

    findings: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()

    def settled(self) -> dict[str, RadzVariant]:
        """Return every variant with all its settings, by name.

        Raises:
            ConfigError: A setting is unknown or not allowed; the message names the variant.
        """
        found = {}
        for variant in self.variants:
            where = f"variant '{variant.name}'"
            values = settle(self.settings, variant.settings)
            given = next((name for name in GIVEN if name in values), None)
            if given is not None:
                raise ConfigError(f"{where}: '{given}' is given by the command or the study; leave it out")
            found[variant.name] = RadzVariant.parse({**values, "data": ("-",), "out": "-"}, where)
        return found


def shipped_study() -> RadzStudy:
    """Return the study that comes with the package."""
    path = packaged("ablate", "radz") / SHIPPED
    return RadzStudy.parse(read_mapping(path), str(path))
