"""The protocol of ViP²-CLIP: train on one data set's test split, evaluate on every other one.

A folder holds::

    data/AUX.jsonl            the manifest a model was trained on
    models/AUX/               its run folder
    results/AUX/TEST/         its evaluation on one data set
    protocol.json, .md        the tables

What is finished is not done again, and what was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from lightning.pytorch import Callback
from pydantic import Field

import zerosight
from zerosight.config import Config, read_mapping
from zerosight.data.manifest import Dataset, Manifest, fingerprint, write_manifest
from zerosight.errors import ConfigError
from zerosight.evaluate.anomalies import Evaluation, EvaluationConfig, ResumePolicy, evaluate, model_facts
from zerosight.evaluate.anomalies.output import write_outputs
from zerosight.evaluate.output import JSON
from zerosight.files import write_atomically
from zerosight.guarded.json import read_json
from zerosight.models.card import CARD
from zerosight.models.catalog import load_card
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.predict.anomalies import Predictor
from zerosight.protocol.tables import ProtocolTables, make_tables
from zerosight.train.config import CONFIG
from zerosight.train.run_folder import DATA, FREE_TO_CHANGE, trained_on_same_data
from zerosight.train.vip2clip.config import TrainConfig
from zerosight.train.vip2clip.run import train


class ProtocolConfig(Config):
    """Settings of ``zerosight protocol vip2clip``; the defaults are the paper's."""

    out: Path = Field(description="folder for models, results and tables")
    training: dict[str, Any] = Field({}, description="any setting of a training run")
    evaluation: EvaluationConfig = EvaluationConfig(aupro="published")
    device: str = Field("cpu", description="auto, cpu, cuda or cuda:1")
    every_pair: bool = Field(False, description="evaluate every model on every other set")


class Pair(NamedTuple):
    """A model and what it is tested on, by the names of the data sets."""

    auxiliary: str
    test: str


@runtime_checkable
class Watch(Protocol):
    """What wants to know how far the work is."""

    def training(self, name: str) -> AbstractContextManager[Callback]:
        """Return a context that gives a callback for the trainer."""

    def evaluating(self, pair: Pair, done: int, total: int) -> None:
        """Take the numbers of rows done and of all rows of one evaluation."""


@dataclass(frozen=True, slots=True)
class ProtocolData:
    """The data sets by their names.

    Attributes:
        auxiliary: To train on, in the order of preference.
        tests: To evaluate on.
    """

    auxiliary: Mapping[str, Dataset]
    tests: Mapping[str, Dataset]

    @classmethod
    def of(cls, auxiliary: Sequence[Dataset], tests: Sequence[Dataset]) -> ProtocolData:
        """Return the data sets by name; auxiliary ones are tests as well.

        Raises:
            ConfigError: There is nothing to train on, nothing to test on, or one name twice.
        """
        found = cls(_by_name(auxiliary), _by_name(tests))
        found = cls(found.auxiliary, {**found.auxiliary, **found.tests})
        if not found.auxiliary or len(found.tests) < 2:
            raise ConfigError(
                "the protocol needs an auxiliary set and another one to test on; give --aux and --test"
            )
        return found

    def pairs(self, every: bool) -> list[Pair]:
        """Return what is evaluated: each test by the first auxiliary set that is not itself, or by all."""
        chosen = []
        for test in self.tests:
            others = [name for name in self.auxiliary if name != test]
            chosen += [Pair(name, test) for name in (others if every else others[:1])]
        return chosen


def run_protocol(data: ProtocolData, config: ProtocolConfig, watch: Watch) -> ProtocolTables:
    """Return the paper's two tables, after training and evaluating what they lack.

    Raises:
        ZerosightError: A data set, model or folder cannot be used; what is finished is kept.
    """
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    pairs = data.pairs(config.every_pair)
    for auxiliary in data.auxiliary:
        tests = [pair for pair in pairs if pair.auxiliary == auxiliary]
        if not tests:
            continue
        model = _Model(_train(auxiliary, data.auxiliary[auxiliary], config, watch), config)
        for pair in tests:
            found[pair] = _evaluate(model, pair, data.tests[pair.test], config, watch)
    tables = make_tables(found)
    write_atomically(config.out / "protocol.json", json.dumps(tables.to_json(), indent=1).encode() + b"\n")
    write_atomically(config.out / "protocol.md", tables.to_markdown().encode())
    return tables


