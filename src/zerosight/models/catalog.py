"""Which models there are: one record per architecture, the models that come with the package, any folder.

A record says what a model finds and where its card and its loader are. Everything that depends on the
architecture goes through it, so that one more model is a folder and a line of :data:`BUILT_IN`, or a package
that registers its record as a plug-in (see :mod:`zerosight.plugins`).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, TypeVar

from zerosight.backbones.config import is_tower
from zerosight.errors import OutputError, WeightsError, did_you_mean, one_line
from zerosight.files import packaged
from zerosight.models.card import CARD, WEIGHTS, Card, read_card, save_card
from zerosight.models.hub import fetch, is_on_hub
from zerosight.plugins import MODELS, folders, plug_ins, radz_tiny

C = TypeVar("C", bound=Card)


@dataclass(frozen=True, slots=True)
class Task:
    """What models find, and how the commands treat those that find it.

    Functions are named as ``module:name`` and imported when they are used, as they lie above the models.

    Attributes:
        name: Such as ``"anomalies"``.
        door: The function of the library that opens such a model, as a person calls it.
        predict: How ``zerosight predict`` uses it: a function of its ``PredictOptions``.
        evaluate: How ``zerosight evaluate`` does: a function of its ``EvaluateOptions``.
        calibrate: How ``zerosight calibrate`` does: a function of its ``CalibrateOptions``.
    """

    name: str
    door: str
    predict: str
    evaluate: str
    calibrate: str


ANOMALIES = Task(
    "anomalies",
    "zerosight.load",
    predict="zerosight.cli.predict_anomalies:predict_anomalies",
    evaluate="zerosight.cli.evaluate_anomalies:evaluate_anomalies",
    calibrate="zerosight.cli.calibrate_anomalies:calibrate_anomalies",
)
FINDINGS = Task(
    "findings",
    "zerosight.load_findings",
    predict="zerosight.cli.predict_findings:predict_findings",
    evaluate="zerosight.cli.evaluate_findings:evaluate_findings",
    calibrate="zerosight.cli.calibrate_findings:calibrate_findings",
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """All that the rest of the house knows of a kind of model.

    Attributes:
        name: As model cards say it.
        task: What its models find.
        card: ``module:Class`` of its card; of anomalies, an :class:`~zerosight.models.card.AnomalyCard`.
        load: ``module:function`` that opens a model of it. For anomalies: from a name, a device, a precision
            and whether to compile, to a scorer and its card. For findings: from a name and a device to what
            :class:`~zerosight.predict.findings.FindingPredictor` takes.
        files: Files of weights in a model folder, beside the card.
        optional: Further files that belong to them, where there are any.
    """

    name: str
    task: Task
    card: str
    load: str
    files: tuple[str, ...] = (WEIGHTS,)
    optional: tuple[str, ...] = ()

    def files_in(self, folder: Path) -> list[str]:
        """Return the files of a model that are in its folder, beside the card."""
        return [name for name in (*self.files, *self.optional) if (folder / name).is_file()]

    def open(self, name: str | Path, device: str = "cpu", **options: Any) -> Any:
        """Return what ``load`` makes of a model.

        Raises:
            WeightsError: There is no such model, or its weights are damaged.
        """
        return resolve_name(self.load)(name, device, **options)

    def load_card(self, folder: Path) -> Card:
        """Return the card of a model folder of this architecture.

        Raises:
            WeightsError: As :func:`load_card`.
            ConfigError: A key or value of the card is not valid.
        """
        return load_card(folder, resolve_name(self.card))


BUILT_IN = (
    Architecture(
        "vip2clip",
        ANOMALIES,
        card="zerosight.models.vip2clip.card:Vip2ClipCard",
        load="zerosight.models.vip2clip.scorer:load_scorer",
        optional=("familiarity.safetensors",),
    ),
    Architecture(
        "llava-radz",
        FINDINGS,
        card="zerosight.models.llava_radz.card:RadzCard",
        load="zerosight.models.llava_radz.folder:load_model",
        files=(WEIGHTS, "adapter.safetensors"),
        optional=("familiarity.safetensors",),
    ),
    Architecture(
        "references",
        ANOMALIES,
        card="zerosight.models.references.card:ReferencesCard",
        load="zerosight.models.references.scorer:load_scorer",
    ),
    Architecture(
        "baseline",
        ANOMALIES,
        card="zerosight.models.baselines.card:BaselineCard",
        load="zerosight.models.baselines.scorer:load_scorer",
    ),
)
TOWER = Architecture(
    "tower",
    ANOMALIES,
    card="zerosight.models.references.card:TowerCard",
    load="zerosight.models.references.wordless:load_scorer",
)
"""An image tower alone: named as a backbone, in no folder; with normal images it becomes references."""


PEER = Architecture(
    "dual-encoder",
    FINDINGS,
    card="zerosight.models.peers.card:PeerCard",
    load="zerosight.models.peers.load:load_peer",
    files=(),
)
"""Dual encoders of other libraries, which have a name and no folder of ours."""
PEERS = ("openclip:", "hf:")
CLASSIFIER = Architecture(
    "classifier",
    FINDINGS,
    card="zerosight.models.peers.classifier:ClassifierCard",
    load="zerosight.models.peers.classifier:load_classifier",
    files=(),
)
"""Classifiers with fixed labels of torchxrayvision, likewise."""
CLASSIFIERS = "xrv:"


def architectures() -> dict[str, Architecture]:
    """Return all architectures by name: those of plug-ins, and over them those of the package."""
    added = plug_ins(MODELS, lambda found: isinstance(found, Architecture), "an Architecture")
    return {one.name: one for one in (*added.values(), *BUILT_IN)}


def is_peer(name: str | Path) -> bool:
    """Return whether a name is that of another library's model: ``openclip:NAME``, ``hf:ID``, ``xrv:NAME``.

    >>> is_peer("openclip:ViT-B-16@openai"), is_peer("hf://me/radz"), is_peer("radz-tiny")
    (True, False, False)
    """
    return str(name).startswith((*PEERS, CLASSIFIERS)) and not is_on_hub(name)


def architecture_of(name: str | Path) -> Architecture:
    """Return the architecture that a model's card names.

    Raises:
        WeightsError: There is no such model, its card is damaged, or no such architecture is known.
    """
    if is_tower(name):
        return TOWER
    if is_peer(name):
        return CLASSIFIER if str(name).startswith(CLASSIFIERS) else PEER
    folder = find_model(name)
    known = architectures()
    architecture = str(read_card(folder).get("architecture", "vip2clip"))
    if architecture not in known:
        raise WeightsError(
            f"{folder}: holds a '{one_line(architecture, 60)}'; known: {', '.join(known)}; "
            "install the package that adds it, or a newer zerosight"
        )
    return known[architecture]


def task_of(name: str | Path) -> Task:
    """Return what a model finds; exported graphs, which are files, find anomalies.

    Raises:
        WeightsError: As :func:`architecture_of`.
    """
    return ANOMALIES if Path(name).is_file() else architecture_of(name).task


def open_model(name: str | Path, task: Task, device: str = "cpu", **options: Any) -> Any:
    """Return what the loader of a model's architecture makes of it.

    Args:
        name: A shipped model's name or a model folder.
        task: What the model is to find.
        device: As for :func:`zerosight.weights.usable_device`.
        options: Further arguments of the architecture's ``load``.

    Raises:
        WeightsError: There is no such model, its weights are damaged, or it finds something else.
    """
    architecture = architecture_of(name)
    if architecture.task != task:
        where = name if is_peer(name) else find_model(name)
        raise WeightsError(
            f"{where}: holds a '{architecture.name}', which finds {architecture.task.name}, "
            f"not {task.name}; use {architecture.task.door}"
        )
    if device == "auto":  # known here, so that no architecture need know the word
        from zerosight.weights import usable_device

        device = str(usable_device(device))
    return architecture.open(name, device, **options)


def card_of(name: str | Path) -> Card:
    """Return the card of a model of any architecture.

    Raises:
        WeightsError: As :func:`architecture_of`.
        ConfigError: A key or value of the card is not valid.
    """
    return architecture_of(name).load_card(find_model(name))


def load_card(folder: Path, kind: type[C]) -> C:
    """Return the card of a model folder.

    Args:
        folder: A model folder.
        kind: The architecture's card.

    Raises:
        WeightsError: The folder has no card, one that cannot be read, or one of another architecture.
        ConfigError: A key or value of the card is not valid.
    """
    values = read_card(folder)
    expected = kind.model_fields["architecture"].default
    found = str(values.get("architecture", expected))
    if found != expected:
        other = architectures().get(found)
        door = other.task.door if other else "a newer zerosight"
        raise WeightsError(f"{folder}: holds a '{one_line(found, 60)}', not a '{expected}'; use {door}")
    return kind.parse(values, str(folder / CARD))


def copy_model(name: str | Path, card: Card, folder: Path) -> None:
    """Write a model folder with the weights of another and a card of its own; the card comes last.

    Args:
        name: A shipped model's name or a model folder.
        card: The new card, of the same architecture.
        folder: Another folder than the model's own.

    Raises:
        WeightsError: There is no such model, or its weights are not there.
        OutputError: The folder cannot be written, or is the model's own.
    """
    source, architecture = find_model(name), architecture_of(name)
    for file in architecture.files:
        if not (source / file).is_file():
            raise WeightsError(f"{source / file}: no such file")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.samefile(source):
            raise OutputError(f"{folder}: is the model's own folder; name another one")
        for file in architecture.files_in(source):
            shutil.copyfile(source / file, folder / file)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None
    save_card(card, folder)


def find_model(name: str | Path) -> Path:
    """Return the folder of a model.

    Args:
        name: A shipped model's name, a folder, or ``hf://OWNER/NAME[@REVISION]``.

    Raises:
        WeightsError: No shipped model and no folder has this name, the package that it comes with is not
            installed, or the hub does not give it.
    """
    if is_tower(name):
        tower = one_line(str(name), 120)
        raise WeightsError(
            f"{tower}: is an image tower alone, no model yet; first: zerosight fit GOOD_IMAGES "
            f"--backbone {tower} --out my-model"
        )
    if is_on_hub(name):
        return fetch(str(name))
    if is_peer(name):
        raise WeightsError(f"{name}: is another library's, and has no folder to copy, to push or to train on")
    shipped = shipped_models()
    if str(name) in shipped:
        return shipped[str(name)]
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if str(name) == "radz-tiny":
        radz_tiny("the model 'radz-tiny'")
    raise WeightsError(
        f"no model or model folder is called '{name}'{did_you_mean(str(name), shipped)}; "
        f"shipped: {', '.join(shipped) or 'none'}"
    )


def shipped_models() -> dict[str, Path]:
    """Return the folders of the models that come with this package or with one that adds to it, by name."""
    places = (*folders().values(), packaged("models", "shipped"))
    cards = [card for place in places for card in sorted(place.glob(f"*/{CARD}"))]
    return {card.parent.name: card.parent for card in cards}
