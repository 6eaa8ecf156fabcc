"""Deployment: the server of ``zerosight serve`` as replicas in a Ray cluster, behind Ray Serve's one address.

Every replica is the whole app: guard, pages, API, and the queue that joins images of many clients into
batches before its own model's processes. So that no client sees a difference, replicas keep nothing and have
the same weights. Ray Serve hands requests to the one of two with fewer in hand, starts lost ones again, and
adds and removes some where that is asked for.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

from zerosight.errors import ConfigError, WeightsError
from zerosight.identity import scratch_folder
from zerosight.runtimes.packages import require
from zerosight.scale.cluster import ClusterError, connected, facts_there, plan, reason_of
from zerosight.scale.work import Opened
from zerosight.serve.app import create_server
from zerosight.serve.pool import model_settings
from zerosight.serve.settings import ServeSettings, check_settings
from zerosight.serve.shelf import GRACE, models_by_name
from zerosight.serve.worker import load_work

NAME = "zerosight"
"""Of the application and its deployment, as Ray Serve shows them."""
_FAIR = {"RAY_SERVE_PROXY_PREFER_LOCAL_NODE_ROUTING": "0"}
"""The door is on one machine, and would send all requests to the replica there."""
_PAUSE = 0.5  # seconds between looks at what Ray Serve says
_FOREIGN = "Ray Serve runs in this cluster already; end it (serve shutdown), or deploy there by its own file"
Tell = Callable[[str], object]
Known = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many there are: always as many, or by load between two numbers."""

    least: int
    most: int

    @staticmethod
    def parse(text: str) -> Replicas:
        """Return what ``N`` or ``MIN:MAX`` says.

        Raises:
            ConfigError: It is neither, or has no room for anyone.

        >>> Replicas.parse("2"), Replicas.parse("1:4")
        (Replicas(least=2, most=2), Replicas(least=1, most=4))
        """
        words = text.split(":")
        if len(words) > 2 or not all(word.isascii() and word.isdigit() for word in words):
            raise ConfigError(f"--replicas: is a number, or MIN:MAX, got {text[:40]!r}")
        least, most = int(words[0]), int(words[-1])
        if not 1 <= least <= most:
            raise ConfigError(f"--replicas: is at least 1, and MIN is not above MAX, got {text[:40]!r}")
        return Replicas(least, most)


@dataclass(frozen=True, slots=True)
class ServeJob:
    """A model as a replica serves it, to be loaded once where the cluster is, to be known."""

    model: str
    settings: ServeSettings

    def open(self) -> Opened:
        """Load the model."""
        work = load_work(model_settings(self.model, self.settings))
        return Opened(None, None, work.facts, False)


class Replica:
    """One of the servers; ready when its models are. It removes what killed ones left on its machine.

    Args:
        settings: What it is told.
        known: What is known of the models, by name; other weights are refused. Empty knows nothing.
    """

    async def __init__(self, settings: ServeSettings, known: Known) -> None:  # type: ignore[misc]
        serve = require("ray.serve", "ray")
        self.kept = ExitStack()
        folder = self.kept.enter_context(scratch_folder(Path(tempfile.gettempdir()), "zerosight-serve"))
        name = serve.get_replica_context().replica_tag
        settings = settings.model_copy(update={"folder": folder, "replica": name})
        self.server = create_server(settings)
        self.running = self.server.api.router.lifespan_context(self.server.api)
        await self.running.__aenter__()
        for name, facts in known.items():
            if self.server.shelf.pools[name].facts != facts:
                raise WeightsError(f"{name}: the machines of the cluster have different models of this name")

    def __serve_build_asgi_app__(self) -> Callable[..., Any]:
        """Return what answers requests, and ends when it is told to."""

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                await self.server.app(scope, receive, send)
                return
            await receive()  # to begin: the models run already
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.running.__aexit__(None, None, None)
            self.kept.close()
            await send({"type": "lifespan.shutdown.complete"})

        return answer

    def check_health(self) -> None:
        """Tell Ray Serve that this replica is of no use, where its models do not come back.

        Raises:
            WeightsError: One does not run now; three times in half a minute, and the replica is replaced.
        """
        if not self.server.shelf.ready:
            raise WeightsError("a model does not run")


