"""The way to a cluster: what is refused before Ray is asked, and how the work is spread."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import zerosight
from zerosight.errors import ConfigError, MissingExtraError
from zerosight.scale.cluster import ClusterError, connected, facts_there, plan
from zerosight.scale.work import AnomalyJob, Facts


def ray_with(**attributes: Any) -> ModuleType:
    made = ModuleType("ray")
    usual = {"__version__": "2.60.0", "is_initialized": lambda: True, "shutdown": lambda: None}
    vars(made).update(usual | attributes)
    return made


def cluster_of(*machines: tuple[int, int]) -> ModuleType:
    nodes = [{"Alive": True, "Resources": {"CPU": float(cpu), "GPU": float(gpu)}} for cpu, gpu in machines]
    return ray_with(nodes=lambda: [*nodes, {"Alive": False, "Resources": {}}])


def ray_that_answers(answer: Facts | Exception) -> ModuleType:
    def get(found: Facts | Exception) -> Facts:
        if isinstance(found, Exception):
            raise found
        return found

    asked = SimpleNamespace(remote=lambda job: answer)
    return ray_with(remote=lambda **options: lambda function: asked, get=get)


def install(monkeypatch: pytest.MonkeyPatch, made: ModuleType) -> None:
    for name, module in (("ray", made), ("ray.data", made)):
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize(
    ("machines", "asked", "expected"),
    [
        ([(2, 0)], ("auto", None, None), (2, 0.77, 0.0, 1)),
        ([(1, 0), (1, 0)], ("auto", 1, None), (1, 0.77, 0.0, 1)),
        ([(0, 0), (16, 0)], ("auto", 4, None), (4, 0.77 * 4, 0.0, 8)),
        ([(8, 1), (8, 1)], ("auto", None, None), (2, 1.0, 1.0, 8)),
        ([(8, 1), (8, 1)], ("cuda", None, 0.5), (4, 1.0, 0.5, 8)),
        ([(16, 2)], ("cpu", 1, None), (1, 0.77 * 16, 0.0, 8)),
    ],
    ids=["all processors", "one small machine", "four models", "a GPU each", "half a GPU each", "no GPU"],
)
def test_models_are_as_many_as_there_is_room_for(machines, asked, expected):
    found = plan(cluster_of(*machines), *asked)
    workers, cpus, gpus, readers = expected
    assert (found.workers, found.gpus, found.readers) == (workers, gpus, readers)
    assert found.cpus == pytest.approx(cpus)


def test_more_than_there_is_room_for_is_refused():
    small = cluster_of((2, 0))
    with pytest.raises(ConfigError, match=r"--workers: the cluster has room for 2, got 3"):
        plan(small, "cpu", 3, None)
    with pytest.raises(
        ConfigError, match=r"has 0 GPUs and 2 processors, a model takes 0.5 GPUs of one machine"
    ):
        plan(small, "cuda", None, 0.5)


def test_what_keeps_from_the_cluster_is_one_line(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with (
        pytest.raises(ConfigError, match=r"--on: is ray, or ray://HOST:PORT, got 'spark'"),
        connected("spark"),
    ):
        pass
    install(monkeypatch, ray_with())
    with (
        pytest.raises(ClusterError, match=r"nobody answers at ray://127.0.0.1:9 \(.*refused"),
        connected("ray://127.0.0.1:9"),
    ):
        pass
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(ClusterError, match=r"nobody answers at 127.0.0.1:9"), connected("ray"):
        pass
    for version in ("2.9.3", "2.64.0", "3.0.0rc1"):
        install(monkeypatch, ray_with(__version__=version))
        with pytest.raises(ClusterError, match=rf"Ray {version}: .*zerosight\[ray\]"), connected("ray"):
            pass
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(MissingExtraError, match=r"'ray' is not installed; run: .*zerosight\[ray\]"),
        connected("ray"),
    ):
        pass


def test_a_cluster_that_takes_nobody_in_is_one_line(monkeypatch):
    def refuse(address: str | None, **options: Any) -> None:
        raise RuntimeError("Version mismatch:\nThe cluster was started with:\n    Ray: 2.61.0")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    install(monkeypatch, ray_with(is_initialized=lambda: False, init=refuse))
    with (
        pytest.raises(ClusterError, match=r"does not take us in \(Ray: 2.61.0\); it needs Ray 2.60.0 and"),
        connected("ray"),
    ):
        pass


@pytest.mark.parametrize(("deaths", "taken_in"), [(3, True), (4, False)], ids=["the fourth", "none"])
def test_a_client_whose_process_dies_at_birth_is_tried_again(monkeypatch, deaths, taken_in):
    said: list[str] = []

    def init(address: str | None, **options: Any) -> None:
        said.append("init")
        if said.count("init") <= deaths:
            raise ConnectionAbortedError(
                "psutil.ZombieProcess: PID still exists but it's a zombie (pid=9)"
                if said.count("init") == 2
                else "Starting Ray client server failed. See ray_client_server_23000.err"
            )

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    made = ray_with(is_initialized=lambda: False, init=init, shutdown=lambda: said.append("shutdown"))
    install(monkeypatch, made)
    if taken_in:
        with connected("ray"):
            assert said == ["init", "shutdown"] * 3 + ["init"]
    else:
        with pytest.raises(ClusterError, match="does not take us in"), connected("ray"):
            pass
    assert said == ["init", "shutdown"] * 4


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (RuntimeError("trace\nModuleNotFoundError: No module named 'zerosight'"), "has no zerosight"),
        (Facts("0.0.1"), r"has zerosight 0\.0\.1, here is"),
        (Facts(zerosight.__version__, "m: no such model"), "on a machine of the cluster: m: no such model"),
        (RuntimeError("out of memory"), r"could not load the model \(out of memory\)"),
    ],
    ids=["no package", "another version", "no model", "lost"],
)
def test_a_cluster_that_cannot_do_the_work_is_one_line(answer, said):
    with pytest.raises(ClusterError, match=said):
        facts_there(ray_that_answers(answer), AnomalyJob("m"), 0.0)