def _train(name: str, dataset: Dataset, config: ProtocolConfig, watch: Watch) -> Path:
    """Return the model folder of an auxiliary set, trained unless it is."""
    folder = config.out / "models" / name
    accelerator = config.device if config.device in ("auto", "cpu") else "gpu"  # Lightning's names
    values = {"name": f"vip2clip-{name}", "splits": ("test",), "accelerator": accelerator} | config.training
    manifest = dataset.path if isinstance(dataset, Manifest) else config.out / "data" / f"{name}.jsonl"
    wanted = TrainConfig.parse(values | {"data": (manifest,), "out": folder}, "training")
    if not isinstance(dataset, Manifest):
        write_manifest(manifest, dataset.header, dataset.records())
    if (folder / CARD).exists():
        _check_same(wanted, folder)
        return folder
    with watch.training(name) as callback:
        train(wanted, resume=True, callbacks=(callback,))
    return folder


def _check_same(wanted: TrainConfig, folder: Path) -> None:
    """Refuse a finished model that was trained in another way."""
    before, now = read_mapping(folder / CONFIG), wanted.model_dump(mode="json")
    for key in now.keys() - FREE_TO_CHANGE - {"data"}:
        if before.get(key) != now[key]:
            raise ConfigError(
                f"{folder}: was trained with another {key} ({before.get(key)!r}, now {now[key]!r}); "
                "use the same, or another --out"
            )
    if not trained_on_same_data(folder, wanted):
        raise ConfigError(f"{folder}: was trained on other rows or files; use the same, or another --out")


class _Model:
    """A trained model that is loaded when the first evaluation needs it."""

    def __init__(self, folder: Path, config: ProtocolConfig) -> None:
        self.folder, self.config = folder, config
        self.facts = model_facts(load_card(folder, Vip2ClipCard))

    @cached_property
    def predictor(self) -> Predictor:
        """The model, ready to predict."""
        return zerosight.load(self.folder, self.config.device, self.config.evaluation.batch_size)


def _evaluate(
    model: _Model, pair: Pair, dataset: Dataset, config: ProtocolConfig, watch: Watch
) -> Mapping[str, Any]:
    """Return the mean row of an evaluation as JSON values, evaluated unless it is."""
    folder = config.out / "results" / pair.auxiliary / pair.test
    settings = config.evaluation.shown()
    data = fingerprint(dataset, config.evaluation.splits)
    done = _finished(folder / JSON)
    same = done is not None and (done["model"], done["settings"]) == (model.facts, settings)
    if done is None or not same or not _holds(folder / DATA, data):
        result = evaluate(
            model.predictor,
            dataset,
            config.evaluation,
            ResumePolicy(folder, resume=True),
            lambda finished, total: watch.evaluating(pair, finished, total),
        )
        evaluation = Evaluation(model.facts, settings, (result,))
        write_outputs(folder, evaluation, [dataset], model.predictor)
        write_atomically(folder / DATA, data.encode())
        done = evaluation.to_json()
    mean: Mapping[str, Any] = done["datasets"][0]["mean"]
    return mean


def _holds(path: Path, text: str) -> bool:
    """Return whether a file is there and holds this text."""
    return path.is_file() and path.read_text(encoding="utf-8", errors="replace").strip() == text


def _finished(path: Path) -> dict[str, Any] | None:
    """Return the evaluation that a file holds, None if it holds none."""
    try:
        values = read_json(path)
        return values if values["schema"] == 1 and values["datasets"][0]["mean"] else None
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None


def _by_name(datasets: Sequence[Dataset]) -> dict[str, Dataset]:
    found: dict[str, Dataset] = {}
    for dataset in datasets:
        name = dataset.header.name
        if name in found:
            raise ConfigError(f"{name}: is given twice; the protocol tells data sets apart by name")
        found[name] = dataset
    return found