def app(args: dict[str, Any]) -> Any:
    """Return the application of a file of Ray Serve's, where it is called ``zerosight.scale.deploy:app``.

    Args:
        args: Of :class:`~zerosight.serve.settings.ServeSettings`. The host is 0.0.0.0 unless it is told, the
            token that of ``ZEROSIGHT_TOKEN``.

    Raises:
        ConfigError: A setting is unknown, or means nothing to a replica, or the server would stand open.
    """
    everyone = "0.0.0.0"  # nosec B104
    given = {"host": everyone, "token": os.environ.get("ZEROSIGHT_TOKEN")}  # so that a token is asked for
    settings = ServeSettings.parse(given | args, "args")
    check(settings)
    return application(settings, {}, Replicas(1, 1), {})


def check(settings: ServeSettings) -> None:
    """Refuse what replicas cannot do.

    Raises:
        ConfigError: It was asked for, or the server would stand open to the network.
    """
    check_settings(settings)
    asked = {"--keep": settings.keep, "--watch": settings.watch, "--webhook": settings.webhook}
    for option in (name for name, value in asked.items() if value):
        raise ConfigError(f"{option}: replicas share no folder and keep nothing; leave it or --on out")


def application(settings: ServeSettings, known: Known, replicas: Replicas, actor: dict[str, Any]) -> Any:
    """Return what Ray Serve runs.

    Args:
        settings: What every replica is told.
        known: As of :class:`Replica`.
        replicas: How many.
        actor: Processors and GPUs of each, as Ray calls them.
    """
    serve = require("ray.serve", "ray")
    batching = settings.batching
    how: dict[str, Any] = {"num_replicas": replicas.least}
    if replicas.most > replicas.least:
        wanted = batching.size * batching.processes  # a full batch for each process
        how = {
            "autoscaling_config": {
                "min_replicas": replicas.least,
                "max_replicas": replicas.most,
                "target_ongoing_requests": wanted,
            }
        }
    deployed = serve.deployment(
        name=NAME,
        max_ongoing_requests=settings.limits.queue,  # the app has a queue and says itself when it is full
        graceful_shutdown_timeout_s=GRACE,
        max_constructor_retry_count=1,
        ray_actor_options=actor,
        **how,
    )(serve.ingress()(Replica))
    return deployed.bind(settings, known)


def serve_on(
    address: str, settings: ServeSettings, replicas: Replicas | None, gpus: float | None, tell: Tell
) -> None:
    """Serve from a cluster until told to stop (SIGINT, SIGTERM), then take the replicas down.

    Args:
        address: As of :func:`deployed`, with all that follows.
        settings: What every replica is told.
        replicas: How many.
        gpus: Of each.
        tell: Told the address once all answer.

    Raises:
        ZerosightError: As :func:`deployed`.
        ClusterError: What was deployed is lost.
    """
    with deployed(address, settings, replicas, gpus) as (serve, url):
        tell(url)
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(_PAUSE)
                _state(serve)


@contextmanager
def deployed(
    address: str, settings: ServeSettings, replicas: Replicas | None = None, gpus: float | None = None
) -> Iterator[tuple[ModuleType, str]]:
    """Keep replicas in a cluster; yields Ray Serve and the address once all answer.

    SIGTERM is heard as Ctrl-C.

    Args:
        address: As of :func:`~zerosight.scale.cluster.connected`.
        settings: What every replica is told; host and port are those of the cluster's head.
        replicas: None takes as many as there is room for.
        gpus: Of each replica; None takes one where there are any.

    Raises:
        ConfigError: The settings are not allowed, or the cluster has no room.
        MissingExtraError: Ray or Ray Serve is not installed.
        ClusterError: The cluster cannot do it, or the port is taken.
    """
    check(settings)
    serve = require("ray.serve", "ray")
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    with connected(address) as ray:
        _refuse_foreign(ray)
        replicas, actor = _spread(ray, settings, replicas, gpus)
        if settings.device == "auto" and not actor["num_gpus"]:
            settings = settings.model_copy(update={"device": "cpu"})
        port = _free_port(ray, settings)
        models = models_by_name(settings.models)  # a replica starts in a folder of its own
        settings = settings.model_copy(update={"models": tuple(map("=".join, models.items()))})
        known = {
            name: facts_there(ray, ServeJob(model, settings), actor["num_gpus"] or 0.0).settings
            for name, model in models.items()
        }
        with _ended(serve):
            serve.start(
                proxy_location="HeadOnly",
                http_options={"host": settings.host, "port": port},
                controller_options={"runtime_env": {"env_vars": _FAIR}},
            )
            target = serve.RunTarget(application(settings, known, replicas, actor), name=NAME)
            serve.run_many([target], wait_for_applications_running=False)
            _wait(serve, settings.limits.loading)
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            yield serve, f"http://{host}:{port}"


