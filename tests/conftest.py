"""Shared set-up: shapes are checked at run time, nothing reaches the network, and no test hangs."""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import pkgutil
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # read at import; it asks Google itself
os.environ.setdefault("ZEROSIGHT_RUNTIME", "torch")  # no test leaves a graph in the user's cache
import zerosight

CHECKED = sorted(
    f"zerosight.{module.name}" for module in pkgutil.iter_modules(zerosight.__path__) if module.name != "cli"
)  # all but the command line, whose annotations are the parser's
install_import_hook(CHECKED, "beartype.beartype")

# the same examples on every run, whatever else the machine does meanwhile
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

Install = Callable[..., str]
Run = Callable[..., tuple[int, str, str]]
LONGEST, LONGEST_OF_SERVERS = 600, 300
"""Seconds after which the set-up, the call or the end of a test is taken for hung, and fails."""

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@contextmanager
def in_time(item: pytest.Item) -> Generator[None]:
    """Fail a test that hangs, with the line where it stands, rather than hang with it."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return
    seconds = LONGEST_OF_SERVERS if "serve" in item.nodeid else LONGEST

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"the test hangs: not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that hold slow tests, so that no worker is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    with in_time(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    with in_time(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    with in_time(item):
        return (yield)


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Return the folder of real images, or skip the test where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real images is not here")
    return SHARED_DATA


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a package with entry points, as pip would, until the test is over."""

    def call(package: str, entries: dict[str, str], **modules: str) -> str:
        site = tmp_path / "site-packages"
        about = site / f"{package}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        groups = (f"[{group}]\n{lines}\n" for group, lines in entries.items())
        (about / "entry_points.txt").write_text("\n".join(groups))
        (site / package).mkdir()
        for name, text in ({"__init__": ""} | modules).items():
            (site / package / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(site)
        return package

    return call


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command line and gives exit status, output and messages."""
    from zerosight.cli import main

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["zerosight", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main.run()
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def run_apart() -> Callable[[str], BaseProcess]:
    """Return a function that starts some code in a process of its own.

    All such processes are forked from one that has loaded what takes long to load, and has done nothing.
    """
    context = multiprocessing.get_context("forkserver")
    runs = ["zerosight.train.vip2clip.run", "zerosight.train.radz.run"]
    context.set_forkserver_preload(["zerosight.cli.main", *runs])

    def start(code: str) -> BaseProcess:
        process = context.Process(target=exec, args=(code, {"__name__": "apart"}))
        process.start()
        return process

    return start


@pytest.fixture(scope="session")
def trace_once(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Let exports trace equal models once for all tests and workers: only tracing takes long."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    from filelock import FileLock

    from zerosight.export import run

    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    trace = run.to_onnx

    def once(scorer: Any) -> Any:
        network = scorer.network
        digest = hashlib.sha256(f"{scorer.preprocess} {network}".encode())
        for name, tensor in itertools.chain(network.named_parameters(), network.named_buffers()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().contiguous().numpy().tobytes())
        path = folder / f"traced-{digest.hexdigest()}.onnx"
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                onnx.save(trace(scorer), path)
            return onnx.load(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "to_onnx", once)
        yield
