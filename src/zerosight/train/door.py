"""Training from Python, as short as from the command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from zerosight.backbones.config import parse_backbone
from zerosight.models.card import Card
from zerosight.models.llava_radz.card import RadzCard
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.train.config import CONFIG

C = TypeVar("C", bound=Card)


@dataclass(frozen=True, slots=True)
class Trained(Generic[C]):
    """A finished training run.

    Attributes:
        folder: The run folder, which is a model: give it to :func:`zerosight.load`.
        card: What is to be known of the model: thresholds, measured quality, provenance.
    """

    folder: Path
    card: C


def train(
    data: str | Path | Iterable[str | Path], out: str | Path, *, resume: bool = False, **settings: Any
) -> Trained[Vip2ClipCard]:
    """Train ViP²-CLIP's adapters to find anomalies, as ``zerosight train vip2clip`` does.

    Args:
        data: ``LAYOUT:ROOT``, folders or manifests, one or many.
        out: The run folder.
        resume: Go on from the last checkpoint as if never stopped; settings that are not given are the run's.
        settings: Of :class:`~zerosight.train.vip2clip.config.TrainConfig`, such as ``epochs=2``. ``backbone``
            may be a short name such as ``"tiny"`` or ``"ViT-B-16@openai"``, ``cache`` a folder.

    Raises:
        ConfigError: A setting is unknown or not allowed, or is not the run's that is resumed.
        DataError: The data are not usable.
        OutputError: The run folder holds another run and ``resume`` is off, or cannot be written.
    """
    from zerosight.train.vip2clip.config import TrainConfig
    from zerosight.train.vip2clip.run import train as run

    if isinstance(backbone := settings.get("backbone"), str):
        settings["backbone"] = parse_backbone(backbone).model_dump()
    config = TrainConfig.load(_file(out, resume), **_values(data, out, settings))
    return Trained(config.out, run(config, resume))


def train_findings(
    data: str | Path | Iterable[str | Path], out: str | Path, *, resume: bool = False, **settings: Any
) -> Trained[RadzCard]:
    """Train LLaVA-RadZ to recognise findings in chest X-rays, as ``zerosight train radz`` does; for research.

    Args:
        data: ``LAYOUT:ROOT`` or manifests of images with reports or labels, one or many.
        out: The run folder.
        resume: As for :func:`train`.
        settings: Of :class:`~zerosight.train.radz.config.RadzTrainConfig`, such as ``start="radz-tiny"``.
            ``mllm`` may be the name of a language model, ``cache`` a folder.

    Raises:
        ZerosightError: As :func:`train`; or the model to begin with is not to be had.
    """
    from zerosight.train.radz.config import RadzTrainConfig
    from zerosight.train.radz.run import train_radz

    if isinstance(settings.get("mllm"), str):
        settings["mllm"] = {"model": settings["mllm"]}
    config = RadzTrainConfig.load(_file(out, resume), **_values(data, out, settings))
    return Trained(config.out, train_radz(config, resume))


def _values(
    data: str | Path | Iterable[str | Path], out: str | Path, settings: dict[str, Any]
) -> dict[str, Any]:
    """Return all settings as a configuration takes them."""
    files = [data] if isinstance(data, str | Path) else list(data)
    cache = settings.get("cache")
    named = {"cache": {"folder": Path(cache)}} if isinstance(cache, str | Path) else {}
    return settings | named | {"data": [str(file) for file in files], "out": Path(out)}


def _file(out: str | Path, resume: bool) -> Path | None:
    """Return the settings of the run that is resumed."""
    path = Path(out) / CONFIG
    return path if resume and path.is_file() else None
