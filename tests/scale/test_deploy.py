"""Replicas: what is refused before Ray is asked, how they are spread, and what is told when none starts."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("prometheus_client")

from scale.test_cluster import cluster_of, install, ray_with

from zerosight.errors import ConfigError, MissingExtraError
from zerosight.identity import LOCK
from zerosight.scale.cluster import ClusterError
from zerosight.scale.deploy import (
    Replica,
    Replicas,
    _refuse_foreign,
    _spread,
    _try_port,
    _wait,
    check,
    deployed,
)
from zerosight.serve.settings import ServeSettings

SETTINGS = ServeSettings(device="cpu")


@pytest.mark.parametrize("text", ["", "two", "0", "3:1", "1:2:3", "-1", "1:"])
def test_numbers_that_are_none_are_refused(text):
    with pytest.raises(ConfigError, match="--replicas: is"):
        Replicas.parse(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"keep": True}, "--keep: replicas share no folder"),
        ({"watch": "photos"}, "--watch: replicas"),
        ({"host": "0.0.0.0"}, "--token"),
    ],
    ids=["keep", "watch", "open"],
)
def test_what_replicas_cannot_do_is_refused(changes, said):
    with pytest.raises(ConfigError, match=said), deployed("ray", ServeSettings.parse(changes)):
        pass
    check(SETTINGS)


def test_ray_serve_that_is_missing_is_one_line(monkeypatch):
    install(monkeypatch, ray_with())
    monkeypatch.setitem(sys.modules, "ray.serve", None)
    with pytest.raises(MissingExtraError, match=r"zerosight\[ray\]"), deployed("ray", SETTINGS):
        pass


def test_replicas_are_as_many_as_there_is_room_for():
    small = cluster_of((4, 0))
    replicas, actor = _spread(small, SETTINGS, None, None)
    assert (replicas, actor) == (Replicas(4, 4), {"num_cpus": pytest.approx(0.77), "num_gpus": None})
    replicas, actor = _spread(small, SETTINGS, Replicas(1, 2), None)
    assert actor["num_cpus"] == pytest.approx(2 * 0.77)  # room for the most of them
    assert _spread(small, SETTINGS, Replicas(1, 9), None)[0] == Replicas(1, 9)  # a cluster may grow
    card = SETTINGS.model_copy(update={"device": "cuda"})
    assert _spread(cluster_of((8, 1)), card, Replicas(2, 2), 0.5)[1] == {"num_cpus": 1.0, "num_gpus": 0.5}
    with pytest.raises(ConfigError, match=r"--replicas: the cluster has room for 4, got 5"):
        _spread(small, SETTINGS, Replicas(5, 5), None)


def test_a_replica_removes_what_killed_ones_left_and_its_own_in_the_end(monkeypatch, tmp_path):
    context = SimpleNamespace(replica_tag="one")
    install(monkeypatch, ray_with())
    monkeypatch.setitem(sys.modules, "ray.serve", ray_with(get_replica_context=lambda: context))
    folders, sent = [], []

    def create_server(settings):
        folders.append(settings.folder)
        api = SimpleNamespace(router=SimpleNamespace(lifespan_context=lambda api: nullcontext()))
        return SimpleNamespace(api=api, shelf=None, app=None)

    monkeypatch.setattr("zerosight.scale.deploy.create_server", create_server)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / ".zerosight-serve.scratchold"
    left.mkdir()
    (left / LOCK).touch()

    async def live():
        first, second = Replica.__new__(Replica), Replica.__new__(Replica)
        await first.__init__(SETTINGS, {})
        await second.__init__(SETTINGS, {})
        assert all(folder.is_dir() for folder in folders)
        assert not left.exists()
        for one in (first, second):
            await one.__serve_build_asgi_app__()({"type": "lifespan"}, receive, send)

    async def receive():
        return {}

    async def send(message):
        sent.append(message["type"])

    asyncio.run(live())
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"] * 2
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_is_told():
    free = _try_port("127.0.0.1", 0)
    assert isinstance(free, int)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "in use" in str(_try_port("127.0.0.1", taken.getsockname()[1]))


def test_another_ray_serve_is_left_alone():
    with pytest.raises(ClusterError, match="runs in this cluster already"):
        _refuse_foreign(ray_with(get_actor=lambda name, namespace: object()))

    def nobody(name: str, namespace: str) -> None:
        raise ValueError(name)

    _refuse_foreign(ray_with(get_actor=nobody))


def serve_that_says(status: str, message: str = "") -> ModuleType:
    made: Any = ModuleType("ray.serve")
    one = SimpleNamespace(status=status, message="", deployments={"z": SimpleNamespace(message=message)})
    made.status = lambda: SimpleNamespace(applications={"zerosight": one} if status else {})
    return made


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        ("DEPLOY_FAILED", "Traceback\nzerosight.errors.WeightsError: m: is damaged", r"\(m: is damaged\)"),
        ("DEPLOYING", "", r"not ready after 0 s; others may hold"),
        ("", "", "the deployment was lost"),
    ],
    ids=["damaged", "no room", "gone"],
)
def test_replicas_that_do_not_start_are_one_line(status, message, said):
    with pytest.raises(ClusterError, match=said):
        _wait(serve_that_says(status, message), 0.0)
    _wait(serve_that_says("RUNNING"), 0.0)