def _refuse_foreign(ray: ModuleType) -> None:
    """Refuse to share a cluster's one Ray Serve, whose address others chose.

    Raises:
        ClusterError: It runs already.
    """
    with suppress(ValueError):
        ray.get_actor("SERVE_CONTROLLER_ACTOR", namespace="serve")
        raise ClusterError(f"--on: {_FOREIGN}")


def _spread(
    ray: ModuleType, settings: ServeSettings, replicas: Replicas | None, gpus: float | None
) -> tuple[Replicas, dict[str, Any]]:
    """Return how many replicas there are, and what each takes.

    Raises:
        ConfigError: The cluster has no room for the fewest.
    """
    room = plan(ray, settings.device, None, gpus)
    replicas = replicas or Replicas(room.workers, room.workers)
    if replicas.least > room.workers:
        raise ConfigError(f"--replicas: the cluster has room for {room.workers}, got {replicas.least}")
    spread = plan(ray, settings.device, min(replicas.most, room.workers), gpus)
    return replicas, {"num_cpus": spread.cpus, "num_gpus": spread.gpus or None}


def _free_port(ray: ModuleType, settings: ServeSettings) -> int:
    """Return the port on the cluster's head, a free one for 0.

    Raises:
        ClusterError: It cannot be listened on.
    """
    ask = ray.remote(num_cpus=0, resources={"node:__internal_head__": 0.001})(_try_port)
    found: int | str = ray.get(ask.remote(settings.host, settings.port))
    if isinstance(found, str):
        raise ClusterError(
            f"{settings.host}:{settings.port}: cannot be listened on, on the cluster's head ({found}); "
            "choose another --port"
        )
    return found


def _try_port(host: str, port: int) -> int | str:
    """Return the port that could be listened on, or why it could not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as tried:
            return int(tried.getsockname()[1])
    except OSError as error:
        return error.strerror or str(error)


@contextmanager
def _ended(serve: ModuleType) -> Iterator[None]:
    """Take down in the end what Ray Serve runs; SIGTERM is heard as Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        try:
            with redirect_stdout(StringIO()):  # Ray tells there that its own controller has ended
                serve.shutdown()
        finally:
            signal.signal(signal.SIGTERM, before)


def _wait(serve: ModuleType, seconds: float) -> None:
    """Wait until all replicas answer.

    Raises:
        ClusterError: They cannot be started, or not in time.
    """
    end = time.monotonic() + seconds
    while (state := _state(serve)).status != "RUNNING":
        if state.status in ("DEPLOY_FAILED", "UNHEALTHY"):
            said = "\n".join([state.message, *(one.message for one in state.deployments.values())])
            raise ClusterError(f"--on: a replica cannot be started ({_reason(said)})")
        if time.monotonic() > end:
            raise ClusterError(
                f"--on: the replicas were not ready after {seconds:g} s; others may hold the cluster's "
                "processors or GPUs (ray status)"
            )
        time.sleep(_PAUSE)


def _state(serve: ModuleType) -> Any:
    """Return what Ray Serve says of the application.

    Raises:
        ClusterError: It does not know it, or does not answer.
    """
    try:
        return serve.status().applications[NAME]
    except Exception as error:  # of Ray: whatever keeps it from answering
        raise ClusterError(f"--on: the deployment was lost ({reason_of(error)}); start it again") from None


def _reason(said: str) -> str:
    """Return the last error of ours that Ray Serve tells of, or else the last thing that it says.

    >>> _reason("Traceback\\nzerosight.errors.WeightsError: m: is damaged\\nsee the logs")
    'm: is damaged'
    """
    ours = [line for line in said.splitlines() if line.startswith("zerosight.errors.")]
    return reason_of(Exception(ours[-1].partition(": ")[2] if ours else said))
