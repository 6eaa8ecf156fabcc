"""The way to a Ray cluster: reached or not, large enough or not, with our package or not."""

from __future__ import annotations

import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import zerosight
from zerosight.errors import ConfigError, ZerosightError, one_line
from zerosight.runtimes.packages import require
from zerosight.scale.work import Facts, Job, facts_of

OLDEST, NEWEST = (2, 60), (2, 64)
"""Versions of Ray that will do: from the first on, below the second."""
SHARE = 0.77
"""Of the processors for scoring; no whole number of such shares fills a machine, so some of each is left."""
_PATIENCE = 5.0  # seconds for an address to answer
_STILLBORN = ("Starting Ray client server failed", "ZombieProcess")
"""What Ray says when the process that it forks for a new client dies at once (its issue 63202)."""
_BIRTHS = 4  # one in a dozen dies


class ClusterError(ZerosightError):
    """A Ray cluster cannot be reached, or cannot do the work."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the work is spread.

    Attributes:
        workers: Models in the cluster.
        cpus: Processors of each.
        gpus: GPUs of each, a fraction if several share one.
        readers: Tasks at a time that read and decode images.
    """

    workers: int
    cpus: float
    gpus: float
    readers: int


@contextmanager
def connected(address: str) -> Iterator[ModuleType]:
    """Connect to a cluster, and leave it in the end; one that was started here ends then.

    Args:
        address: ``ray`` is the cluster that ``RAY_ADDRESS`` names, or one that runs on this machine, or a new
            one on this machine alone; ``ray://HOST:PORT`` is another machine's, at the port of its clients.

    Raises:
        ConfigError: It is no such address.
        MissingExtraError: Ray is not installed.
        ClusterError: The cluster cannot be reached, or Ray is of another version here or there.
    """
    if address != "ray" and not urlsplit(address).netloc:
        raise ConfigError(f"--on: is ray, or ray://HOST:PORT, got {one_line(address, 60)!r}")
    ray = require("ray", "ray")
    require("ray.data", "ray")
    _check_version(ray.__version__)
    where = address if address != "ray" else os.environ.get("RAY_ADDRESS") or None
    _knock(where)
    own = ray.is_initialized()
    if not own:
        _init(ray, where)
    try:
        yield ray
    finally:
        if not own:
            ray.shutdown()


def _init(ray: ModuleType, where: str | None, births: int = _BIRTHS) -> None:
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if where is None:
        quiet["include_dashboard"] = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray's own, about itself
            ray.init(where, **quiet)
    except Exception as error:  # of a client: whatever the other side has raised
        ray.shutdown()  # or else Ray takes the next connection, too, for a client's
        if births > 1 and any(one in str(error) for one in _STILLBORN):
            return _init(ray, where, births - 1)
        python = ".".join(map(str, sys.version_info[:2]))
        raise ClusterError(
            f"--on: the Ray cluster at {where or 'this machine'} does not take us in ({reason_of(error)}); "
            f"it needs Ray {ray.__version__} and Python {python}, as here"
        ) from None


def _check_version(version: str) -> None:
    """Refuse a Ray that is too old or too new.

    Raises:
        ClusterError: It is.
    """
    found = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if not OLDEST <= found < NEWEST:
        raise ClusterError(
            f"Ray {version}: is not from {OLDEST[0]}.{OLDEST[1]} on, below {NEWEST[0]}.{NEWEST[1]}; "
            "run: pip install 'zerosight[ray]'"
        )


def _knock(address: str | None) -> None:
    """Refuse an address where nobody answers, which Ray itself takes two minutes to tell.

    Raises:
        ClusterError: Nobody does.
    """
    if address in (None, "auto", "local"):
        return
    try:
        parts = urlsplit(address if "://" in str(address) else f"ray://{address}")
        port = parts.port or 10_001
        socket.create_connection((parts.hostname or "", port), _PATIENCE).close()
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"--on: nobody answers at {one_line(str(address), 80)} ({reason_of(error)}); "
            "check the address, and that the cluster runs"
        ) from None


def facts_there(ray: ModuleType, job: Job, gpus: float) -> Facts:
    """Return what is to be known of a job's model, after it was loaded once in the cluster.

    Raises:
        ClusterError: The cluster has no zerosight, or another version.
        ZerosightError: The model cannot be loaded there, as it says.
    """
    ask = ray.remote(num_cpus=min(1.0, SHARE), num_gpus=gpus, max_calls=1, max_retries=1)(facts_of)
    try:
        found = ray.get(ask.remote(job))
    except Exception as error:  # of a worker: whatever kept it from starting
        said = str(error)
        if "No module named 'zerosight" in said or "has no attribute 'facts_of'" in said:
            raise ClusterError(
                "--on: the cluster has no zerosight, or an older one; "
                f"install zerosight=={zerosight.__version__} on its machines"
            ) from None
        raise ClusterError(
            f"--on: the cluster could not load the model ({reason_of(error)}); see Ray's logs"
        ) from None
    if found.stop:
        raise ClusterError(f"--on: on a machine of the cluster: {found.stop}")
    if found.version != zerosight.__version__:
        raise ClusterError(
            f"--on: the cluster has zerosight {found.version}, here is {zerosight.__version__}; "
            "install the same on all machines"
        )
    return found


def plan(ray: ModuleType, device: str, workers: int | None, gpus: float | None) -> Plan:
    """Return how to spread the work over a cluster.

    Args:
        ray: The connected package.
        device: Where models run, as it was asked for.
        workers: Models in the cluster; None takes as many as there is room for.
        gpus: GPUs of each, a fraction if several share one; None takes one where there are any.

    Raises:
        ConfigError: The cluster has no room for that.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus, cards = ([int(node.get(name, 0)) for node in nodes] for name in ("CPU", "GPU"))
    share = float(sum(cards) > 0 and device not in ("cpu", "mps")) if gpus is None else gpus
    most = _room(cards, share) if share else sum(cpus)
    if most < 1:
        kind = f"{share:g} GPUs of one machine" if share else "a processor"
        raise ConfigError(
            f"--on: the cluster has {sum(cards)} GPUs and {sum(cpus)} processors, a model takes {kind}"
        )
    if workers is not None and workers > most:
        raise ConfigError(f"--workers: the cluster has room for {most}, got {workers}")
    count = workers or most
    # The largest part of a machine of which there is room for all.
    parts = {SHARE * one / many for one in set(cpus) - {0} for many in range(1, count + 1)}
    each = max((part for part in parts if _room(cpus, part) >= count), default=0.0)
    return Plan(count, min(1.0, each) if share else each, share, max(1, sum(cpus) // 2))


def _room(machines: list[int], each: float) -> int:
    """Return how many models find room, each on one machine.

    >>> _room([2, 1], 1.0), _room([2, 1], 0.5), _room([1, 1], 1.54)
    (3, 6, 0)
    """
    return sum(int(one / each + 1e-6) for one in machines)


def reason_of(error: BaseException) -> str:
    """Return the last thing that an error says, in short."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return one_line(lines[-1] if lines else type(error).__name__, 160)
