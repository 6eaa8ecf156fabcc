"""The shelf: the models that a server holds, by name, each behind its pool."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zerosight.errors import ConfigError, did_you_mean
from zerosight.serve.jobs import ServeError
from zerosight.serve.metrics import Metrics
from zerosight.serve.pool import Pool, model_command
from zerosight.serve.settings import ServeSettings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LEARNT = "models"
GRACE = 30.0
Command = Callable[[str, ServeSettings], Sequence[str]]


class Shelf:
    """Models by name, the first of each kind being the one that is meant when none is named.

    Args:
        settings: Which models to begin with, and the server's folder.
        metrics: Counters.
        command: Gives the command that starts a model's process.

    Attributes:
        pools: What is served.
        learnt: Names of those that were learnt here.
        sources: The model, folder or file of each.
        grace: Seconds in which what was accepted is answered when all ends.
    """

    def __init__(self, settings: ServeSettings, metrics: Metrics, command: Command = model_command) -> None:
        self.settings, self.metrics, self._command = settings, metrics, command
        self.pools: dict[str, Pool] = {}
        self.learnt: set[str] = set()
        self.sources: dict[str, str] = {}
        self.grace = GRACE

    async def start(self) -> None:
        """Start every model that was named, and those that were learnt earlier.

        Raises:
            ConfigError: Two have one name, or a name is not allowed.
            WeightsError: One cannot be loaded.
        """
        named = models_by_name(self.settings.models)
        folder = self.settings.folder / LEARNT
        learnt = sorted(path.parent for path in folder.glob("*/card.json"))
        adding = (self.add(name, model) for name, model in named.items())
        for started in await asyncio.gather(*adding, return_exceptions=True):
            if isinstance(started, BaseException):
                raise started
        self.pools = {name: self.pools[name] for name in named}  # in the order given
        for path in learnt[: max(0, self.settings.limits.models - len(named))]:
            if path.name not in self.pools:
                await self.add(path.name, str(path.resolve()), learnt=True)

    async def add(self, name: str, model: str, *, learnt: bool = False) -> Pool:
        """Start a model and put it on the shelf; one of the same name is replaced.

        Raises:
            WeightsError: It cannot be loaded.
        """
        pool = Pool(name, self._command(model, self.settings), self.settings, self.metrics)
        await pool.start()
        before = self.pools.get(name)
        self.pools[name] = pool
        self.sources[name] = model
        if learnt:
            self.learnt.add(name)
        if before is not None:
            await before.stop()
        return pool

    def find(self, name: str | None, kind: str | None = None) -> Pool:
        """Return a model.

        Args:
            name: None takes the first of its kind.
            kind: ``anomalies`` or ``findings``; None takes any.

        Raises:
            ServeError: There is none (404), or it is of another kind (400).
        """
        if name is None:
            fitting = (pool for pool in self.pools.values() if kind in (None, pool.facts["kind"]))
            pool = next(fitting, None)
            if pool is None:
                raise ServeError(f"no model for {kind} is served here; start one with --model", 404)
            return pool
        pool = self.pools.get(name)
        if pool is None:
            raise ServeError(
                f"no model is called '{name[:60]}'{did_you_mean(name[:60], self.pools)}; "
                f"served: {', '.join(self.pools)}",
                404,
            )
        if kind is not None and pool.facts["kind"] != kind:
            raise ServeError(f"'{name}' is a model of {pool.facts['kind']}, not of {kind}")
        return pool

    def check_new(self, name: str) -> None:
        """Refuse a name for a new model.

        Raises:
            ServeError: A model that was not learnt here has it, or there are too many models.
        """
        if name in self.pools and name not in self.learnt:
            raise ServeError(f"'{name}' is a model that was not learnt here; choose another name", 409)
        if name not in self.pools and len(self.pools) >= self.settings.limits.models:
            raise ServeError(f"{len(self.pools)} models are served already; forget one first", 409)

    async def remove(self, name: str) -> None:
        """Take a model off the shelf."""
        pool = self.pools.pop(name)
        self.learnt.discard(name)
        await pool.stop()

    @property
    def ready(self) -> bool:
        """Whether every model has a process at work."""
        return bool(self.pools) and all(pool.ready for pool in self.pools.values())

    def facts(self) -> list[dict[str, Any]]:
        """Return what the server tells of its models."""
        return [
            {
                "name": name,
                "kind": pool.facts["kind"],
                "ready": pool.ready,
                "learnt": name in self.learnt,
                "card": {key: value for key, value in pool.facts.items() if key != "kind"},
            }
            for name, pool in self.pools.items()
        ]

    async def stop(self) -> None:
        """Answer what was accepted, and end all processes."""
        await asyncio.gather(*(pool.stop(self.grace) for pool in self.pools.values()))


def models_by_name(words: Sequence[str]) -> dict[str, str]:
    """Return the models of ``--model`` by name; files and folders of this machine with their whole path.

    Raises:
        ConfigError: Two have one name, or a name is not allowed.
    """
    found: dict[str, str] = {}
    for name, model in map(name_and_model, words):
        if name in found:
            raise ConfigError(f"models: two are called '{name}'; name one of them NAME=MODEL")
        found[name] = str(Path(model).expanduser().resolve()) if Path(model).exists() else model
    return found


def name_and_model(word: str) -> tuple[str, str]:
    """Return the name and the model in ``NAME=MODEL``, or a name made of the model.

    Raises:
        ConfigError: The name has characters that no name may have.

    >>> name_and_model("vip2clip-lite"), name_and_model("screws=/models/a.onnx"), name_and_model("b.onnx")
    (('vip2clip-lite', 'vip2clip-lite'), ('screws', '/models/a.onnx'), ('b', 'b.onnx'))
    """
    name, equals, model = word.partition("=")
    if not equals or not NAME.fullmatch(name):
        model = word
        path = Path(word)
        name = path.stem if path.suffix in (".onnx", ".xml") else path.name
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"model: '{name}' is no name for a model; write NAME=MODEL, of letters, digits, . _ -"
        )
    return name, model
